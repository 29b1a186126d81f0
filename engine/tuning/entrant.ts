import type { Gpu } from "../gpu.ts";
import { Plan } from "../plan.ts";
import type { RecordedDispatch } from "../tape.ts";
import { bytesOf, type DType, rootOf, type Tensor } from "../tensor.ts";
import { fromFloat16 } from "../float16.ts";
import type { SampleTensors } from "./sample_tensors.ts";
import { recordWith } from "./source_hash.ts";
import type { Choice, TuningQuestion } from "./tunable.ts";

/** Bytes of a result that are compared, from its beginning and from its end. */
const COMPARED_BYTES = 2 ** 22;

/**
 * Largest difference from the default's result, as a share of its largest magnitude. Candidates
 * add in other orders: f32 sums of 10⁵ terms differ by about 10⁻⁵ of the largest, and halves are
 * rounded to 5·10⁻⁴, perhaps in the midst of a kernel, too.
 */
const TOLERANCE: Readonly<Partial<Record<DType, number>>> = { f32: 2e-4, f16: 1e-2 };

/** What a candidate computed, as far as it is compared. */
export interface Result {
  /** Label, shape and element type: results of the same name are compared. */
  readonly name: string;
  readonly dtype: DType;
  readonly values: readonly Float32Array[];
}

/** One way to compute a problem, on tensors that it shares with the others. */
export class Entrant {
  readonly choice: Choice;
  /** Whether its results were found to be right. */
  isChecked = false;
  readonly #gpu: Gpu;
  readonly #question: TuningQuestion;
  readonly #samples: SampleTensors;

  constructor(
    gpu: Gpu,
    question: TuningQuestion,
    { choice, samples }: { readonly choice: Choice; readonly samples: SampleTensors },
  ) {
    this.choice = choice;
    this.#gpu = gpu;
    this.#question = question;
    this.#samples = samples;
  }

  /**
   * Does something with the compiled plan, and frees it.
   *
   * @throws {Error} If it does not compile or run, or the device has no memory for it.
   */
  async withPlan<T>(work: (plan: Plan, outputs: readonly Tensor[]) => Promise<T>): Promise<T> {
    const gpu = this.#gpu;
    const tape = recordWith(gpu, this.#question, this.choice, this.#samples.begin());
    const outputs = outputsOf(tape.dispatches);
    const keep = outputs.filter(({ buffer }) => buffer === undefined);
    const plan = new Plan(gpu, tape, { keep });
    const { sharedActivationBytes } = plan.describe();
    gpu.checkFits(sharedActivationBytes, "a candidate's activations");
    // What a candidate does wrong is its own fault, not the device's.
    const { value: outcome, errors } = await gpu.catchErrors(() =>
      plan
        .compile()
        .then(() => work(plan, outputs))
        .then(
          (value) => ({ value }),
          (error: unknown) => ({ error }),
        ),
    );
    plan.destroy();
    gpu.check();
    const [refusal] = errors;
    if (refusal !== undefined) throw new Error(refusal);
    if ("error" in outcome) throw outcome.error;
    return outcome.value;
  }

  /** Runs once on the samples' first values, and reads what comes out. */
  async results(): Promise<Result[]> {
    return this.withPlan(async (plan, outputs) => {
      this.#samples.reset(outputs);
      plan.run();
      const parts = outputs.map((tensor) => partsOf(plan, tensor));
      const copies = await this.#gpu.readBuffers(parts.flat());
      let next = 0;
      return outputs.map((tensor, index) => ({
        name: `${tensor.label} [${tensor.shape.join(", ")}] ${tensor.dtype}`,
        dtype: tensor.dtype,
        values: parts[index]!.map(() => decode(copies[next++]!, tensor.dtype)),
      }));
    });
  }
}

/** What is written and not merely passed on to a later dispatch; by the order of first writing. */
function outputsOf(dispatches: readonly RecordedDispatch[]): Tensor[] {
  const written = new Set<Tensor>();
  const read = new Set<Tensor>();
  for (const { kernel, buffers } of dispatches) {
    for (const [name, access] of Object.entries(kernel.buffers)) {
      const root = rootOf(buffers[name]!);
      if (access === "read") read.add(root);
      else written.add(root);
    }
  }
  return [...written].filter((tensor) => tensor.buffer !== undefined || !read.has(tensor));
}

/** A result as a whole, or the beginning and the end of a large one. */
function partsOf(plan: Plan, tensor: Tensor) {
  const whole = plan.source(tensor);
  const bytes = bytesOf(tensor);
  if (bytes <= 2 * COMPARED_BYTES) return [whole];
  const { buffer, begin: first = 0 } = whole;
  const last = first + bytes - COMPARED_BYTES;
  return [first, last].map((begin) => ({ buffer, begin, bytes: COMPARED_BYTES }));
}

function decode(copy: ArrayBuffer, dtype: DType): Float32Array {
  if (dtype === "f16") return fromFloat16(new Uint16Array(copy));
  if (dtype === "f32") return new Float32Array(copy);
  return Float32Array.from(new Uint32Array(copy)); // compared as they are
}

/**
 * How results differ from those of the default, in words.
 *
 * @returns Undefined if they agree within rounding.
 */
export function differenceOf(
  results: readonly Result[],
  expected: readonly Result[],
): string | undefined {
  const byName = new Map(results.map((result) => [result.name, result]));
  for (const { name, dtype, values } of expected) {
    const found = byName.get(name);
    if (found === undefined)
      return `results differ: it must write "${name}", got only ${[...byName.keys()].join()}`;
    const scale = Math.max(...values.map(largestOf));
    const limit = (TOLERANCE[dtype] ?? 0) * scale;
    const worst = Math.max(...values.map((part, i) => farthest(found.values[i]!, part)));
    if (!(worst <= limit)) {
      return `results differ: "${name}" must lie within ${limit.toExponential(1)} of the default's, got ${worst.toExponential(1)} off`;
    }
  }
  return undefined;
}

/** Largest magnitude of the finite ones. */
function largestOf(values: Float32Array): number {
  return values.reduce((most, value) => {
    const size = Math.abs(value);
    return size > most && size < Infinity ? size : most;
  }, 0);
}

/** Largest difference; Infinity where one is a number and the other is not. */
function farthest(values: Float32Array, expected: Float32Array): number {
  let worst = 0;
  for (let i = 0; i < expected.length; i++) {
    const [value, other] = [values[i]!, expected[i]!];
    const isSame = Object.is(value, other) || value === other;
    const distance = isSame ? 0 : Math.abs(value - other);
    worst = Math.max(worst, Number.isNaN(distance) ? Infinity : distance);
  }
  return worst;
}
