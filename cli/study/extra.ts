import { measureForecast } from "./extras/forecast.ts";
import { measureGapYears } from "./extras/gap_years.ts";
import type { ExtraTask } from "./extras/task.ts";
import { measureValidTitles } from "./extras/valid_titles.ts";
import type { OpenedModel, OpenTask } from "./family.ts";
import type { ExtraKind, ExtraStep } from "./plan.ts";
import type { Extras } from "./results.ts";

type Measure = (
  opened: OpenedModel,
  people: ExtraStep["people"],
  task: ExtraTask,
) => Promise<Extras>;

const MEASURES: Readonly<Record<ExtraKind, Measure>> = {
  gap_years: measureGapYears,
  valid_titles: measureValidTitles,
  forecast: measureForecast,
};

/** Measures what takes more than scores. */
export async function measureExtra(
  { kind, people, settings }: ExtraStep,
  opened: OpenedModel,
  { seed, progress, signal }: OpenTask<unknown> & { readonly seed: number },
): Promise<Extras> {
  return MEASURES[kind](opened, people, { settings, seed, progress, signal });
}
