import { type Career, OCCUPATIONS, Random, STATUSES } from "../../../data/mod.ts";
import { judgePaths } from "../../../model/forecast/judge_paths.ts";
import { forecastable, samplePaths } from "../../../model/forecast/sample_paths.ts";
import type { OpenedModel } from "../family.ts";
import type { Extras } from "../results.ts";
import type { ExtraTask } from "./task.ts";

/** Paths of each person, as in the paper, unless the study says. */
const PATHS = 1000;

/**
 * Samples careers from a cutoff on and compares them with what came to be.
 *
 * Nothing of the years to come is told but which they are: education stays as last told, since it
 * would give away who went to school.
 *
 * @param opened Which model.
 * @param people Those observed both up to the cutoff and after it count.
 * @param task `settings.cutoff`: the last year told; `settings.paths`: paths of each person, 1,000
 *   by default.
 * @throws {RangeError} If nobody is observed both before and after the cutoff.
 */
export async function measureForecast(
  { model, person }: OpenedModel,
  people: readonly Career[],
  { settings, seed, progress, signal }: ExtraTask,
): Promise<Pick<Extras, "forecast">> {
  const { cutoff = NaN, paths = PATHS } = settings;
  const total = forecastable(people, cutoff).length;
  if (total === 0) {
    throw new RangeError(
      `Cannot forecast from ${cutoff} on: somebody must be observed both up to that year and after it, got nobody of ${people.length}; set another cutoff`,
    );
  }
  const codes = OCCUPATIONS.map(({ code }) => code);
  const sampled = [];
  const sampling = samplePaths({ model, toPerson: person, codes }, people, {
    cutoff,
    numPaths: paths,
    randomOf: (id, path) => Random.from(seed, "forecast", id, path),
    signal,
    onProgress: (numDone) => progress.update(() => `forecast: ${numDone}/${total} people`),
  });
  for await (const one of sampling) sampled.push(one);
  return { forecast: judgePaths(sampled, { codes, statuses: STATUSES }) };
}
