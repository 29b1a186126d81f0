import { nameOf } from "../compile_kernel.ts";
import type { AnyKernel } from "../tape.ts";
import { Tape } from "../tape.ts";
import type { Tensor } from "../tensor.ts";
import {
  type Choice,
  keyOf,
  type TensorMaker,
  type Tunable,
  type TuningDevice,
  type TuningQuestion,
} from "./tunable.ts";

/** The question with its types given back: problem and tunable belong together. */
export function typed({ tunable, problem }: TuningQuestion): {
  readonly tunable: Tunable<unknown>;
  readonly problem: unknown;
} {
  return { tunable: tunable as Tunable<unknown>, problem };
}

/** Records a problem with one of its candidates in force, and the defaults of everything else. */
export function recordWith(
  device: TuningDevice & { readonly maxBindingBytes?: number },
  question: TuningQuestion,
  choice: Choice,
  make: TensorMaker,
): Tape {
  const { tunable, problem } = typed(question);
  const { variant, subgroupSize, traits, maxBindingBytes = Infinity } = device;
  const choices = new Map([[keyOf(tunable, problem), choice]]);
  const tape = new Tape({ variant, subgroupSize, traits, maxBindingBytes, choices });
  tunable.record(tape, problem, make);
  return tape;
}

/**
 * A short hash of the WGSL that all candidates of a problem generate, their names and constants:
 * times that were measured with other sources say nothing. Nothing is compiled or allocated.
 */
export function sourceHash(device: TuningDevice, question: TuningQuestion): string {
  const { tunable, problem } = typed(question);
  const sources = new Map<string, string>();
  for (const choice of tunable.candidates(device, problem)) {
    const tape = recordWith(device, question, choice, makeOnPaper);
    for (const { kernel, constants } of tape.dispatches) {
      const name = nameOf(kernel, constants);
      if (!sources.has(name)) sources.set(name, codeOf(kernel, constants));
    }
  }
  return hashText([...sources].flat().join("\0"));
}

function codeOf(kernel: AnyKernel, constants: unknown): string {
  return kernel.code(constants as never);
}

/** A tensor that says it lasts, and has no memory. */
const makeOnPaper: TensorMaker = (shape, options = {}) => {
  const { dtype = "f32", purpose = "inputs", label = "sample" } = options;
  const buffer = { label } as GPUBuffer;
  return { shape, dtype, purpose, label, needsGradient: false, buffer } satisfies Tensor;
};

/** 64 bits that tell texts apart: FNV-1a with two offsets. */
export function hashText(text: string): string {
  let [low, high] = [0x811c9dc5, 0xcbf29ce4];
  for (let i = 0; i < text.length; i++) {
    const code = text.charCodeAt(i);
    low = Math.imul(low ^ code, 0x01000193);
    high = Math.imul(high ^ code ^ (low >>> 24), 0x01000193);
  }
  return [high, low].map((word) => (word >>> 0).toString(16).padStart(8, "0")).join("");
}
