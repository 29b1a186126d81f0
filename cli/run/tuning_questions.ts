import type { Gpu } from "../../engine/gpu.ts";
import type { WeightDType } from "../../engine/pack.ts";
import { Tape } from "../../engine/tape.ts";
import type { Parameter, Tensor } from "../../engine/tensor.ts";
import {
  type Choice,
  type Choices,
  keyOf,
  type TuningDevice,
  type TuningQuestion,
  type Tunable,
} from "../../engine/tuning/tunable.ts";
import { CachedInputs } from "../../model/generate/cached_inputs.ts";
import { Generator } from "../../model/generate/generator.ts";
import { KvCache } from "../../model/generate/kv_cache.ts";
import { MOST_CHUNK } from "../../model/generate/prefill.ts";
import { dtypeOf } from "../../model/pretrained/load_transformer.ts";
import { TrainingStep } from "../../model/train/training_step.ts";
import type { ModelConfig } from "../../model/transformer/config.ts";
import { Transformer } from "../../model/transformer/transformer.ts";
import { weightShapes } from "../../model/transformer/weight_shapes.ts";
import type { Phase } from "./choices.ts";

/** Sizes to tune for. */
export interface TuningSizes {
  readonly config: ModelConfig;
  /** Rows of a training batch. */
  readonly numRows: number;
  /** Tokens of a row, and of a text that is gone on with. */
  readonly seqLen: number;
  /** How weights are held; f16 means activations of training, too. */
  readonly dtype: WeightDType;
  readonly phases: readonly Phase[];
}

/** A question, and how often the recorded plans ask it. */
export interface CountedQuestion {
  readonly key: string;
  readonly question: TuningQuestion;
  count: number;
}

/** Choices that take notes of what is asked, and leave every default. */
class Notebook extends Map<string, Choice> implements Choices {
  readonly questions = new Map<string, CountedQuestion>();

  consult(_device: TuningDevice, question: TuningQuestion): undefined {
    const { tunable, problem } = question as { tunable: Tunable<unknown>; problem: unknown };
    const key = keyOf(tunable, problem);
    const counted = this.questions.get(key) ?? { key, question, count: 0 };
    counted.count += 1;
    this.questions.set(key, counted);
  }
}

/**
 * What the ops of a model ask, by recording its plans on paper: nothing is allocated or run. What
 * takes the most arithmetic comes first.
 *
 * @param openPaperGpu Opens devices that take notes.
 * @param sizes Which model, and what it does.
 * @throws {RangeError} If a tensor is too large for the device.
 * @throws {TypeError} If activations are to be halves, and the device has none.
 */
export async function questionsOf(
  openPaperGpu: () => Promise<Gpu>,
  sizes: TuningSizes,
): Promise<CountedQuestion[]> {
  const notebook = new Notebook();
  for (const phase of sizes.phases) {
    const paper = await openPaperGpu();
    paper.choices = notebook;
    RECORD[phase](paper, sizes);
  }
  return byFlops(notebook);
}

/**
 * What ops ask, by recording them on paper. What takes the most arithmetic comes first.
 *
 * @param paper A device that takes notes.
 * @param record Records the ops on it.
 */
export function questionsAsked(paper: Gpu, record: () => void): CountedQuestion[] {
  const notebook = new Notebook();
  paper.choices = notebook;
  record();
  return byFlops(notebook);
}

function byFlops({ questions }: Notebook): CountedQuestion[] {
  return [...questions.values()].toSorted((a, b) => flopsOf(b) - flopsOf(a));
}

/** Operations of all uses of a question. */
function flopsOf({ question, count }: CountedQuestion): number {
  const { tunable, problem } = question as { tunable: Tunable<unknown>; problem: unknown };
  return count * tunable.flops(problem);
}

const RECORD: Readonly<Record<Phase, (paper: Gpu, sizes: TuningSizes) => void>> = {
  train: (paper, { config, numRows, seqLen, dtype }) => {
    const model = paperModel(paper, config);
    const activations = dtype === "f16" ? "f16" : "f32";
    void new TrainingStep(paper, model, { numRows, seqLen, dtype: activations });
  },
  prefill: (paper, { config, seqLen, dtype }) => {
    const model = paperModel(paper, config, dtype);
    const cache = new KvCache(paper, config, { numRows: 1, capacity: seqLen });
    const chunk = Math.min(MOST_CHUNK, 2 ** Math.ceil(Math.log2(seqLen)));
    model.hidden(new Tape(paper), new CachedInputs(paper, cache, chunk));
  },
  decode: (paper, { config, seqLen, dtype }) => {
    const model = paperModel(paper, config, dtype);
    void new Generator(paper, model, { numRows: 1, capacity: seqLen });
  },
};

/** A model without values: to be trained, or with weights of a type. */
function paperModel(paper: Gpu, config: ModelConfig, dtype?: WeightDType): Transformer {
  const tensors = new Map<string, Tensor>();
  const parameters: Parameter[] = [];
  for (const { label, shape } of weightShapes(config)) {
    if (dtype === undefined) {
      const parameter = paper.parameter(shape, { label });
      parameters.push(parameter);
      tensors.set(label, parameter);
    } else {
      const held = dtypeOf(label, shape, dtype);
      tensors.set(label, paper.tensor(shape, { label, purpose: "weights", dtype: held }));
    }
  }
  return new Transformer(paper, config, { tensors, parameters });
}
