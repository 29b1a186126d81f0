import { Gpu } from "../../engine/gpu.ts";
import {
  type MeasuredRoofline,
  measureRoofline,
  type RooflineOptions,
} from "../../engine/profile/roofline.ts";
import { identityOf } from "../../engine/tuning/device_identity.ts";
import type { OpenedAdapter } from "../../cli/platform/dawn.ts";
import { tunedChoices } from "../../cli/run/tuning.ts";
import { formatDuration, Progress } from "../../cli/run/progress.ts";
import {
  CEILING_EFFORT,
  higher,
  limitOf,
  QUICK,
  type Scale,
  THOROUGH,
  WrongResultError,
} from "../cases/mod.ts";
import { formatNumber, formatShare } from "../report/format.ts";
import { againstLimit, type BenchRow } from "../report/row.ts";
import { generationItems } from "./generation_items.ts";
import type { BenchContext, BenchItem } from "./item.ts";
import { kernelItems } from "./kernel_items.ts";
import { titleItems } from "./title_items.ts";
import { trainItems } from "./train_items.ts";

/** What a run measures. */
export interface SuiteOptions {
  /** Sizes. @default {"full" on a GPU, "small" on a software adapter} */
  readonly scale?: Scale;
  /** A few cases of every group, and fewer rounds. @default {false} */
  readonly isQuick?: boolean;
  /** Rows whose names match. @default {all} */
  readonly only?: RegExp;
  /** Where choices of kernels come from: `"auto"`, `"off"`, or a file. @default {"auto"} */
  readonly tuning?: string;
  /** How the adapter's limits are measured. @default {less thoroughly on a software adapter} */
  readonly limits?: RooflineOptions;
}

/** What a run found. */
export interface SuiteResult {
  readonly options: {
    readonly scale: Scale;
    readonly quick: boolean;
    readonly tuning: string;
    readonly only?: string;
  };
  /** Choices of a tuner that were in force. */
  readonly numTuned: number;
  /** What the device was opened with. */
  readonly features: readonly string[];
  /** The adapter's own ceilings, as our kernels reach them. */
  readonly roofline: MeasuredRoofline;
  readonly rows: readonly BenchRow[];
  /** Rows that are missing, and why. */
  readonly failures: readonly { readonly id: string; readonly message: string }[];
}

/**
 * Measures kernels, training, prefill, decoding, titles and loading on an adapter. Every row is
 * checked first; a row that is wrong or does not fit is a failure, and the run goes on.
 *
 * @param opened A fresh adapter; its device is opened and closed here.
 * @param options What to measure.
 * @throws {RangeError} If no row is to be measured.
 */
export async function runSuite(
  opened: OpenedAdapter,
  options: SuiteOptions = {},
): Promise<SuiteResult> {
  const { isQuick = false, only, tuning = "auto", limits } = options;
  const { scale = opened.kind === "gpu" ? "full" : "small" } = options;
  const gpu = await Gpu.open(opened.adapter);
  const progress = new Progress();
  try {
    const choices = await tunedChoices(identityOf(gpu, opened.toggles), tuning);
    if (choices !== undefined) gpu.choices = choices;
    const wants = (id: string) => only === undefined || only.test(id);
    const items = (await allItems(scale, isQuick)).filter(({ ids }) => ids.some(wants));
    if (items.length === 0) {
      throw new RangeError(
        `Cannot run benchmarks: rows must match ${String(only)} at the ${scale} scale, got none`,
      );
    }
    progress.line(`${items.length} items; measuring the adapter's limits first`);
    const effort = isQuick ? QUICK : THOROUGH;
    const measure = () => measureRoofline(gpu, { ...CEILING_EFFORT[scale], ...limits });
    const first = await measure();
    const context = { gpu, scale, isQuick, effort, limitMs: limitOf(first), wants };
    const { rows: measured, failures } = await runItems(items, context, progress);
    // The machine may have been busy.
    const roofline = higher(first, await measure());
    const rows = measured.map((row) => againstLimit(row, limitOf(roofline)));
    const said = {
      scale,
      quick: isQuick,
      tuning,
      ...(only !== undefined && { only: only.source }),
    };
    return {
      options: said,
      numTuned: gpu.choices.size,
      features: [...gpu.device.features].toSorted(),
      roofline,
      rows,
      failures,
    };
  } finally {
    progress.clear();
    gpu.destroy();
  }
}

async function allItems(scale: Scale, isQuick: boolean): Promise<BenchItem[]> {
  return [
    ...kernelItems(scale, isQuick),
    ...trainItems(scale),
    ...(await generationItems(scale, isQuick)),
    ...titleItems(isQuick),
  ];
}

/** Measures items one after another; those that fail are told of, and the others go on. */
export async function runItems(
  items: readonly BenchItem[],
  context: BenchContext,
  progress: Progress,
): Promise<Pick<SuiteResult, "rows" | "failures">> {
  const rows: BenchRow[] = [];
  const failures: { readonly id: string; readonly message: string }[] = [];
  const begin = performance.now();
  for (const [index, item] of items.entries()) {
    progress.update(() => {
      const spentMs = performance.now() - begin;
      const left =
        index === 0 ? "" : ` · ${formatDuration((spentMs / index) * (items.length - index))} left`;
      return `${index + 1}/${items.length}${left} · ${item.ids[0]}`;
    });
    try {
      for (const row of await item.run(context)) {
        rows.push(row);
        progress.line(`  ${lineOf(row)}`);
      }
    } catch (error) {
      context.gpu.check(); // nothing can be measured on a lost device
      if (!(error instanceof WrongResultError || error instanceof RangeError)) throw error;
      failures.push({ id: item.ids[0]!, message: error.message });
      progress.line(`  ${error.message}`);
    }
  }
  return { rows, failures };
}

function lineOf({ id, ms, limitShare, tokensPerSecond }: BenchRow): string {
  const rate = tokensPerSecond === undefined ? "" : `, ${formatNumber(tokensPerSecond)} tokens/s`;
  const share = limitShare === undefined ? "" : `, ${formatShare(limitShare)} of the limit`;
  return `${id}: ${formatNumber(ms)} ms${rate}${share}`;
}
