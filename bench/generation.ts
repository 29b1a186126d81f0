import type { OpenedAdapter } from "../cli/platform/dawn.ts";
import { Gpu } from "../engine/gpu.ts";
import type { WeightDType } from "../engine/pack.ts";
import { Tokenizer } from "../data/tokenizer/tokenizer.ts";
import type { ExperimentOptions, ExperimentResult } from "./experiments/experiment.ts";
import { GenerationClock, type SplitMs } from "./generation_clock.ts";
import { type BenchModel, benchModels, randomPrompt } from "./generation_models.ts";
import { DOPPLER_RECORDED, generationPeers, type Peer } from "./generation_peers.ts";
import { klDivergence, nextTokenDistributions, perplexity } from "./generation_quality.ts";
import { BATCH_ROWS, GenerationSpeed, PROMPT_LENGTHS, type RoundMs } from "./generation_speed.ts";
import { formatRow, generationTable, peerRow } from "./generation_table.ts";
import type { PeerRound } from "./peers/generation.ts";
import { rowsSvg } from "./report/bar_chart.ts";
import { type BenchRow, rowOf } from "./report/row.ts";
import { versionsIn } from "./result_file.ts";
import { median } from "./report/statistics.ts";

const FORMATS = ["f32", "f16", "bf16", "int8", "int4"] as const satisfies WeightDType[];
const ROUNDS = 3;
/** Tokens that the random model's distributions are compared on. */
const KL_TOKENS = 128;

/** What is known of a model in one format. */
export interface FormatResult {
  readonly weightBytes: number;
  readonly loadMs: number;
  /** To the first token, plans yet to be compiled: of a fresh process only for the first format. */
  readonly coldFirstTokenMs: number;
  readonly firstTokenMs: Readonly<Record<string, number>>;
  readonly prefillTokensPerSecond: Readonly<Record<string, number>>;
  readonly decodeTokensPerSecond: number;
  readonly batchTokensPerSecond: number;
  readonly msPerToken: SplitMs;
  /** On the text that the model knows. */
  readonly perplexity?: number;
  /** Mean KL(f32 ‖ this) of the next token, in nats, where the model knows no text. */
  readonly klToF32?: number;
  readonly rounds: readonly RoundMs[];
}

/** Medians of a peer's rounds. */
export interface PeerResult {
  readonly loadMs: number;
  readonly prefillTokensPerSecond?: Readonly<Record<string, number>>;
  readonly decodeTokensPerSecond: number;
  readonly rounds: readonly PeerRound[];
}

/**
 * Measures generation: speed in every format of weights, what each costs in perplexity, and peers.
 * Rounds alternate between formats and peers.
 */
export async function generationExperiment(
  opened: OpenedAdapter,
  { peers: withPeers, subtitle }: ExperimentOptions,
): Promise<ExperimentResult> {
  const gpu = await Gpu.open(opened.adapter);
  const clock = new GenerationClock(gpu);
  const models = await benchModels();
  const peers = withPeers ? await generationPeers(models) : [];
  const results: Record<string, object> = {};
  const title = "Generation in every format of weights";
  const sections: string[] = [`# ${title}\n\n${subtitle}\n`];
  const bars: BenchRow[] = [];
  for (const model of models) {
    const { formats, peerResults } = await benchModel(gpu, model, { clock, peers });
    results[model.name] = { config: model.stored.config, formats, peers: peerResults };
    const rows = Object.entries(formats).map(([name, result]) => formatRow(name, result));
    for (const [name, result] of Object.entries(peerResults)) rows.push(peerRow(name, result));
    sections.push(
      `## ${model.name}\n`,
      generationTable(rows),
      ...ratios(model, formats, peerResults),
    );
    for (const [dtype, { rounds }] of Object.entries(formats)) {
      const id = `decode ${dtype} ${model.name}`;
      const times = { rounds: rounds.map(({ decode }) => decode), clock: "wall" } as const;
      bars.push(rowOf({ id, group: "decode", shape: "a step of 1 row", dtype }, times));
    }
  }
  gpu.destroy();
  const versions = withPeers ? { peers: versionsIn("bench/peers/package.json") } : {};
  return {
    body: { ...versions, dopplerRecorded: DOPPLER_RECORDED, models: results },
    markdown: sections.join("\n"),
    images: { svg: rowsSvg(bars, { title, subtitle }) },
  };
}

async function benchModel(
  gpu: Gpu,
  model: BenchModel,
  { clock, peers }: { readonly clock: GenerationClock; readonly peers: readonly Peer[] },
) {
  const speeds = new Map<WeightDType, GenerationSpeed>();
  for (const dtype of FORMATS) speeds.set(dtype, await GenerationSpeed.load(gpu, model, dtype));
  const rounds = new Map<WeightDType, RoundMs[]>(FORMATS.map((dtype) => [dtype, []]));
  const peerRounds = new Map<string, PeerRound[]>();
  for (let round = 1; round <= ROUNDS; round++) {
    for (const [dtype, speed] of speeds) rounds.get(dtype)!.push(await speed.round(clock));
    for (const { name, round: take } of peers) {
      const taken = take(model);
      if (taken !== undefined) peerRounds.set(name, [...(peerRounds.get(name) ?? []), taken]);
    }
    print(`  ${model.name}: round ${round}/${ROUNDS}`);
  }
  const quality = await qualityOf(gpu, model, speeds);
  const formats: Record<string, FormatResult> = {};
  for (const [dtype, speed] of speeds) {
    formats[dtype] = { ...summary(speed, rounds.get(dtype)!), ...quality.get(dtype)! };
  }
  const peerResults = Object.fromEntries(
    Array.from(peerRounds, ([name, taken]) => [name, peerSummary(taken)]),
  );
  return { formats, peerResults };
}

/** Perplexity on the model's text, or the distance from f32. */
async function qualityOf(
  gpu: Gpu,
  { stored, text }: BenchModel,
  speeds: ReadonlyMap<WeightDType, GenerationSpeed>,
) {
  const tokens =
    text === undefined || stored.tokenizer === undefined
      ? randomPrompt(KL_TOKENS, stored.config.vocabSize)
      : Tokenizer.fromJson(stored.tokenizer).encode(text, { addSpecialTokens: true });
  const quality = new Map<WeightDType, Pick<FormatResult, "perplexity" | "klToF32">>();
  let exact: Float64Array[] | undefined;
  for (const [dtype, { transformer }] of speeds) {
    const distributions = await nextTokenDistributions(gpu, transformer, tokens);
    exact ??= distributions;
    quality.set(
      dtype,
      text === undefined
        ? { klToF32: klDivergence(exact, distributions) }
        : { perplexity: perplexity(distributions, tokens) },
    );
  }
  return quality;
}

function summary(speed: GenerationSpeed, rounds: readonly RoundMs[]) {
  const of = (value: (round: RoundMs) => number) => median(rounds.map(value));
  const firstTokenMs = byLength((i) => of((round) => round.firstToken[i]!));
  return {
    weightBytes: speed.bytes,
    loadMs: speed.loadMs,
    coldFirstTokenMs: speed.coldMs,
    firstTokenMs,
    prefillTokensPerSecond: byLength((_, length) => (1000 * length) / firstTokenMs[`${length}`]!),
    decodeTokensPerSecond: 1000 / of(({ decode }) => decode),
    batchTokensPerSecond: (1000 * BATCH_ROWS) / of(({ batch }) => batch),
    msPerToken: {
      submit: of(({ split }) => split.submit),
      wait: of(({ split }) => split.wait),
      host: of(({ split }) => split.host),
    },
    rounds,
  };
}

function peerSummary(rounds: readonly PeerRound[]): PeerResult {
  const of = (value: (round: PeerRound) => number) => median(rounds.map(value));
  const hasPrompts = rounds[0]?.firstTokenMs !== undefined;
  return {
    loadMs: of(({ loadMs }) => loadMs),
    ...(hasPrompts && {
      prefillTokensPerSecond: byLength(
        (i, length) => (1000 * length) / of(({ firstTokenMs }) => firstTokenMs![i]!),
      ),
    }),
    decodeTokensPerSecond: 1000 / of(({ decodeMs }) => decodeMs),
    rounds,
  };
}

function byLength(value: (index: number, length: number) => number): Record<string, number> {
  return Object.fromEntries(PROMPT_LENGTHS.map((length, i) => [`${length}`, value(i, length)]));
}

/** How many times faster decoding is than doppler's, measured now or recorded. */
function ratios(
  { text }: BenchModel,
  formats: Readonly<Record<string, FormatResult>>,
  peers: Readonly<Record<string, PeerResult>>,
): string[] {
  if (text === undefined) return [];
  const own = formats["f32"]!.decodeTokensPerSecond;
  const measured = Object.entries(peers).find(([name]) => name.startsWith("doppler"));
  const rate = measured?.[1].decodeTokensPerSecond;
  const { tokensPerSecond, note } = DOPPLER_RECORDED;
  const ratio = (own / tokensPerSecond).toFixed(1);
  return [
    ...(rate === undefined ? [] : [`- decode f32: ${(own / rate).toFixed(1)} times doppler's`]),
    `- decode f32: ${ratio} times doppler's ${tokensPerSecond} tokens/s (${note})\n`,
  ];
}

function print(text: string): void {
  process.stderr.write(`${text}\n`);
}
