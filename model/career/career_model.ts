import type { Gpu } from "../../engine/gpu.ts";
import { add } from "../../engine/ops/add.ts";
import { embedding } from "../../engine/ops/embedding.ts";
import { linear } from "../../engine/ops/linear.ts";
import { scale } from "../../engine/ops/scale.ts";
import { twoStageLoss } from "../../engine/ops/two_stage.ts";
import { packParameters } from "../../engine/parameters.ts";
import type { Tape } from "../../engine/tape.ts";
import { destroyAll, type Parameter, sizeOf, type Tensor } from "../../engine/tensor.ts";
import type { Objective } from "../train/objective.ts";
import { drop, normalize, recordBlock } from "../transformer/block.ts";
import type { ModelConfig } from "../transformer/config.ts";
import { weightShapes, type WeightShape } from "../transformer/weight_shapes.ts";
import {
  arrangeWeights,
  randomInitializer,
  type TransformerWeights,
} from "../transformer/weights.ts";
import { type CareerConfig, checkCareerConfig, sinusoids, transformerConfig } from "./config.ts";
import { type CovariateName, type CovariateVocabulary, numRowsOf } from "./covariates.ts";
import { CareerInputs } from "./inputs.ts";
import type { CareerBatch } from "./pack.ts";

/** Table of positions: named as a transformer has it, but a constant. */
const POSITIONS = "model.embed_positions.weight";

/** Values of weights by label. */
export type CareerValues = ReadonlyMap<string, Float32Array<ArrayBuffer>>;

/** What a {@linkcode CareerModel} is made from. */
export interface CareerOptions {
  readonly config: CareerConfig;
  readonly vocabulary: CovariateVocabulary;
  /** Seed of random weights. @default {0} */
  readonly seed?: number;
  /** Weights by label, in place of random ones. */
  readonly values?: CareerValues;
}

/**
 * CAREER: a transformer over person-years that says whether a person stays, and where to if not.
 *
 *     x      = √dModel · job[before] + position[t] + Σ covariates of the year to predict
 *     x      = x + attention(norm(x));  x = x + mlp(norm(x))        numBlocks times
 *     logits = norm(x) · outputᵀ                                    of jobs, and of staying
 *
 * Dropout applies to embeddings and sublayers. That of attention weights, which the published
 * model has besides, is left out: attention never stores them.
 *
 * @see {@link https://arxiv.org/abs/2202.08370 | Vafa et al., "CAREER", 2022}
 */
export class CareerModel {
  readonly config: CareerConfig;
  readonly vocabulary: CovariateVocabulary;
  /** All weights, in a fixed order, by label. */
  readonly parameters: readonly Parameter[];
  readonly #transformer: ModelConfig;
  readonly #weights: TransformerWeights;
  readonly #tables: readonly Parameter[];
  readonly #positions: Tensor;

  /**
   * Allocates a model on a device.
   *
   * @throws {RangeError} If the sizes do not fit together, or a given weight is missing or misshapen.
   */
  constructor(gpu: Gpu, { config, vocabulary, seed = 0, values }: CareerOptions) {
    checkCareerConfig(config);
    this.config = config;
    this.vocabulary = vocabulary;
    this.#transformer = transformerConfig(config);
    const { maxSeqLen, dModel } = config;
    this.parameters = packParameters(gpu, careerWeightShapes(config, vocabulary));
    const initialize = values === undefined ? randomValues(seed) : givenValues(values);
    this.parameters.forEach((parameter, index) =>
      gpu.write(parameter, initialize(parameter, index)),
    );
    this.#positions = gpu.tensor([maxSeqLen, dModel], {
      label: POSITIONS,
      values: sinusoids(config),
    });
    const byLabel = new Map(this.parameters.map((parameter) => [parameter.label, parameter]));
    this.#weights = arrangeWeights(this.#transformer, {
      tensorOf: (label) => (label === POSITIONS ? this.#positions : byLabel.get(label)!),
    });
    this.#tables = vocabulary.map(({ name }) => byLabel.get(tableLabel(name))!);
  }

  /** Number of weights. */
  get numParameters(): number {
    return this.parameters.reduce((sum, { shape }) => sum + sizeOf(shape), 0);
  }

  /**
   * Records the forward pass.
   *
   * @param tape Where to record.
   * @param inputs Made for this model.
   * @param options Whether dropout applies, and whether blocks keep their activations.
   * @returns `[numPlaces, numOccupations + 1]` f32.
   */
  logits(
    tape: Tape,
    inputs: CareerInputs,
    { training, checkpoint = false }: { readonly training: boolean; readonly checkpoint?: boolean },
  ): Tensor {
    const { dModel, dropout } = this.config;
    const weights = this.#weights;
    const config = this.#transformer;
    const scope = { tape, inputs, config, training, rotaryTable: undefined };
    let x = scale(tape, embedding(tape, weights.embedding, inputs.tokens), Math.sqrt(dModel));
    x = add(tape, x, embedding(tape, this.#positions, inputs.positions));
    this.#tables.forEach((table, which) => {
      x = add(tape, x, embedding(tape, table, inputs.covariates[which]!));
    });
    x = drop(scope, x, { rate: dropout, id: 0 });
    weights.blocks.forEach((block, index) => {
      const input = x;
      const record = () => recordBlock(scope, input, { block, index });
      x = checkpoint ? tape.checkpoint(record) : record();
    });
    return linear(tape, normalize(scope, x, weights.norm), weights.output);
  }

  /** Frees the weights. */
  destroy(): void {
    destroyAll([...this.parameters, this.#positions]);
  }
}

/** The likelihood of careers, for training. */
export function careerObjective(model: CareerModel): Objective<CareerBatch> {
  return {
    parameters: model.parameters,
    record(gpu, tape, options) {
      if (options.dtype !== "f32") {
        throw new TypeError(`Cannot train a CAREER model: dtype must be f32, got ${options.dtype}`);
      }
      const inputs = new CareerInputs(gpu, model, options);
      const logits = model.logits(tape, inputs, options);
      const { targets, weights } = inputs;
      const previous = inputs.tokens.ids;
      return {
        ...twoStageLoss(tape, { logits, previous, targets, weights }),
        write: (batch, place) => inputs.write(batch, place),
        destroy: () => inputs.destroy(),
      };
    },
    totalWeight: ({ weights }) => weights.reduce((a, b) => a + b, 0),
  };
}

/** Label of a covariate's table. */
export function tableLabel(name: CovariateName): string {
  return `model.embed_${name.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`)}.weight`;
}

/** Every weight of a model, in its order, without allocating any. */
export function* careerWeightShapes(
  config: CareerConfig,
  vocabulary: CovariateVocabulary,
): Generator<WeightShape, void> {
  for (const weight of weightShapes(transformerConfig(config))) {
    if (weight.label !== POSITIONS) yield weight;
  }
  for (const covariate of vocabulary) {
    yield { label: tableLabel(covariate.name), shape: [numRowsOf(covariate), config.dModel] };
  }
}

type Initializer = (weight: WeightShape, index: number) => Float32Array<ArrayBuffer>;

/**
 * Random weights as transformers have them. The row of what is unknown is zero: where everything
 * is known in training, the unknown adds nothing later.
 */
function randomValues(seed: number): Initializer {
  const draw = randomInitializer(seed);
  return ({ shape, label }, index) => {
    const values = draw(shape, label, index);
    const isTable = label.startsWith("model.embed_") && label !== "model.embed_tokens.weight";
    return isTable ? values.fill(0, values.length - shape[1]!) : values;
  };
}

function givenValues(values: CareerValues): Initializer {
  return ({ shape, label }) => {
    const found = values.get(label);
    if (found !== undefined && found.length === sizeOf(shape)) return found;
    throw new RangeError(
      `Cannot load a CAREER model: weight "${label}" must have shape [${shape.join(", ")}], ` +
        `got ${found === undefined ? "none" : `${found.length} values`}`,
    );
  };
}
