import { IGNORED, type Batch } from "../../data/batch.ts";
import type { Gpu } from "../../engine/gpu.ts";
import type { StepPlans } from "../../engine/profile/profiler.ts";
import type { StoredModel } from "../../model/checkpoint/stored_model.ts";
import { Generator } from "../../model/generate/generator.ts";
import { loadTransformer } from "../../model/pretrained/load_transformer.ts";
import { TrainingStep } from "../../model/train/training_step.ts";
import type { WeightDType } from "../../engine/pack.ts";
import { CliError, EXIT } from "../platform/errors.ts";
import type { Phase } from "./choices.ts";

/** A model's work, and how much of it. */
export interface SubjectOptions {
  readonly what: Phase;
  readonly numRows: number;
  /** Tokens of a row: of a batch, of a prompt, or those that the cache holds when decoding. */
  readonly length: number;
  readonly dtype: WeightDType;
  readonly checkpoint: boolean;
}

/** Compiled plans with their inputs written, ready to be profiled. */
export interface Subject {
  readonly plans: StepPlans;
  /** Keys that a query sees on average. */
  readonly seenKeys: number;
  /** Tokens that a replay works on. */
  readonly numTokens: number;
  readonly numWeights: number;
  /** Time to load the model; to record and lay out; to compile. */
  readonly loadMs: number;
  readonly planMs: number;
  readonly compileMs: number;
  readonly destroy: () => void;
}

/** Tokens that are read at a time when a prompt is, at most and at least. */
const CHUNK = 256;
const LEAST_CHUNK = 8;

/** Loads a model onto a device and prepares its work, which {@linkcode checkSubject} took. */
export async function prepareSubject(
  gpu: Gpu,
  stored: StoredModel,
  options: SubjectOptions,
): Promise<Subject> {
  const { what, dtype } = options;
  const begin = performance.now();
  const isTrained = what === "train";
  const model = await loadTransformer(gpu, stored, {
    trainable: isTrained,
    dtype: isTrained ? "f32" : dtype,
  });
  await gpu.finish();
  const loadMs = performance.now() - begin;
  const prepare = isTrained ? prepareTraining : prepareGeneration;
  const subject = await prepare(gpu, model, options);
  return {
    ...subject,
    loadMs,
    numWeights: model.numParameters,
    destroy: () => {
      subject.destroy();
      model.destroy();
    },
  };
}

type Transformer = Awaited<ReturnType<typeof loadTransformer>>;
type Prepared = Omit<Subject, "loadMs" | "numWeights">;

/** A training step on a batch of whole rows, one document each. */
async function prepareTraining(
  gpu: Gpu,
  model: Transformer,
  { numRows, length, dtype, checkpoint }: SubjectOptions,
): Promise<Prepared> {
  const begin = performance.now();
  const step = new TrainingStep(gpu, model, {
    numRows,
    seqLen: length,
    dtype: dtype === "f16" ? "f16" : "f32",
    checkpoint,
  });
  const recorded = performance.now();
  await step.compile();
  const compiled = performance.now();
  const batch = drawBatch(model.config.vocabSize, numRows, length);
  // Writes the inputs of both plans.
  await step.run([batch], { learningRate: 1e-4, step: 1, numBatches: 0, lossScale: 2 ** 10 });
  const { slidingWindow } = model.config;
  return {
    plans: step.plans,
    seenKeys: meanSeen(0, length, slidingWindow),
    numTokens: numRows * length,
    planMs: recorded - begin,
    compileMs: compiled - recorded,
    destroy: () => step.destroy(),
  };
}

/** The pass over the last tokens of a prompt, or over the first token behind it. */
async function prepareGeneration(
  gpu: Gpu,
  model: Transformer,
  { what, numRows, length }: SubjectOptions,
): Promise<Prepared> {
  const { vocabSize, slidingWindow } = model.config;
  const begin = performance.now();
  const generator = new Generator(gpu, model, { numRows, capacity: length + 1 });
  const recorded = performance.now();
  let compiled = recorded;
  const { tokens } = drawBatch(vocabSize, numRows, length + 1);
  const requests = Array.from({ length: numRows }, (_, row) => ({
    prompt: tokens.slice(row * (length + 1), (row + 1) * (length + 1)),
    settings: { temperature: 0 },
  }));
  const onCompiled = () => (compiled = performance.now());
  const steps = generator.run(requests, { maxSteps: 1, endTokens: [], onCompiled });
  for await (const _ of steps); // fills the cache, and writes the inputs
  const { plans } = generator;
  const shared = { planMs: recorded - begin, compileMs: compiled - recorded };
  const destroy = () => generator.destroy();
  if (what === "decode") {
    const seenKeys = Math.min(length + 1, slidingWindow ?? Infinity);
    return { ...shared, plans: { step: plans.step }, seenKeys, numTokens: numRows, destroy };
  }
  const chunk = Math.min(CHUNK, length);
  const plan = plans.prefill.get(chunk)!;
  const seenKeys = meanSeen(length - chunk, chunk, slidingWindow);
  return { ...shared, plans: { prefill: plan }, seenKeys, numTokens: numRows * chunk, destroy };
}

/** Keys that the `count` queries behind `begin` tokens see on average. */
function meanSeen(begin: number, count: number, slidingWindow: number | null): number {
  let sum = 0;
  for (let i = 0; i < count; i++) sum += Math.min(begin + i + 1, slidingWindow ?? Infinity);
  return sum / count;
}

/** Rows of one document each, of tokens that follow no rule: only their number matters. */
function drawBatch(vocabSize: number, numRows: number, seqLen: number): Batch {
  const length = numRows * seqLen;
  // A multiplicative sequence: Knuth, The Art of Computer Programming, 2nd ed., vol. 3, §6.4.
  const tokenAt = (i: number) => (Math.imul(i + 1, 0x9e3779b1) >>> 0) % vocabSize;
  const isLast = (i: number) => i % seqLen === seqLen - 1;
  return {
    label: "drawn",
    numRows,
    seqLen,
    tokens: Uint32Array.from({ length }, (_, i) => tokenAt(i)),
    targets: Uint32Array.from({ length }, (_, i) => (isLast(i) ? IGNORED : tokenAt(i + 1))),
    weights: Float32Array.from({ length }, (_, i) => (isLast(i) ? 0 : 1)),
    positions: Uint32Array.from({ length }, (_, i) => i % seqLen),
    starts: new Uint32Array(length),
    ends: new Uint32Array(length).fill(seqLen),
  };
}

/** Tokens of a row where nobody says how many: as many as fit, and at most a chunk. */
export function defaultLength({ config }: StoredModel, what: Phase): number {
  const most = Math.min(CHUNK, longestOf(config.maxSeqLen, what));
  return what === "prefill" ? 2 ** Math.floor(Math.log2(most)) : most;
}

/** Generation needs a place for the token behind the text. */
function longestOf(maxSeqLen: number, what: Phase): number {
  return what === "train" ? maxSeqLen : maxSeqLen - 1;
}

/**
 * Refuses what the model, or its plans, cannot do, before anything is loaded.
 *
 * @throws {CliError} With exit code 2.
 */
export function checkSubject({ config, name }: StoredModel, options: SubjectOptions): void {
  const { what, length, dtype } = options;
  const most = longestOf(config.maxSeqLen, what);
  const refuse = (subject: string, must: string, got: number | string) =>
    new CliError(EXIT.usage, `Cannot profile ${subject}: ${must}, got ${got}`);
  if (length > most) {
    throw refuse(`"${name}"`, `--length must be at most ${most} for this model`, length);
  }
  if (what === "train" && dtype !== "f32" && dtype !== "f16") {
    throw refuse("training", "--dtype must be f32 or f16", dtype);
  }
  const isChunk = length <= CHUNK ? Number.isInteger(Math.log2(length)) : length % CHUNK === 0;
  if (what === "prefill" && !(isChunk && length >= LEAST_CHUNK)) {
    const must = `--length must be a power of two from ${LEAST_CHUNK} to ${CHUNK}, or a multiple of ${CHUNK}`;
    throw refuse("prefill", must, length);
  }
}
