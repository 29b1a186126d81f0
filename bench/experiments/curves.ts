import type { OpenedAdapter } from "../../cli/platform/dawn.ts";
import { Gpu } from "../../engine/gpu.ts";
import { DEFAULT_CONFIG, type ModelConfig } from "../../model/transformer/config.ts";
import { countWeights } from "../../model/transformer/weight_shapes.ts";
import { formatBytes, formatNumber } from "../report/format.ts";
import { linesSvg } from "../report/line_chart.ts";
import { table } from "../report/markdown.ts";
import { type Fit, fitLine, fitPower, medianBand } from "../report/statistics.ts";
import { timeCalls } from "../suite/host_clock.ts";
import type { ExperimentOptions, ExperimentResult } from "./experiment.ts";
import { trainingSteps } from "./overhead.ts";

/** A training step at one size. */
interface CurvePoint {
  readonly numTokens: number;
  readonly numWeights: number;
  readonly ms: number;
  readonly lowMs: number;
  readonly highMs: number;
  /** Device memory of model, optimizer and plans. */
  readonly peakBytes: number;
}

const TOKENS = [128, 256, 512, 1024, 2048];

/** Widths and blocks of 0.3M to 30M weights. */
const WEIGHTS = [
  { dModel: 64, numBlocks: 5 },
  { dModel: 96, numBlocks: 6 },
  { dModel: 128, numBlocks: 8 },
  { dModel: 192, numBlocks: 8 },
  { dModel: 256, numBlocks: 12 },
  { dModel: 480, numBlocks: 10 },
];

/** Points of the steep end. */
const TAIL = 3;

const EFFORT = { rounds: 7, maxMs: 20_000 } as const;
const QUICK_EFFORT = { rounds: 3, maxMs: 3000 } as const;

/** How the time and the memory of a training step grow with tokens and with weights. */
export async function curvesExperiment(
  { adapter }: OpenedAdapter,
  { quick, subtitle }: ExperimentOptions,
): Promise<ExperimentResult> {
  const gpu = await Gpu.open(adapter);
  const effort = quick ? QUICK_EFFORT : EFFORT;
  try {
    const tokens: CurvePoint[] = [];
    for (const numTokens of quick ? TOKENS.slice(0, 4) : TOKENS) {
      tokens.push(await measurePoint(gpu, { config: configOf({}), numTokens }, effort));
    }
    const weights: CurvePoint[] = [];
    for (const size of quick ? WEIGHTS.slice(0, 4) : WEIGHTS) {
      weights.push(await measurePoint(gpu, { config: configOf(size), numTokens: 64 }, effort));
    }
    return report({ tokens, weights }, subtitle);
  } finally {
    gpu.destroy();
  }
}

/** A small Llama with heads of 32, whatever its width. */
function configOf({ dModel = 64, numBlocks = 2 }: Partial<ModelConfig>): ModelConfig {
  const numHeads = dModel / 32;
  return {
    ...DEFAULT_CONFIG,
    vocabSize: 512,
    dModel,
    dHidden: 4 * dModel,
    numBlocks,
    numHeads,
    numKvHeads: numHeads,
    headDim: 32,
    maxSeqLen: TOKENS.at(-1)!,
    mlp: "silu",
  };
}

async function measurePoint(
  gpu: Gpu,
  { config, numTokens }: { readonly config: ModelConfig; readonly numTokens: number },
  effort: { readonly rounds: number; readonly maxMs: number },
): Promise<CurvePoint> {
  const before = gpu.allocatedBytes;
  const sizes = { numRows: 1, seqLen: numTokens };
  const { take, destroy } = await trainingSteps(gpu, { name: "", config }, sizes);
  await take();
  const {
    middle: ms,
    low: lowMs,
    high: highMs,
  } = medianBand((await timeCalls(take, effort)).rounds);
  const peakBytes = gpu.allocatedBytes - before;
  destroy();
  return { numTokens, numWeights: countWeights(config), ms, lowMs, highMs, peakBytes };
}

/** Fits of the curves. */
export interface CurveFits {
  readonly timeByTokens: Fit;
  readonly timeByTokensTail: Fit;
  readonly timeByWeights: Fit;
  readonly timeByWeightsTail: Fit;
  /** Linear, in bytes a token. */
  readonly memoryByTokens: Fit;
}

/** Exponents of time, and the line of memory. */
export function fitCurves(
  tokens: readonly Pick<CurvePoint, "numTokens" | "ms" | "peakBytes">[],
  weights: readonly Pick<CurvePoint, "numWeights" | "ms">[],
): CurveFits {
  const byTokens = tokens.map(({ numTokens, ms }) => [numTokens, ms] as const);
  const byWeights = weights.map(({ numWeights, ms }) => [numWeights, ms] as const);
  return {
    timeByTokens: fitPower(byTokens),
    timeByTokensTail: fitPower(byTokens.slice(-TAIL)),
    timeByWeights: fitPower(byWeights),
    timeByWeightsTail: fitPower(byWeights.slice(-TAIL)),
    memoryByTokens: fitLine(
      tokens.map(({ numTokens, peakBytes }) => [numTokens, peakBytes] as const),
    ),
  };
}

function report(
  { tokens, weights }: Readonly<Record<"tokens" | "weights", readonly CurvePoint[]>>,
  subtitle: string,
): ExperimentResult {
  const fits = fitCurves(tokens, weights);
  const exponent = ({ slope, slopeError }: Fit) => `${slope.toFixed(2)} ± ${slopeError.toFixed(2)}`;
  const { slope, r2 } = fits.memoryByTokens;
  const said = [
    `Time against tokens: exponent ${exponent(fits.timeByTokens)}; of the last ${TAIL} points ${exponent(fits.timeByTokensTail)}.`,
    `Time against weights: exponent ${exponent(fits.timeByWeights)}; of the last ${TAIL} points ${exponent(fits.timeByWeightsTail)}.`,
    `Memory against tokens: ${formatBytes(slope)} a token, R² ${r2.toFixed(6)} of a line.`,
  ];
  const cells = [...tokens, ...weights].map((point) => [
    `${point.numTokens}`,
    `${formatNumber(point.numWeights / 1e6)}M`,
    formatNumber(point.ms),
    `${formatNumber(point.lowMs)}–${formatNumber(point.highMs)}`,
    formatBytes(point.peakBytes),
  ]);
  const head = ["tokens", "weights", "ms", "band", "memory"];
  const millions = (value: number) => formatNumber(value / 1e6);
  const title = "How a training step grows";
  const log = { subtitle, scale: "log", y: { name: "ms a step", format: formatNumber } } as const;
  const power =
    ({ slope: by, intercept }: Fit) =>
    (x: number) =>
      Math.exp(intercept + by * Math.log(x));
  return {
    body: { tokens, weights, fits },
    markdown: `# ${title}\n\n${subtitle}\n\n${said.map((line) => `- ${line}\n`).join("")}\n${table(head, cells)}`,
    images: {
      "tokens.svg": linesSvg({
        ...log,
        title: `Time of a training step against tokens: exponent ${exponent(fits.timeByTokens)}`,
        x: { name: "tokens of the row", format: formatNumber },
        series: [
          {
            name: "one row, width 64",
            points: tokens.map(({ numTokens, ms }) => [numTokens, ms]),
            fit: power(fits.timeByTokens),
          },
        ],
      }),
      "weights.svg": linesSvg({
        ...log,
        title: `Time of a training step against weights: exponent ${exponent(fits.timeByWeights)}`,
        x: { name: "millions of weights", format: millions, unit: 1e6 },
        series: [
          {
            name: "one row of 64 tokens",
            points: weights.map(({ numWeights, ms }) => [numWeights, ms]),
            fit: power(fits.timeByWeights),
          },
        ],
      }),
      "memory.svg": linesSvg({
        title: `Memory of a training step against tokens: R² ${r2.toFixed(5)} of a line`,
        subtitle,
        scale: "linear",
        x: { name: "tokens of the row", format: formatNumber },
        y: { name: "MB", format: millions, unit: 1e6 },
        series: [
          {
            name: "one row, width 64",
            points: tokens.map(({ numTokens, peakBytes }) => [numTokens, peakBytes]),
            fit: (x) => fits.memoryByTokens.intercept + slope * x,
          },
        ],
      }),
    },
  };
}
