import { type Career, OCCUPATIONS, Random } from "../../../data/mod.ts";
import { bridgeGaps, findGaps, gapCorrelation } from "../../../model/forecast/gap_years.ts";
import type { OpenedModel } from "../family.ts";
import type { Extras } from "../results.ts";
import type { ExtraTask } from "./task.ts";

/** Gaps that are bridged at most, unless the study says. */
const MOST_GAPS = 200;
/** What models that are dear to ask may leave out of the year between, unless the study says. */
const TOLERANCE = 0.05;

/**
 * Asks what follows a year without an observation, at once and through that year.
 *
 * @param opened Which model.
 * @param people Of whom; of their gaps of a year some are drawn, if there are many.
 * @param task `settings.gaps`: how many at most, 200 by default; `settings.tolerance`: probability
 *   of the year between that may be left out, by default 0.05 of models that compute on a
 *   device and 0 of others.
 */
export async function measureGapYears(
  { model, person }: OpenedModel,
  people: readonly Career[],
  { settings, seed, progress, signal }: ExtraTask,
): Promise<Pick<Extras, "gapYears">> {
  // A model that answers many questions at once is one that is dear to ask.
  const isDear = model.distributions !== undefined;
  const { gaps: most = MOST_GAPS, tolerance = isDear ? TOLERANCE : 0 } = settings;
  const found = Random.from(seed, "gap years").shuffle(findGaps(people));
  const gaps = found.slice(0, most);
  const codes = OCCUPATIONS.map(({ code }) => code);
  const bridged = await bridgeGaps({ model, toPerson: person, codes }, gaps, {
    tolerance,
    signal,
    onGap: (numDone) => progress.update(() => `gap years: ${numDone}/${gaps.length}`),
  });
  const gapYears = bridged.map((gap, i) => ({ ...gap, person: gaps[i]!.career.id }));
  const correlation = gapCorrelation(gapYears).toFixed(3);
  progress.line(
    `  gap years: ${gaps.length} of ${found.length} gaps, correlation of direct and two-step ${correlation}`,
  );
  return { gapYears };
}
