import { collectPredictions } from "../../model/evaluation/predictions.ts";
import { openAdapter } from "../platform/dawn.ts";
import { CliError, EXIT } from "../platform/errors.ts";
import { sourceVersion } from "../platform/version.ts";
import type { DeviceChoice } from "../run/device.ts";
import { formatDuration, type Progress } from "../run/progress.ts";
import type { StudyCache } from "./cache.ts";
import { measureExtra } from "./extra.ts";
import type { FitReport, OpenedModel, OpenTask } from "./family.ts";
import type { AskStep, ExtraStep, FitStep, StudyPlan } from "./plan.ts";
import type { Study } from "./schema.ts";
import { StepClock, type TimedStep } from "./steps.ts";
import { variedModel, variedPeople } from "./vary.ts";

/** What an {@linkcode Executor} works with. */
export interface ExecutorMaterials {
  readonly study: Study;
  readonly plan: StudyPlan;
  readonly studyFolder: string;
  readonly cache: StudyCache;
  readonly progress: Progress;
  readonly device: DeviceChoice;
  readonly signal: AbortSignal;
}

/** A fit with all that is to be asked of it. */
interface Work {
  readonly fit: FitStep;
  readonly asks: readonly AskStep[];
  readonly extras: readonly ExtraStep[];
}

/** Does the steps of a study that are not done yet, fit by fit. */
export class Executor {
  readonly #materials: ExecutorMaterials;
  readonly #clock = new StepClock();
  readonly #timed = new Map<string, TimedStep>();
  readonly #failures: string[] = [];
  #numKept = 0;

  constructor(materials: ExecutorMaterials) {
    this.#materials = materials;
  }

  /**
   * Runs what is missing. A step that fails is told and left; the others go on.
   *
   * @param wanted Whether a model's steps are to be run.
   * @throws {CliError} With exit code 75 if the signal aborts.
   */
  async run(
    wanted: (model: string) => boolean,
  ): Promise<{ readonly numKept: number; readonly failures: readonly string[] }> {
    const { plan, progress } = this.#materials;
    const missing: Work[] = [];
    for (const fit of plan.fits) {
      const work = await this.#missingOf(fit);
      if (work === undefined) continue;
      // Models that share a fit need it under the name of any.
      const isWanted = (step: AskStep | ExtraStep) => wanted(step.fit.model.name);
      const own = { fit, asks: work.asks.filter(isWanted), extras: work.extras.filter(isWanted) };
      const steps = [...own.asks, ...own.extras];
      if (steps.length > 0 || wanted(fit.model.name) || this.#isBaseOf(fit, wanted)) {
        missing.push(own);
        this.#drop([...work.asks, ...work.extras].filter((step) => !steps.includes(step)));
      } else this.#drop([fit, ...work.asks, ...work.extras]);
    }
    if (missing.length > 0) progress.line(`${this.#numKept} steps are done; ${this.#clock.text}`);
    for (const work of missing) await this.#do(work);
    return { numKept: this.#numKept, failures: this.#failures };
  }

  #isBaseOf(fit: FitStep, wanted: (model: string) => boolean): boolean {
    return this.#materials.plan.fits.some(
      ({ base, model }) => base?.key === fit.key && wanted(model.name),
    );
  }

  /** What is left to do for a fit; undefined if all is done. */
  async #missingOf(fit: FitStep): Promise<Work | undefined> {
    const { plan, cache } = this.#materials;
    const family = fit.model.family.name;
    const known = await cache.fit(fit.key);
    const size = fit.cohort.train.length;
    this.#count(fit.key, { kind: "fit", family, size }, known?.seconds);
    const asks: AskStep[] = [];
    for (const ask of plan.asks.filter((step) => step.fit.key === fit.key)) {
      const done = await cache.ask(ask.key);
      this.#count(ask.key, { kind: "ask", family, size: ask.people.length }, done?.seconds);
      if (done === undefined) asks.push(ask);
    }
    const extras: ExtraStep[] = [];
    for (const extra of plan.extras.filter((step) => step.fit.key === fit.key)) {
      const done = await cache.extra(extra.key);
      this.#count(extra.key, { kind: "extra", family, size: extra.people.length }, done?.seconds);
      if (done === undefined) extras.push(extra);
    }
    const isDone = known !== undefined && asks.length === 0 && extras.length === 0;
    return isDone ? undefined : { fit, asks, extras };
  }

  #count(key: string, step: TimedStep, seconds: number | undefined): void {
    if (this.#timed.has(key)) return;
    this.#timed.set(key, step);
    this.#clock.add(step);
    if (seconds === undefined) return;
    this.#clock.done(step, seconds);
    this.#numKept += 1;
  }

  /** Leaves steps that are not to be done now out of the time left. */
  #drop(steps: readonly { readonly key: string }[]): void {
    for (const { key } of steps) this.#clock.drop(this.#timed.get(key)!);
  }

  #done(key: string, begin: number): number {
    const seconds = (performance.now() - begin) / 1000;
    this.#clock.done(this.#timed.get(key)!, seconds);
    return seconds;
  }

  async #do({ fit, asks, extras }: Work): Promise<void> {
    const { cache, progress } = this.#materials;
    const name = describeFit(fit);
    if ((await cache.fit(fit.key)) === undefined) {
      progress.line(`Fit ${name}`);
      if (!(await this.#guarded(name, () => this.#fit(fit))))
        return this.#drop([fit, ...asks, ...extras]);
    }
    if (asks.length === 0 && extras.length === 0) return;
    // Models that share a fit may differ in how they are asked.
    for (const spec of new Set([...asks, ...extras].map(specOf))) {
      const isAlike = (step: AskStep | ExtraStep) => specOf(step) === spec;
      const own = { asks: asks.filter(isAlike), extras: extras.filter(isAlike) };
      await this.#answer({ fit: [...own.asks, ...own.extras][0]!.fit, ...own });
    }
  }

  /** Asks a fitted model as its settings say, which are the same for all of these steps. */
  async #answer({ fit, asks, extras }: Work): Promise<void> {
    const name = describeFit(fit);
    const opened = await this.#guarded(name, async () =>
      fit.model.family.open(await this.#taskOf(fit)),
    );
    if (opened === undefined) return this.#drop([...asks, ...extras]);
    try {
      for (const ask of asks) {
        await this.#guarded(`${name}: ${describeAsk(ask)}`, () => this.#ask(ask, opened));
      }
      for (const extra of extras) {
        await this.#guarded(`${name}: ${extra.kind}`, () => this.#extra(extra, opened));
      }
    } finally {
      await opened.close();
    }
  }

  /** Runs a step; a failure is told and kept for the end, an interruption ends the study. */
  async #guarded<T>(name: string, work: () => Promise<T>): Promise<T | undefined> {
    const { progress, signal } = this.#materials;
    this.#checkSignal();
    try {
      return await work();
    } catch (error) {
      if (signal.aborted) this.#checkSignal();
      const reason = error instanceof Error ? error.message : String(error);
      progress.line(`Failed: ${name}: ${reason}`);
      if (process.env["TENURE_DEBUG"] === "1") progress.line(String((error as Error).stack));
      this.#failures.push(`${name}: ${reason}`);
      return undefined;
    }
  }

  #checkSignal(): void {
    if (!this.#materials.signal.aborted) return;
    throw new CliError(EXIT.retry, "Interrupted; the same command goes on from here");
  }

  async #fit(fit: FitStep): Promise<FitReport> {
    const { cache, device, progress } = this.#materials;
    const begin = performance.now();
    const { base, model, cohort } = fit;
    const task = await this.#taskOf(fit);
    const report = await model.family.fit({
      ...task,
      seed: model.seed + (fit.refit?.kind === "resampled" ? 1000 * fit.refit.replicate : 0),
      ...(base !== undefined && { base: await this.#taskOf(base) }),
    });
    const seconds = this.#done(fit.key, begin);
    await cache.keepFit(fit.key, {
      model: model.name,
      family: model.family.name,
      population: fit.population,
      settings: fit.spec,
      seed: model.seed,
      numPeople: cohort.train.length,
      numObservations: cohort.train.reduce((sum, career) => sum + career.observations.length, 0),
      report,
      seconds,
      adapter: adapterName((await openAdapter(device)).line),
      commit: sourceVersion(),
      date: new Date().toISOString(),
    });
    progress.line(`  fitted in ${formatDuration(1000 * seconds)}; ${this.#clock.text}`);
    return report;
  }

  async #ask(ask: AskStep, opened: OpenedModel): Promise<true> {
    const { cache, progress, study } = this.#materials;
    const begin = performance.now();
    const model = variedModel(opened, ask.variation);
    const people = variedPeople(ask.people, ask.variation, study.seed).map(opened.person);
    const onPerson = (numDone: number) => {
      this.#checkSignal();
      progress.update(() => {
        const perSecond = (1000 * numDone) / (performance.now() - begin);
        const left = (1000 * (people.length - numDone)) / perSecond;
        return `${describeAsk(ask)}: ${numDone}/${people.length} people · ${perSecond.toFixed(1)} people/s · ${formatDuration(left)} left`;
      });
    };
    const predictions = await collectPredictions(model, people, { onPerson });
    const seconds = this.#done(ask.key, begin);
    await cache.keepAnswer(ask.key, predictions, {
      model: ask.fit.model.name,
      population: ask.population,
      variation: ask.variation,
      numPeople: people.length,
      seconds,
    });
    progress.line(
      `  ${describeAsk(ask)}: ${people.length} people in ${formatDuration(1000 * seconds)}; ${this.#clock.text}`,
    );
    return true;
  }

  async #extra(step: ExtraStep, opened: OpenedModel): Promise<true> {
    const { cache, progress, signal, study } = this.#materials;
    const begin = performance.now();
    const task = await this.#taskOf(step.fit);
    const extras = await measureExtra(step, opened, { ...task, seed: study.seed, signal });
    const seconds = this.#done(step.key, begin);
    await cache.keepExtra(step.key, { extras, seconds });
    progress.line(`  ${step.kind} in ${formatDuration(1000 * seconds)}; ${this.#clock.text}`);
    return true;
  }

  async #taskOf(fit: FitStep): Promise<OpenTask<unknown>> {
    const { cache, studyFolder, progress, device, signal } = this.#materials;
    const { model, spec, cohort, key } = fit;
    return {
      name: model.label,
      spec,
      folder: await cache.fitFolder(key),
      cohort,
      studyFolder,
      progress,
      device,
      signal,
    };
  }
}

/** How a step's model is asked. */
function specOf({ fit }: AskStep | ExtraStep): string {
  return JSON.stringify(fit.spec);
}

function describeFit({ model, population, refit, cohort }: FitStep): string {
  const people = `${cohort.train.length.toLocaleString("en")} people`;
  const kind =
    refit === undefined
      ? ""
      : refit.kind === "mixed"
        ? `, with ${(100 * refit.share).toFixed(0)} % of others`
        : `, resampled ${refit.replicate}`;
  return `${model.label} for ${population} (${people}${kind})`;
}

function describeAsk({ population, variation }: AskStep): string {
  switch (variation.kind) {
    case "none":
      return population;
    case "shuffled":
      return `${population} with ${variation.fields.join(", ")} of others`;
    case "history":
      return `${population}, latest ${variation.rows} years told`;
  }
}

/** The adapter in the line that tells of it, without advice. */
export function adapterName(line: string): string {
  return line.replace(/^Adapter: /, "").replace(/;.*$/s, "");
}
