import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { SMALL_GPT, SMALL_GPT_LOSSES, smallGptBatch, smallGptWeights } from "../small_gpt.ts";
import { type AttentionArrays, attentionInFloat64 } from "./attention_reference.ts";
import { ATTENTION, type TaskName } from "./tasks.ts";

// Inputs are `<name>.f32` (or .u32), results in float64 `<name>.f64`, all little-endian and row-major,
// so that programs in any language start from the same bits and are checked against the same values.

/** Arrays of a task by name. */
export type Arrays = Readonly<Record<string, Float32Array<ArrayBuffer>>>;

/** Names of a task's arrays. */
const INPUTS = { matmul: ["a", "b"], attention: ["q", "k", "v", "dy"] } as const;

/** Side of a product's square matrices; undefined of other tasks. */
export function matmulSize(task: TaskName): number | undefined {
  return task === "matmul512" ? 512 : task === "matmul1024" ? 1024 : undefined;
}

/** Writes inputs of a task and what must come out. */
export function writeWork(folder: string, task: TaskName): void {
  mkdirSync(folder, { recursive: true });
  const size = matmulSize(task);
  if (size !== undefined) writeMatmul(folder, size);
  else if (task === "training") writeTraining(folder);
  else writeAttention(folder);
}

/** Inputs of a product or of attention, as {@linkcode writeWork} left them. */
export function readInputs(folder: string, task: TaskName): Arrays {
  const names = matmulSize(task) === undefined ? INPUTS.attention : INPUTS.matmul;
  return Object.fromEntries(
    names.map((name) => [name, new Float32Array(readBytes(join(folder, `${name}.f32`)))]),
  );
}

/**
 * Distance of results from what must come out, as a share of the largest expected value.
 *
 * @param folder Where {@linkcode writeWork} left it.
 * @param results By name; the order of elements is that of the inputs.
 * @returns The largest of all; Infinity where something is not a number, or missing.
 */
export function errorOf(folder: string, results: Readonly<Record<string, ArrayLike<number>>>) {
  const errors = Object.entries(results).map(([name, values]) => {
    const expected = new Float64Array(readBytes(join(folder, `${name}.f64`)));
    if (values.length !== expected.length) return Infinity;
    let [distance, largest] = [0, 0];
    expected.forEach((value, i) => {
      const off = Math.abs(value - values[i]!);
      if (!(off <= distance)) distance = Number.isNaN(off) ? Infinity : off;
      largest = Math.max(largest, Math.abs(value));
    });
    return distance / largest;
  });
  return Math.max(...errors);
}

function readBytes(file: string): ArrayBuffer {
  const { buffer, byteOffset, byteLength } = readFileSync(file);
  return buffer.slice(byteOffset, byteOffset + byteLength);
}

function write(folder: string, arrays: Readonly<Record<string, ArrayBufferView>>): void {
  for (const [name, { buffer, byteOffset, byteLength }] of Object.entries(arrays)) {
    writeFileSync(join(folder, name), new Uint8Array(buffer, byteOffset, byteLength));
  }
}

/** Values in [-1, 1), the same on every machine. */
function drawn(length: number, seed: number): Float32Array<ArrayBuffer> {
  let state = Math.imul(seed, 0x9e3779b1) >>> 0;
  return Float32Array.from({ length }, () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return (state >>> 8) / 2 ** 23 - 1;
  });
}

function writeMatmul(folder: string, size: number): void {
  const [a, b] = [drawn(size * size, 1), drawn(size * size, 2)];
  const c = new Float64Array(size * size);
  for (let i = 0; i < size; i++) {
    const row = c.subarray(i * size, (i + 1) * size);
    for (let k = 0; k < size; k++) {
      const factor = a[i * size + k]!;
      const begin = k * size;
      for (let j = 0; j < size; j++) row[j]! += factor * b[begin + j]!;
    }
  }
  write(folder, { "a.f32": a, "b.f32": b, "c.f64": c });
}

function writeAttention(folder: string): void {
  const length = ATTENTION.numHeads * ATTENTION.seqLen * ATTENTION.headDim;
  const arrays = Object.fromEntries(
    INPUTS.attention.map((name, i) => {
      const values = drawn(length, 11 + i);
      // Larger queries make some keys count far more than others.
      return [name, name === "q" ? values.map((value) => 4 * value) : values];
    }),
  ) as Record<keyof AttentionArrays, Float32Array>;
  const { y, dq, dk, dv } = attentionInFloat64(arrays);
  for (const name of INPUTS.attention) write(folder, { [`${name}.f32`]: arrays[name] });
  write(folder, { "y.f64": y, "dq.f64": dq, "dk.f64": dk, "dv.f64": dv });
}

/** For programs that cannot import the small GPT: its weights, its batch and its losses. */
function writeTraining(folder: string): void {
  const weights = smallGptWeights();
  for (const [name, values] of weights) write(folder, { [`${name}.f32`]: values });
  const { tokens, targets } = smallGptBatch();
  write(folder, { "tokens.u32": tokens, "targets.u32": targets });
  const losses = Float64Array.from(SMALL_GPT_LOSSES);
  write(folder, { "losses.f64": losses });
  const names = [...weights.keys()];
  writeFileSync(join(folder, "config.json"), JSON.stringify({ ...SMALL_GPT, names }));
}
