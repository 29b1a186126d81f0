import { standardError, type BootstrapOptions } from "./bootstrap.ts";
import { countOf, KINDS, perplexity, type Evaluation } from "./metrics.ts";
import { alignTable, formatFigure } from "./text_table.ts";

/**
 * A Markdown table of perplexities, a row for each model, readable as plain text: all
 * observations with their bootstrap standard error, then first, staying and moving, all
 * normalized, then all observations as the paper scores them. The last row counts the
 * observations.
 *
 * @param evaluations Models measured on the same people; the first gives the counts.
 * @param options Replications and seed of the bootstrap.
 * @returns The table, without a line break at its end.
 * @throws {RangeError} If there is nothing to show.
 */
export function perplexityTable(
  evaluations: readonly Evaluation[],
  options: Pick<BootstrapOptions, "replications" | "seed"> = {},
): string {
  const [reference] = evaluations;
  if (!reference) {
    throw new RangeError("Cannot format perplexities: there must be at least one model, got 0");
  }
  const rows = evaluations.map((evaluation) => [
    evaluation.name,
    `${formatFigure(perplexity(evaluation))} (${formatFigure(standardError(evaluation, options))})`,
    ...KINDS.map((kind) => formatFigure(perplexity(evaluation, { kind }))),
    formatFigure(perplexity(evaluation, { variant: "raw" })),
  ]);
  return alignTable([
    ["perplexity", "all (s.e.)", ...KINDS, "all, unnormalized"],
    ...rows,
    [
      "observations",
      String(countOf(reference)),
      ...KINDS.map((kind) => String(countOf(reference, kind))),
      String(countOf(reference)),
    ],
  ]);
}
