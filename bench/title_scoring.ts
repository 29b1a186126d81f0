import type { Batch, EncodedResume } from "../data/batch.ts";
import {
  encodeResume,
  NUM_OCCUPATIONS,
  occupationIndex,
  titleTokens,
  Tokenizer,
  trainResumeTokenizer,
} from "../data/mod.ts";
import { syntheticPopulation } from "../data/synthetic/mod.ts";
import type { Gpu } from "../engine/gpu.ts";
import { LanguageModel } from "../model/occupation/language_model.ts";
import { LossStep } from "../model/train/loss_step.ts";
import { DEFAULT_CONFIG } from "../model/transformer/config.ts";
import { Transformer } from "../model/transformer/transformer.ts";
import { median } from "./statistics.ts";

/** What {@linkcode measureTitleScoring} found. */
export interface TitleScoring {
  readonly numParameters: number;
  readonly promptTokens: number;
  readonly treeNodes: number;
  /** All titles in one pass over their prefix tree, ms. */
  readonly onePassMs: number;
  /** Each title behind the prompt in a row of its own, eight rows a pass, ms. */
  readonly oneByOneMs: number;
  readonly ratio: number;
  /** Largest difference of a log-probability between the two ways. */
  readonly error: number;
}

const ROWS = 1;

/** Times the distribution over all titles after one prompt, both ways, side by side. */
export async function measureTitleScoring(gpu: Gpu, rounds = 5): Promise<TitleScoring> {
  const careers = syntheticPopulation("survey").generate(2000, { seed: 1 });
  const tokenizer = Tokenizer.fromJson(trainResumeTokenizer(careers, { vocabSize: 2048 }));
  const titles = titleTokens(tokenizer);
  const career = careers.find(({ observations }) => observations.length >= 15)!;
  const resume = encodeResume(career, tokenizer);
  const { vocabSize } = tokenizer;
  const model = Transformer.create(gpu, { ...DEFAULT_CONFIG, vocabSize, dHidden: 256 });
  const observation = 14;
  const language = new LanguageModel(gpu, model, { titles });
  const occupations = career.observations.map(({ occupation }) => occupationIndex(occupation));
  const person = { career, occupations, resume };
  const prompt = resume.titles[observation]!.start;
  const longest = Math.max(...titles.map(({ length }) => length));
  const seqLen = prompt + longest;
  const step = new LossStep(gpu, model, { numRows: ROWS, seqLen });
  await step.compile();

  const onePass: number[] = [];
  const oneByOne: number[] = [];
  let error = 0;
  for (let round = 0; round <= rounds; round++) {
    let begin = performance.now();
    const together = await language.distribution(person, observation);
    const passMs = performance.now() - begin;
    begin = performance.now();
    const sums = await scoreEach(step, { resume, prompt, seqLen, titles });
    const eachMs = performance.now() - begin;
    if (round === 0) {
      const total = sums.reduce((sum, value) => sum + Math.exp(value), 0);
      sums.forEach((value, title) => {
        const difference = Math.log(together[title]!) - (value - Math.log(total));
        error = Math.max(error, Math.abs(difference));
      });
      continue; // compiles
    }
    onePass.push(passMs);
    oneByOne.push(eachMs);
  }
  language.destroy();
  step.destroy();
  if (titles.length !== NUM_OCCUPATIONS) throw new Error("every occupation must have a title");
  return {
    numParameters: model.numParameters,
    promptTokens: prompt,
    treeNodes: language.tree.tokens.length,
    onePassMs: median(onePass),
    oneByOneMs: median(oneByOne),
    ratio: median(oneByOne) / median(onePass),
    error,
  };
}

/** Sum of each title's token log-probabilities, eight titles a pass. */
async function scoreEach(
  step: LossStep,
  {
    resume,
    prompt,
    seqLen,
    titles,
  }: {
    readonly resume: EncodedResume;
    readonly prompt: number;
    readonly seqLen: number;
    readonly titles: readonly Uint32Array[];
  },
): Promise<number[]> {
  const sums: number[] = [];
  for (let first = 0; first < titles.length; first += ROWS) {
    const group = titles.slice(first, first + ROWS);
    const length = ROWS * seqLen;
    const tokens = new Uint32Array(length);
    const targets = new Uint32Array(length).fill(0xffff_ffff);
    group.forEach((title, row) => {
      tokens.set(resume.tokens.subarray(0, prompt), row * seqLen);
      tokens.set(title, row * seqLen + prompt);
      targets.set(title, row * seqLen + prompt - 1);
    });
    const batch: Batch = {
      label: "titles",
      numRows: ROWS,
      seqLen,
      tokens,
      targets,
      weights: new Float32Array(length),
      positions: Uint32Array.from(tokens, (_, i) => i % seqLen),
      starts: new Uint32Array(length),
      ends: new Uint32Array(length).fill(seqLen),
    };
    const values = await step.logProbabilities(batch);
    group.forEach((_, row) => {
      const own = values.subarray(row * seqLen, (row + 1) * seqLen);
      sums.push(own.reduce((sum, value) => sum + value, 0));
    });
  }
  return sums;
}
