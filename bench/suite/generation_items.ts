import { Tokenizer } from "../../data/tokenizer/tokenizer.ts";
import type { WeightDType } from "../../engine/pack.ts";
import { Generator } from "../../model/generate/generator.ts";
import { loadTransformer, weightBytes } from "../../model/pretrained/load_transformer.ts";
import type { ModelConfig } from "../../model/transformer/config.ts";
import { forwardFlopsPerToken } from "../../model/transformer/flops.ts";
import type { Transformer } from "../../model/transformer/transformer.ts";
import { type Scale, SMOLLM2_135M } from "../cases/mod.ts";
import { randomModel } from "../../cli/run/random_model.ts";
import { type BenchModel, benchModels, randomPrompt } from "../generation_models.ts";
import { type BenchRow, rowOf } from "../report/row.ts";
import { timeCalls } from "./host_clock.ts";
import { WrongResultError } from "../cases/mod.ts";
import type { BenchContext, BenchItem } from "./item.ts";

const DTYPES = ["f32", "f16", "int8", "int4"] as const satisfies WeightDType[];

/** Tokens of the prompts, rows that are decoded at once, and steps of a round. */
const PROMPTS = [64, 256] as const;
const ROWS = [1, 8] as const;
const STEPS = 32;

/** Characters of a known text that greedy decoding must write. */
const KNOWN_LENGTH = 60;

/** A model in one format of weights. */
export interface Held {
  readonly model: BenchModel;
  readonly dtype: WeightDType;
}

/** Loading, prefill and decoding of models in every format of weights. */
export async function generationItems(scale: Scale, isQuick: boolean): Promise<BenchItem[]> {
  const models = await benchModels();
  const { name, config } = SMOLLM2_135M;
  if (scale === "full") models.push({ name, stored: randomModel(name, config) });
  const dtypes = isQuick ? (["f32", "int8"] as const) : DTYPES;
  return (isQuick ? models.slice(0, 1) : models).flatMap((model) =>
    dtypes.map((dtype) => generationItem({ model, dtype })),
  );
}

/** Loading, prefill and decoding of one model in one format. */
export function generationItem(held: Held): BenchItem {
  const ids = [
    idOf(held, "loading"),
    ...PROMPTS.map((length) => idOf(held, `prefill ${length} tokens`)),
    ...ROWS.map((rows) => idOf(held, `decode B${rows}`)),
  ];
  return { ids, run: (context) => measure(held, context) };
}

function idOf({ model, dtype }: Held, what: string): string {
  return `${what} ${dtype} ${model.name}`;
}

async function measure(held: Held, context: BenchContext): Promise<BenchRow[]> {
  const { gpu, wants } = context;
  const { model, dtype } = held;
  const load = () => loadTransformer(gpu, model.stored, { dtype });
  const rows: BenchRow[] = [];
  if (wants(idOf(held, "loading"))) rows.push(await measureLoading(held, context));
  const transformer = await load();
  try {
    for (const numRows of ROWS) {
      const lengths = numRows === 1 ? PROMPTS : [];
      const wanted = [idOf(held, `decode B${numRows}`)].concat(
        lengths.map((length) => idOf(held, `prefill ${length} tokens`)),
      );
      if (!wanted.some(wants)) continue;
      const { maxSeqLen } = transformer.config;
      const capacity = Math.min(maxSeqLen, Math.max(...PROMPTS) + STEPS);
      const generator = new Generator(gpu, transformer, { numRows, capacity });
      const scope = { held, transformer, generator };
      try {
        await checkText(scope);
        for (const length of lengths) rows.push(await measurePrefill(scope, length, context));
        rows.push(await measureDecode(scope, context));
      } finally {
        generator.destroy();
      }
    }
  } finally {
    transformer.destroy();
  }
  return rows.filter(({ id }) => wants(id));
}

/** A model with what generates from it. */
interface Scope {
  readonly held: Held;
  readonly transformer: Transformer;
  readonly generator: Generator;
}

async function measureLoading(held: Held, context: BenchContext): Promise<BenchRow> {
  const { gpu, effort, limitMs } = context;
  const { model, dtype } = held;
  const { config } = model.stored;
  const load = async () => {
    const transformer = await loadTransformer(gpu, model.stored, { dtype });
    await gpu.finish();
    transformer.destroy();
  };
  const timed = await timeCalls(load, effort);
  const bytes = weightBytes(config, dtype);
  const about = { id: idOf(held, "loading"), group: "loading", dtype } as const;
  const shape = `${(bytes / 1e6).toFixed(1)} MB`;
  return rowOf({ ...about, shape }, timed, { work: { flops: 0, bytes }, limitMs });
}

async function measurePrefill(
  { held, transformer, generator }: Scope,
  length: number,
  { gpu, effort, limitMs }: BenchContext,
): Promise<BenchRow> {
  const { config } = transformer;
  const prompt = randomPrompt(length, config.vocabSize);
  const read = async () => {
    await steps(generator, [prompt], 1);
  };
  const begin = performance.now();
  await read();
  const firstMs = performance.now() - begin;
  const timed = await timeCalls(read, effort);
  const work = {
    flops: length * forwardFlopsPerToken(config, length) - unreadLogits(config, length),
    bytes: weightBytes(config, held.dtype),
  };
  const about = {
    id: idOf(held, `prefill ${length} tokens`),
    group: "prefill",
    shape: `${length} tokens, and the first that follows`,
    dtype: held.dtype,
    firstMs,
    peakBytes: gpu.allocatedBytes,
  } as const;
  const row = rowOf(about, timed, { work, limitMs });
  return { ...row, tokensPerSecond: (1000 * length) / row.ms };
}

/** Operations of the logits that a prompt needs none of: all but the last token's. */
function unreadLogits({ vocabSize, dModel }: ModelConfig, length: number): number {
  return (length - 1) * 2 * vocabSize * dModel;
}

async function measureDecode(
  { held, transformer, generator }: Scope,
  { gpu, effort, limitMs }: BenchContext,
): Promise<BenchRow> {
  const { config } = transformer;
  const { numRows } = generator;
  const prompts = Array.from({ length: numRows }, () => Uint32Array.of(1));
  await steps(generator, prompts, 2);
  const timed = await timeCalls(() => steps(generator, prompts, STEPS), effort);
  const work = {
    flops: numRows * forwardFlopsPerToken(config, STEPS),
    bytes: weightBytes(config, held.dtype),
  };
  const about = {
    id: idOf(held, `decode B${numRows}`),
    group: "decode",
    shape: `a step of ${numRows} row${numRows > 1 ? "s" : ""}`,
    dtype: held.dtype,
    peakBytes: gpu.allocatedBytes,
  } as const;
  const perStep = { ...timed, rounds: timed.rounds.map((ms) => ms / STEPS) };
  const row = rowOf(about, perStep, { work, limitMs });
  return { ...row, tokensPerSecond: (1000 * numRows) / row.ms };
}

/** Greedy tokens by step. */
async function steps(
  generator: Generator,
  prompts: readonly Uint32Array[],
  maxSteps: number,
): Promise<Uint32Array[]> {
  const requests = prompts.map((prompt) => ({ prompt, settings: { temperature: 0 } }));
  const made: Uint32Array[] = [];
  for await (const { tokens } of generator.run(requests, { maxSteps, endTokens: [] })) {
    made.push(tokens);
  }
  return made;
}

/** A speed counts only if the text is right, where it is known, and all rows write the same. */
async function checkText({ held, generator }: Scope): Promise<void> {
  const { stored, text } = held.model;
  const prompts = Array.from({ length: generator.numRows }, () => Uint32Array.of(1));
  const made = await steps(generator, prompts, STEPS);
  const fail = (rule: string, got: unknown): never => {
    throw new WrongResultError(
      `Cannot trust decoding ${held.model.name} as ${held.dtype}: ${rule}, got ${String(got)}`,
    );
  };
  for (const tokens of made) {
    if (tokens.some((token) => token !== tokens[0] || token >= stored.config.vocabSize)) {
      fail("equal rows must give equal tokens of the vocabulary", tokens.join(", "));
    }
  }
  if (text === undefined || stored.tokenizer === undefined || held.dtype !== "f32") return;
  const tokenizer = Tokenizer.fromJson(stored.tokenizer);
  const written = tokenizer.decode(Uint32Array.from(made, ([token]) => token!));
  if (!written.trim().startsWith(text.slice(0, KNOWN_LENGTH))) {
    fail(`it must write "${text.slice(0, KNOWN_LENGTH)}"`, `"${written}"`);
  }
}
