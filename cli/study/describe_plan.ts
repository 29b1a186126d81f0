import { join } from "node:path";
import { alignTable } from "../../model/occupation/text_table.ts";
import { StudyCache } from "./cache.ts";
import type { OpenedStudy } from "./run.ts";

/** A table of a study's fits: which are finished, and how many of their questions are answered. */
export async function describePlan({ plan }: OpenedStudy, output: string): Promise<string> {
  const cache = new StudyCache(join(output, "cache"));
  const rows: string[][] = [];
  let numLeft = 0;
  for (const { key, model, population, cohort, refit, base } of plan.fits) {
    const isFitted = (await cache.fit(key)) !== undefined;
    const asks = plan.asks.filter(({ fit }) => fit.key === key);
    const extras = plan.extras.filter(({ fit }) => fit.key === key);
    const done = [
      ...(await Promise.all(asks.map((ask) => cache.ask(ask.key)))),
      ...(await Promise.all(extras.map((extra) => cache.extra(extra.key)))),
    ].filter((record) => record !== undefined).length;
    const numQuestions = asks.length + extras.length;
    numLeft += (isFitted ? 0 : 1) + numQuestions - done;
    const people =
      refit === undefined
        ? ""
        : refit.kind === "mixed"
          ? ` +${Math.round(100 * refit.share)} % others`
          : ` resampled ${refit.replicate}`;
    rows.push([
      model.name,
      `${population}${people}`,
      String(cohort.train.length),
      base === undefined ? "" : base.key,
      isFitted ? "yes" : "no",
      `${done}/${numQuestions}`,
      key,
    ]);
  }
  const heading = ["model", "for", "people", "begins with", "fitted", "answers", "key"];
  return `${alignTable([heading, ...rows])}\n${numLeft} steps left of ${plan.fits.length + plan.asks.length + plan.extras.length}.`;
}
