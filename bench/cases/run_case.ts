import { float16Value } from "../../engine/float16.ts";
import type { Gpu } from "../../engine/gpu.ts";
import { Plan } from "../../engine/plan.ts";
import { type RecordedDispatch, Tape } from "../../engine/tape.ts";
import { rootOf, sizeOf, type Tensor } from "../../engine/tensor.ts";
import { CaseTensors, uniform } from "./case_tensors.ts";
import { type CaseResult, F32_TOLERANCE, type KernelCase } from "./kernel_case.ts";

/** Elements of a result that are checked, unless the case says otherwise. */
const NUM_SAMPLES = 48;

/** What rounding to half precision may change: half an ulp of 11 bits, and of the least half. */
const HALF_ROUNDING = { relative: 2 ** -11, absolute: 2 ** -25 } as const;

/** How far a case's results are from the float64 reference. */
export interface CaseCheck {
  readonly numChecked: number;
  /** Largest error, in units of what rounding may cause; beyond 1 is wrong. */
  readonly worst: number;
  /** What is wrong, with the element that shows it most. */
  readonly failure?: string;
}

/** What a case would take. */
export interface CaseDescription {
  /** Device memory of the case's tensors and of its plan. */
  readonly bytes: number;
  readonly dispatches: readonly RecordedDispatch[];
}

/**
 * Records a case without values, to know what it would take.
 *
 * @param paper A device that takes notes, of the limits and traits that count.
 */
export function planCase(paper: Gpu, kernelCase: KernelCase): CaseDescription {
  const before = paper.allocatedBytes;
  const make = new CaseTensors(paper, { isDry: true });
  const tape = new Tape(paper);
  try {
    const keep = keptOf(kernelCase.record(tape, make));
    const plan = new Plan(paper, tape, { keep });
    const { sharedActivationBytes } = plan.describe();
    const bytes = paper.allocatedBytes - before + sharedActivationBytes;
    return { bytes, dispatches: plan.dispatches };
  } finally {
    make.destroy();
  }
}

/** A case on a device: recorded, compiled, run once and checked; ready to be timed. */
export interface PreparedCase {
  readonly plan: Plan;
  readonly check: CaseCheck;
  /** Of compiling and of the first run, ms. */
  readonly firstMs: number;
  /** Device memory of the case's tensors and of its plan. */
  readonly bytes: number;
  readonly destroy: () => void;
}

/**
 * Records, compiles and runs a case once, and checks a sample of its results.
 *
 * @param gpu Where to run it; with `shader-f16`, if the case needs that.
 * @param kernelCase What to run.
 * @throws {RangeError} If the device cannot hold it.
 */
export async function prepareCase(gpu: Gpu, kernelCase: KernelCase): Promise<PreparedCase> {
  const before = gpu.allocatedBytes;
  const make = new CaseTensors(gpu);
  const tape = new Tape(gpu);
  let plan: Plan | undefined;
  const destroy = () => {
    plan?.destroy();
    make.destroy();
  };
  try {
    const results = kernelCase.record(tape, make);
    plan = new Plan(gpu, tape, { keep: keptOf(results) });
    await gpu.finish(); // inputs are not part of the first run
    const begin = performance.now();
    await plan.compile();
    plan.run();
    await gpu.finish();
    const firstMs = performance.now() - begin;
    const bytes = gpu.allocatedBytes - before;
    const check = await checkResults(gpu, plan, results);
    return { plan, check, firstMs, bytes, destroy };
  } catch (error) {
    destroy();
    throw error;
  }
}

/** The results that only a plan knows. */
function keptOf(results: readonly CaseResult[]): Tensor[] {
  return results
    .map(({ tensor }) => tensor)
    .filter((tensor) => rootOf(tensor).buffer === undefined);
}

/** Compares a seeded sample of every result with its reference. */
async function checkResults(
  gpu: Gpu,
  plan: Plan,
  results: readonly CaseResult[],
): Promise<CaseCheck> {
  let [numChecked, worst] = [0, 0];
  let failure: string | undefined;
  for (const result of results) {
    const indices = sampleOf(sizeOf(result.tensor.shape), result.numSamples ?? NUM_SAMPLES);
    const found = await readElements(gpu, plan, result, indices);
    indices.forEach((index, i) => {
      const { value, magnitude } = result.expected(index, found[i]!);
      const error = errorOf(result, { found: found[i]!, value, magnitude });
      numChecked += 1;
      if (!(error > worst)) return;
      worst = error;
      if (error > 1) {
        failure = `${result.name}[${index}] must be ${value}, got ${found[i]!} (${error.toPrecision(3)} times the tolerance)`;
      }
    });
  }
  return { numChecked, worst, ...(failure !== undefined && { failure }) };
}

/** Error in units of what is allowed; a NaN is infinitely wrong. */
function errorOf(
  { tensor, tolerance = F32_TOLERANCE }: CaseResult,
  { found, value, magnitude }: { found: number; value: number; magnitude: number },
): number {
  const { relative, absolute } = HALF_ROUNDING;
  const rounding = tensor.dtype === "f16" ? relative * Math.abs(value) + absolute : 0;
  const distance = Math.abs(found - value);
  if (distance === 0) return 0;
  const error = distance / (tolerance * magnitude + rounding);
  return Number.isNaN(error) ? Infinity : error;
}

/** First, last and random elements, in ascending order. */
function sampleOf(length: number, count: number): number[] {
  if (count >= length) return Array.from({ length }, (_, i) => i);
  const draw = uniform(length);
  const chosen = new Set([length - 1]);
  if (count > 1) chosen.add(0);
  while (chosen.size < count)
    chosen.add(Math.min(length - 1, Math.floor(((draw() + 1) / 2) * length)));
  return [...chosen].toSorted((a, b) => a - b);
}

/** Copies single elements to the host: results may be larger than anyone wants to read back. */
async function readElements(
  gpu: Gpu,
  plan: Plan,
  { tensor }: CaseResult,
  indices: readonly number[],
): Promise<number[]> {
  const { buffer, begin = 0 } = plan.source(tensor);
  const isHalf = tensor.dtype === "f16";
  const wordOf = (index: number) => (isHalf ? index >> 1 : index);
  const words = await gpu.readBuffers(
    indices.map((index) => ({ buffer, begin: begin + 4 * wordOf(index), bytes: 4 })),
  );
  return indices.map((index, i) => {
    const word = new DataView(words[i]!);
    if (isHalf) return float16Value(word.getUint16(2 * (index % 2), true));
    return tensor.dtype === "u32" ? word.getUint32(0, true) : word.getFloat32(0, true);
  });
}
