import { askCareer, checkResumeFits } from "../../data/asked_career.ts";
import type { Career, Observation } from "../../data/career.ts";
import { titleTokens } from "../../data/encode_resume.ts";
import { occupationIndex, OCCUPATIONS } from "../../data/occupations.ts";
import { Random } from "../../data/random.ts";
import { personOf, resumeOptions } from "../../data/wording.ts";
import type { Gpu } from "../../engine/gpu.ts";
import type { OccupationQuestion } from "../../model/occupation/occupation_model.ts";
import { LanguageModel } from "../../model/occupation/language_model.ts";
import type { Transformer } from "../../model/transformer/transformer.ts";
import type { CallOptions, FutureOptions, Prediction, Question } from "./api.ts";
import { badInput } from "./explain.ts";
import type { OpenedModel } from "./open_source.ts";

/** Most years that a future may have: a life has no more. */
const MOST_YEARS = 100;

/** A model that careers are asked about. */
export class CareerReader {
  readonly #gpu: Gpu;
  readonly #opened: OpenedModel;
  readonly #transformer: Transformer;
  readonly #titles: readonly Uint32Array[];
  /** The passes of one tolerance at a time: they take memory. */
  #language: { readonly model: LanguageModel; readonly tolerance: number } | undefined;

  /** @throws {RangeError} If the model's tokenizer does not tell titles apart. */
  constructor(gpu: Gpu, opened: OpenedModel, transformer: Transformer) {
    this.#gpu = gpu;
    this.#opened = opened;
    this.#transformer = transformer;
    this.#titles = titleTokens(opened.tokenizer, resumeOptions(opened.wording));
  }

  /**
   * Probabilities of all occupations in a year of a career, as `tenure predict` gives them.
   *
   * @throws {RangeError} If the career or the question is not fit for a resume, or too long.
   */
  async predict(career: Career, question: Question & CallOptions = {}): Promise<Prediction> {
    const begin = performance.now();
    const { tokenizer, wording } = this.#opened;
    const { tolerance = 0 } = question;
    if (!(tolerance >= 0 && tolerance < 1)) {
      throw badInput(`Cannot predict: the tolerance must be from 0 to below 1, got ${tolerance}`);
    }
    const asked = askCareer(career, question, wording);
    const person = personOf(asked.career, tokenizer, wording);
    checkResumeFits(person, this.#transformer.config.maxSeqLen);
    const { index, year, education, prompt } = asked;
    const probabilities = await this.#distribution({ person, index }, { ...question, tolerance });
    const last = career.observations.findLast((observation) => observation.year < year)?.occupation;
    return {
      year,
      education,
      prompt,
      numTokens: person.resume.titles.at(-1)!.start,
      probabilities,
      ...(last !== undefined && { last, stay: probabilities[occupationIndex(last)]! }),
      ms: performance.now() - begin,
    };
  }

  /**
   * Years to come, each drawn given those before.
   *
   * @throws {RangeError} As {@linkcode predict}.
   */
  async sampleFuture(career: Career, options: FutureOptions = {}): Promise<Observation[]> {
    const { years = 10, seed = 0, signal, onProgress } = options;
    if (!Number.isInteger(years) || years < 1 || years > MOST_YEARS) {
      throw badInput(
        `Cannot sample a future: its years must be an integer from 1 to ${MOST_YEARS}, got ${years}`,
      );
    }
    const random = Random.from(seed, "future");
    const drawn: Observation[] = [];
    for (let done = 0; done < years; done++) {
      signal?.throwIfAborted();
      const told = { ...career, observations: [...career.observations, ...drawn] };
      const { education: given } = options;
      const { year, education, probabilities } = await this.predict(told, {
        ...(given !== undefined && { education: given }),
      });
      const occupation = OCCUPATIONS[draw(probabilities, random.uniform())]!.code;
      drawn.push({ year, education, occupation });
      const what = String(year);
      onProgress?.({ phase: "sample", what, done: done + 1, total: years, unit: "years" });
    }
    return drawn;
  }

  /** Frees the passes; the model's weights stay. */
  destroy(): void {
    this.#language?.model.destroy();
    this.#language = undefined;
  }

  async #distribution(
    query: OccupationQuestion,
    { tolerance, ...options }: CallOptions & { readonly tolerance: number },
  ): Promise<Float64Array> {
    try {
      const language = this.#languageOf(tolerance, options);
      if (tolerance === 0) return await language.distribution(query.person, query.index);
      return (await language.distributions([query]))[0]!;
    } catch (error) {
      this.destroy(); // what did not fit would be missing the next time, too
      throw error;
    }
  }

  #languageOf(tolerance: number, { onProgress }: CallOptions): LanguageModel {
    if (this.#language?.tolerance === tolerance) return this.#language.model;
    this.destroy();
    onProgress?.({ phase: "compile", what: "kernels", done: 0, unit: "kernels" });
    const options = { titles: this.#titles, tolerance };
    const model = new LanguageModel(this.#gpu, this.#transformer, options);
    this.#language = { model, tolerance };
    return model;
  }
}

/** Index of the first occupation at which the probabilities so far exceed a number in [0, 1). */
function draw(probabilities: Float64Array, uniform: number): number {
  let left = uniform * probabilities.reduce((sum, p) => sum + p, 0);
  for (const [index, p] of probabilities.entries()) {
    left -= p;
    if (left < 0) return index;
  }
  return probabilities.findLastIndex((p) => p > 0); // rounding left a rest
}
