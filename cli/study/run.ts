import { readFile } from "node:fs/promises";
import { dirname, join, resolve } from "node:path";
import { openAdapter } from "../platform/dawn.ts";
import { CliError, EXIT, failingAs } from "../platform/errors.ts";
import { fileError } from "../platform/files.ts";
import { locked } from "../platform/hub_lock.ts";
import { packageVersion, sourceVersion } from "../platform/version.ts";
import type { DeviceChoice } from "../run/device.ts";
import { formatDuration, type Progress } from "../run/progress.ts";
import { StudyCache } from "./cache.ts";
import { collectResults } from "./collect.ts";
import { adapterName, Executor } from "./executor.ts";
import { FAMILIES } from "./registry.ts";
import { planStudy, type StudyPlan } from "./plan.ts";
import { checkApart, loadPopulation, type Population } from "./populations.ts";
import { writeStudyReport } from "./study_report.ts";
import { readStudy, type Study, type StudyModel } from "./schema.ts";

/** What `tenure study` is asked to do. */
export interface StudyRequest {
  /** The study's file. */
  readonly file: string;
  /** Where the cache and the report go. */
  readonly output: string;
  /** Names of the models to run; all when absent. The report covers what is finished of all. */
  readonly only?: readonly string[];
  /** Runs nothing: reports what is finished. */
  readonly reportOnly?: boolean;
  readonly progress: Progress;
  readonly device: DeviceChoice;
  readonly signal: AbortSignal;
}

/** What a study came to. */
export interface StudyOutcome {
  /** Path of the report's page. */
  readonly report: string;
  readonly numSteps: number;
  /** Steps that were finished before. */
  readonly numKept: number;
  /** What went wrong, by step; the study went on with the others. */
  readonly failures: readonly string[];
}

/** A study read from its file, with its people and all its steps. */
export interface OpenedStudy {
  readonly study: Study;
  readonly models: readonly StudyModel[];
  readonly populations: readonly Population[];
  readonly studyFolder: string;
  readonly plan: StudyPlan;
}

/**
 * Reads a study and its people, and plans all of its steps.
 *
 * @throws {CliError} With exit code 3 if the file or people are not fit, naming what is wrong.
 */
export async function openStudy(file: string, progress: Progress): Promise<OpenedStudy> {
  const studyFolder = dirname(resolve(file));
  const text = await readFile(file, "utf8").catch((error: unknown) => {
    throw fileError("read", file, { error, exitCode: EXIT.data });
  });
  const { study, models } = await failingAs(EXIT.data, () => readStudy(text, file, FAMILIES));
  const populations: Population[] = [];
  for (const [name, spec] of Object.entries(study.populations)) {
    const population = await loadPopulation(name, spec, {
      seed: study.seed,
      studyFolder,
      progress,
    });
    const [train, valid, test] = [population.train, population.valid, population.test].map(
      ({ length }) => length.toLocaleString("en"),
    );
    progress.line(`${name}: ${train} people to learn from, ${valid} to choose by, ${test} to test`);
    populations.push(population);
  }
  await failingAs(EXIT.data, () => checkApart(populations));
  const plan = await planStudy({ study, models, populations, studyFolder });
  return { study, models, populations, studyFolder, plan };
}

/**
 * Runs what is missing of a study and writes its report.
 *
 * Every fit and every answer is kept under a name made of all that decides it; a study that was
 * stopped, at any moment and in any way, goes on where it was.
 *
 * @throws {CliError} With exit code 75 if it is interrupted; 3 if its file or people are not fit.
 */
export async function runStudy(request: StudyRequest): Promise<StudyOutcome> {
  const { file, output, only, reportOnly = false, progress, device, signal } = request;
  const opened = await openStudy(file, progress);
  checkOnly(only, opened.models, file);
  const cache = new StudyCache(join(output, "cache"));
  const reportFolder = join(output, "report");
  await (await import("../report/write_report.ts")).checkReportFolder(reportFolder);
  return locked(
    output,
    async () => {
      const begin = performance.now();
      const executor = new Executor({ ...opened, cache, progress, device, signal });
      const wanted = (name: string) => !reportOnly && (only?.includes(name) ?? true);
      const { numKept, failures } = await executor.run(wanted);
      const { fits, asks, extras } = opened.plan;
      const results = await collectResults(opened, cache, [
        ["Study", file],
        ["Adapter", adapterName((await openAdapter(device)).line)],
        ["Sources", `tenure ${packageVersion()}, ${sourceVersion()}`],
        ["Date", new Date().toISOString().slice(0, 10)],
        ["This run", formatDuration(performance.now() - begin)],
      ]);
      const report = await writeStudyReport(reportFolder, opened, results);
      progress.clear();
      return { report, numSteps: fits.length + asks.length + extras.length, numKept, failures };
    },
    "run the study",
  );
}

function checkOnly(
  only: readonly string[] | undefined,
  models: readonly StudyModel[],
  file: string,
): void {
  const names = models.map(({ name }) => name);
  const unknown = only?.find((name) => !names.includes(name));
  if (unknown === undefined) return;
  throw new CliError(
    EXIT.usage,
    `Cannot run "${file}": --only must name models of the study (${names.join(", ")}), got "${unknown}"`,
  );
}
