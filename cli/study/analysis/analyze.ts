import type { ReportDocument, Section } from "../../report/document.ts";
import type { StudyResults } from "../results.ts";
import { Analysis, type AnalysisOptions } from "./analysis.ts";
import { calibrationSection } from "./calibration_section.ts";
import { claimsSection } from "./claims_section.ts";
import { dataSection } from "./data_section.ts";
import { differencesSection } from "./differences_section.ts";
import { forecastSection } from "./forecast_section.ts";
import { gapYearsSection } from "./gap_years_section.ts";
import { historySection } from "./history_section.ts";
import { learningSection } from "./learning_section.ts";
import { mixingSection } from "./mixing_section.ts";
import { modelsSection } from "./models_section.ts";
import { movingSection } from "./moving_section.ts";
import { resampledSection } from "./resampled_section.ts";
import { shuffledSection } from "./shuffled_section.ts";
import { subgroupsSection } from "./subgroups_section.ts";
import { titlesSection } from "./titles_section.ts";
import { transferSection } from "./transfer_section.ts";
import { truthSection } from "./truth_section.ts";

/** Parts of a report, in order. */
const SECTIONS: readonly ((analysis: Analysis) => Section | undefined)[] = [
  claimsSection,
  dataSection,
  modelsSection,
  differencesSection,
  movingSection,
  calibrationSection,
  subgroupsSection,
  shuffledSection,
  historySection,
  transferSection,
  mixingSection,
  resampledSection,
  gapYearsSection,
  titlesSection,
  forecastSection,
  learningSection,
  truthSection,
];

/**
 * Makes a report of what a study found. Sections that the study has nothing for are left out.
 *
 * Every figure comes with the standard deviation over test sets resampled by person, the same
 * draws for all models, and every difference with that of the paired difference.
 *
 * @param results All that the study found.
 * @param options Claims to judge, and the model to compare others with.
 * @returns The report as data.
 * @throws {RangeError} If answers of two models about the same people do not fit together.
 */
export function analyze(results: StudyResults, options: AnalysisOptions): ReportDocument {
  const analysis = new Analysis(results, options);
  return {
    title: results.name,
    facts: results.facts,
    sections: SECTIONS.flatMap((section) => section(analysis) ?? []),
  };
}
