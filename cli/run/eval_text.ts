import { perplexityTable } from "../../model/occupation/table.ts";
import { formatFigure } from "../../model/occupation/text_table.ts";
import type { EvalResult } from "./evaluate.ts";
import { formatDuration } from "./progress.ts";

/** The table of an evaluation and what to know about it. */
export function formatEvaluation({ report, evaluations, file }: EvalResult): string {
  const { checkpoint, numPeople, split, tolerance, unexplored, differences, truth, seconds } =
    report;
  const lines = differences.map(
    ({ to, difference, standardError }) =>
      `Language model minus ${to}: ${signed(difference)} (s.e. ${formatFigure(standardError)})`,
  );
  const pruning =
    tolerance === 0
      ? "every title explored"
      : `at most ${unexplored.largest.toExponential(1)} of probability unexplored at an observation, ${unexplored.mean.toExponential(1)} on average`;
  return [
    perplexityTable(evaluations),
    ...(truth === undefined
      ? []
      : [
          `True entropy: ${truth.entropy.toFixed(3)} nats an observation, a perplexity of ${formatFigure(truth.perplexity)} that no model can expect to beat.`,
        ]),
    "",
    ...lines,
    `${checkpoint}: ${numPeople} ${split} people in ${formatDuration(1000 * seconds)}; ${pruning}.`,
    file === undefined ? "The checkpoint lies in no run: no report written." : `Report: ${file}`,
  ].join("\n");
}

function signed(value: number): string {
  return `${value < 0 ? "−" : "+"}${formatFigure(Math.abs(value))}`;
}
