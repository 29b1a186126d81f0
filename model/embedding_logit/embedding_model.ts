import { softmaxInPlace } from "../logit/logit_model.ts";
import {
  type OccupationModel,
  type Person,
  type Score,
  scoreOf,
} from "../occupation/occupation_model.ts";
import type { AskedResume, PromptStates } from "./prompt_states.ts";

/** A logit on embeddings, all of it linear: what principal components did is part of it. */
export interface EmbeddingLogitWeights {
  readonly dModel: number;
  readonly numOccupations: number;
  /** `[numOccupations, dModel]`. */
  readonly weight: Float32Array<ArrayBuffer>;
  /** `[numOccupations]`. */
  readonly bias: Float32Array<ArrayBuffer>;
  /** Logits are clamped to ±limit. */
  readonly limit: number;
}

/** Probabilities over occupations at a state, in float64, `[numOccupations]`. */
export function distributionAt(
  { dModel, numOccupations, weight, bias, limit }: EmbeddingLogitWeights,
  state: Float32Array,
): Float64Array {
  const logits = new Float64Array(numOccupations);
  for (let y = 0; y < numOccupations; y++) {
    let sum = bias[y]!;
    for (let i = 0; i < dModel; i++) sum += weight[y * dModel + i]! * state[i]!;
    logits[y] = sum;
  }
  return softmaxInPlace(logits, limit);
}

/** Options of {@linkcode EmbeddingLogit}. */
export interface EmbeddingLogitOptions {
  /** Names the model in tables. @default {"embeddings + logit"} */
  readonly name?: string;
}

/**
 * Multinomial logit on what a language model makes of a resume,
 *
 *     P(y) = softmax(clamp(weight · state + bias, ±limit))
 *
 * where the state is the final hidden state at `"…1996 (some college):"`. States come from the
 * device; the logit is taken in float64 on the host, which costs little beside them.
 *
 * @see {@link https://arxiv.org/abs/2406.17972 | Athey et al., 2024}
 */
export class EmbeddingLogit implements OccupationModel {
  readonly name: string;
  readonly numOccupations: number;
  readonly #states: PromptStates;
  readonly #weights: EmbeddingLogitWeights;

  /** @throws {RangeError} If the weights are not of the language model's width. */
  constructor(
    states: PromptStates,
    weights: EmbeddingLogitWeights,
    { name = "embeddings + logit" }: EmbeddingLogitOptions = {},
  ) {
    if (states.dModel !== weights.dModel) {
      throw new RangeError(
        `Cannot use a logit on embeddings: the language model must have states of ${weights.dModel}, got ${states.dModel}; name the model that it was fitted on`,
      );
    }
    this.name = name;
    this.numOccupations = weights.numOccupations;
    this.#states = states;
    this.#weights = weights;
  }

  async *score(people: readonly Person[]): AsyncGenerator<Score> {
    const { dModel } = this.#weights;
    let p = 0;
    for await (const states of this.#states.states(people.map(asked))) {
      const { occupations, askedFrom = 0 } = people[p++]!;
      const judged = scoreOf(
        occupations,
        (index) => {
          const begin = (index - askedFrom) * dModel;
          return distributionAt(this.#weights, states.subarray(begin, begin + dModel));
        },
        askedFrom,
      );
      yield { ...judged, raw: judged.normalized };
    }
  }

  async distribution(person: Person, index: number): Promise<Float64Array> {
    const { resume } = asked(person);
    const upTo = { ...resume, titles: resume.titles.slice(0, index + 1) };
    for await (const state of this.#states.states([{ resume: upTo, askedFrom: index }])) {
      return distributionAt(this.#weights, state);
    }
    throw new RangeError(
      `Cannot predict for career "${person.career.id}": observation ${index} must be one of its ${resume.titles.length}`,
    );
  }
}

/** The resume of a person, as the states are asked. */
export function asked({ career, resume, askedFrom = 0 }: Person): AskedResume {
  if (resume !== undefined) return { resume, askedFrom };
  throw new TypeError(
    `Cannot embed career "${career.id}": the person must carry a resume as tokens, got none; call encodeResume() first`,
  );
}
