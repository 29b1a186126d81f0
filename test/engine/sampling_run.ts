import type { Gpu } from "../../engine/gpu.ts";
import {
  advanceRows,
  type SamplerSettings,
  SamplerState,
  sampleTokens,
} from "../../engine/ops/sampling.ts";
import { Plan } from "../../engine/plan.ts";
import { Tape } from "../../engine/tape.ts";

/** How the lanes of a row agree: by shuffles, where there are subgroups; not at all; by a tree. */
export const NAMES = ["flat in subgroups", "flat alone", "tiled"] as const;
export type VariantName = (typeof NAMES)[number];

function tapeOf(gpu: Gpu, name: VariantName): Tape {
  const subgroupSize = name === "flat in subgroups" ? gpu.subgroupSize : 0;
  return new Tape({ variant: name === "tiled" ? "tiled" : "flat", subgroupSize });
}

/** A row to sample from. */
export interface Row {
  readonly logits: Float32Array;
  readonly settings?: SamplerSettings;
  readonly seen?: readonly number[];
  readonly step?: number;
}

/** Samples every row once; bits of the tokens and their log-probabilities. */
export async function sample(gpu: Gpu, name: VariantName, rows: readonly Row[]) {
  const numRows = rows.length;
  const vocabSize = rows[0]!.logits.length;
  const values = new Float32Array(numRows * vocabSize);
  const state = new SamplerState(gpu, { numRows, vocabSize, capacity: 1 });
  rows.forEach(({ logits, settings, seen = [] }, row) => {
    values.set(logits, row * vocabSize);
    if (settings !== undefined) state.configure(row, settings);
    if (seen.length > 0) state.reset(row, seen);
  });
  gpu.write(
    state.steps,
    Uint32Array.from(rows, ({ step = 0 }) => step),
  );
  const logits = gpu.tensor([numRows, vocabSize], { label: "logits", values });
  const tape = tapeOf(gpu, name);
  const { tokens, logProbabilities } = sampleTokens(tape, { logits, state });
  const plan = await new Plan(gpu, tape, { keep: [tokens, logProbabilities] }).compile();
  plan.run();
  const [ids, logs] = await plan.read(tokens, logProbabilities);
  plan.destroy();
  state.destroy();
  logits.buffer.destroy();
  return { tokens: new Uint32Array(ids!.buffer), logProbabilities: logs! };
}

/** What {@linkcode generate} runs. */
export interface Generation {
  readonly rows: readonly Row[];
  readonly numSteps: number;
  readonly endTokens?: readonly number[];
  /** Of the history; and of the cache, whose next place `places` says. */
  readonly capacity?: number;
  readonly cacheCapacity?: number;
  readonly places?: readonly number[];
  readonly slidingWindow?: number;
}

/** Replays sampling and advancing from the same logits; all rows, and the next step's inputs. */
export async function generate(gpu: Gpu, name: VariantName, options: Generation) {
  const { rows, numSteps, endTokens = [], capacity = numSteps, slidingWindow = null } = options;
  const { cacheCapacity = 2 ** 20, places: begins = rows.map(() => 0) } = options;
  const numRows = rows.length;
  const vocabSize = rows[0]!.logits.length;
  const state = new SamplerState(gpu, { numRows, vocabSize, capacity });
  state.setEndTokens(endTokens);
  rows.forEach(({ settings, seen }, row) => {
    state.configure(row, settings ?? {});
    state.reset(row, seen);
  });
  const values = Float32Array.from(rows.flatMap(({ logits }) => [...logits]));
  const logits = gpu.tensor([numRows, vocabSize], { label: "logits", values });
  const u32 = (label: string, from: Iterable<number>) =>
    gpu.tensor([numRows], { label, dtype: "u32", values: Uint32Array.from(from) });
  const inputs = {
    tokens: u32(
      "tokens",
      rows.map(() => 99),
    ),
    places: u32("places", begins),
    positions: u32("positions", begins),
    starts: u32(
      "starts",
      rows.map(() => 0),
    ),
  };
  const tape = tapeOf(gpu, name);
  const sampled = sampleTokens(tape, { logits, state });
  advanceRows(tape, { sampled, state, ...inputs, slidingWindow, capacity: cacheCapacity });
  const plan = await new Plan(gpu, tape, { keep: [sampled.tokens] }).compile();
  for (let step = 0; step < numSteps; step++) plan.run();
  const generated = await state.read();
  const next = await plan.read(sampled.tokens, ...Object.values(inputs));
  const [last, ...nexts] = next.map((words) => new Uint32Array(words.buffer));
  plan.destroy();
  const [tokens, places, positions, starts] = nexts as [Uint32Array, ...Uint32Array[]];
  return generated.map((row, i) => ({
    ...row,
    last: last![i],
    token: tokens[i],
    place: places![i],
    position: positions![i],
    start: starts![i],
  }));
}
