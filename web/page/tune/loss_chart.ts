import { linearAxis } from "../../../bench/report/axis.ts";
import { formatNumber, formatTick } from "../../../bench/report/format.ts";
import type { TrainedStep } from "../../engine/api.ts";
import { plotArea, plotSvg, round } from "../charts/plot.ts";
import { svg } from "../dom.ts";

const HEIGHT = 260;

/** Steps that the smooth curve looks back, roughly. */
const MEMORY = 8;

/**
 * Losses without the noise of single batches: an exponential mean that knows how much it has seen.
 *
 * @param losses Of steps, in order.
 * @returns As many.
 */
export function smooth(losses: readonly number[]): number[] {
  const keep = 1 - 1 / MEMORY;
  let [sum, weight] = [0, 0];
  return losses.map((loss) => {
    sum = keep * sum + loss;
    weight = keep * weight + 1;
    return sum / weight;
  });
}

/** Least and greatest value with some air, whatever was found. */
export function lossRange(losses: readonly number[]): {
  readonly from: number;
  readonly to: number;
} {
  const finite = losses.filter(Number.isFinite);
  if (finite.length === 0) return { from: 0, to: 1 };
  const [least, most] = [Math.min(...finite), Math.max(...finite)];
  const air = Math.max((most - least) * 0.08, 0.01);
  return { from: Math.max(0, least - air), to: most + air };
}

/**
 * The loss of each step, faint, and smoothed.
 *
 * @param steps Done so far.
 * @param total Steps to do.
 * @param width In CSS pixels.
 */
export function lossChart(
  steps: readonly TrainedStep[],
  total: number,
  width: number,
): SVGSVGElement {
  const area = plotArea(width, HEIGHT);
  const losses = steps.map(({ loss }) => loss);
  const x = linearAxis({ from: 0, to: Math.max(1, total), begin: area.left, end: area.right });
  const y = linearAxis({ ...lossRange(losses), begin: area.bottom, end: area.top });
  const path = (values: readonly number[]) =>
    values
      .flatMap((value, i) =>
        Number.isFinite(value) ? [`${round(x.at(i + 1))},${round(y.at(value))}`] : [],
      )
      .join(" ");
  return plotSvg(
    {
      title: "Loss while fine-tuning",
      description: describeLosses(losses, total),
      area,
      x: {
        axis: { ...x, ticks: x.ticks.filter(Number.isInteger) },
        name: "step",
        format: formatTick,
      },
      y: { axis: y, name: "loss, nats a token", format: formatTick },
    },
    [
      svg("polyline", { class: "plot-faint", points: path(losses) }),
      svg("polyline", { class: "plot-line", points: path(smooth(losses)) }),
    ],
  );
}

/** The curve in words. */
export function describeLosses(losses: readonly number[], total: number): string {
  const [first, last] = [losses[0], smooth(losses).at(-1)];
  if (first === undefined || last === undefined) return `No step of ${total} is done yet.`;
  return `Step ${losses.length} of ${total}: the loss began at ${formatNumber(first)} and is ${formatNumber(last)}, averaged over the latest steps.`;
}
