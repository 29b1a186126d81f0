import { createHash } from "node:crypto";
import type { Career } from "../../data/mod.ts";
import { packageVersion } from "../platform/version.ts";
import { cohortOf, hashOfPeople, type KnownCohort, type Refit } from "./cohorts.ts";
import type { Population } from "./populations.ts";
import type { Variation } from "./results.ts";
import type { CohortSpec, Study, StudyModel } from "./schema.ts";

/** A model to be fitted on some people. */
export interface FitStep {
  /** Names the fit by all that decides it, so that it is never done twice. */
  readonly key: string;
  readonly model: StudyModel;
  readonly spec: unknown;
  /** The population it is for. */
  readonly population: string;
  readonly cohort: KnownCohort;
  readonly base?: FitStep;
  readonly refit?: Refit;
}

/** A fitted model to be asked about some people. */
export interface AskStep {
  readonly key: string;
  readonly fit: FitStep;
  /** Whose test people. */
  readonly population: string;
  readonly people: readonly Career[];
  readonly variation: Variation;
}

/** A measure that takes more than scores. */
export interface ExtraStep {
  readonly key: string;
  readonly fit: FitStep;
  readonly kind: ExtraKind;
  readonly people: readonly Career[];
  readonly settings: Readonly<Record<string, number>>;
}

/** Kinds of {@linkcode ExtraStep}. */
export type ExtraKind = "gap_years" | "valid_titles" | "forecast";

/** All that a study asks for. */
export interface StudyPlan {
  /** Every fit once, a base before what begins with it. */
  readonly fits: readonly FitStep[];
  readonly asks: readonly AskStep[];
  readonly extras: readonly ExtraStep[];
}

/** Changes whenever what is kept in the cache changes its meaning. */
const FORMAT = 1;

/** Plans all steps of a study; what is done already is for the cache to know. */
export async function planStudy(materials: {
  readonly study: Study;
  readonly models: readonly StudyModel[];
  readonly populations: readonly Population[];
  readonly studyFolder: string;
}): Promise<StudyPlan> {
  const planner = new Planner(materials);
  for (const model of materials.models) await planner.addModel(model);
  return planner.plan;
}

class Planner {
  readonly #study: Study;
  readonly #populations: readonly Population[];
  readonly #studyFolder: string;
  readonly #fits = new Map<string, FitStep>();
  readonly #asks: AskStep[] = [];
  readonly #extras: ExtraStep[] = [];
  /** Cohorts are large, and many fits share one. */
  readonly #cohorts = new Map<string, KnownCohort>();

  constructor({
    study,
    populations,
    studyFolder,
  }: Pick<Parameters<typeof planStudy>[0], "study" | "populations" | "studyFolder">) {
    this.#study = study;
    this.#populations = populations;
    this.#studyFolder = studyFolder;
  }

  get plan(): StudyPlan {
    return { fits: [...this.#fits.values()], asks: this.#asks, extras: this.#extras };
  }

  async addModel(model: StudyModel): Promise<void> {
    const { refits } = this.#study;
    for (const population of model.populations) {
      const fit = await this.#fit(model, population);
      this.#ask(fit, population);
      this.#addAblations(fit);
      const { resampled, mixed } = refits;
      const refitted: Refit[] = [];
      if (resampled?.models.includes(model.name) === true) {
        for (let replicate = 1; replicate <= resampled.replicates; replicate++) {
          refitted.push({ kind: "resampled", replicate });
        }
      }
      if (mixed?.models.includes(model.name) === true) {
        refitted.push(...mixed.shares.map((share) => ({ kind: "mixed" as const, share })));
      }
      for (const refit of refitted) {
        const { test_people: limit } = (refit.kind === "mixed" ? mixed : resampled)!;
        this.#ask(await this.#fit(model, population, refit), population, { limit });
      }
    }
  }

  #addAblations(fit: FitStep): void {
    const { name } = fit.model;
    const { shuffled, history, transfer, ...extras } = this.#study.ablations;
    const has = (part: { readonly models: readonly string[] } | undefined) =>
      part?.models.includes(name) === true;
    const own = fit.population;
    if (has(shuffled)) {
      for (const fields of shuffled!.fields) {
        this.#ask(fit, own, {
          variation: { kind: "shuffled", fields },
          limit: shuffled!.test_people,
        });
      }
    }
    if (has(history)) {
      for (const rows of history!.rows) {
        this.#ask(fit, own, { variation: { kind: "history", rows }, limit: history!.test_people });
      }
    }
    if (has(transfer)) {
      for (const { name: other } of this.#populations) {
        if (other !== own) this.#ask(fit, other, { limit: transfer!.test_people });
      }
    }
    for (const kind of ["gap_years", "valid_titles", "forecast"] as const) {
      const settings = extras[kind];
      if (!has(settings)) continue;
      const { models: _, test_people: limit, ...numbers } = settings!;
      const people = this.#testPeople(fit, own, limit);
      const of = hashOfPeople(people);
      const { seed } = this.#study;
      this.#extras.push({
        key: keyOf({ extra: kind, fit: fit.key, of, numbers, spec: fit.spec, seed }),
        fit,
        kind,
        people,
        settings: numbers,
      });
    }
  }

  #ask(
    fit: FitStep,
    population: string,
    {
      variation = { kind: "none" },
      limit,
    }: { readonly variation?: Variation; readonly limit?: number | undefined } = {},
  ): void {
    const people = this.#testPeople(fit, population, limit);
    const of = hashOfPeople(people);
    // Who gets whose demographics is drawn by the study's seed, whatever that of the model.
    const seed = variation.kind === "shuffled" ? this.#study.seed : undefined;
    const key = keyOf({ ask: variation, fit: fit.key, spec: fit.spec, of, seed });
    if (this.#asks.some((step) => step.key === key && step.population === population)) return;
    this.#asks.push({ key, fit, population, people, variation });
  }

  /** The first test people, in the order of the split; the least of all limits holds. */
  #testPeople({ model }: FitStep, population: string, limit = Infinity): readonly Career[] {
    const { test } = this.#populations.find(({ name }) => name === population)!;
    const most = Math.min(
      limit,
      model.testPeople ?? Infinity,
      this.#study.evaluation.test_people ?? Infinity,
    );
    return test.slice(0, most);
  }

  async #fit(model: StudyModel, population: string, refit?: Refit): Promise<FitStep> {
    const { pretrain } = model;
    const base =
      pretrain === undefined
        ? undefined
        : await this.#step({ model, spec: pretrain.spec, on: pretrain.on, population });
    return this.#step({
      model,
      spec: model.spec,
      on: model.trainOn,
      population,
      ...(base !== undefined && { base }),
      ...(refit !== undefined && { refit }),
    });
  }

  async #step({
    on,
    ...rest
  }: Omit<FitStep, "key" | "cohort"> & { readonly on: CohortSpec }): Promise<FitStep> {
    const { model, spec, population, base, refit } = rest;
    const cohort = this.#cohort({ on, population, refit, seed: model.seed });
    const { fitSettings = (all: unknown) => all, fingerprint } = model.family;
    const key = keyOf({
      tenure: packageVersion(),
      family: model.family.name,
      settings: fitSettings(spec),
      files: (await fingerprint?.(spec, this.#studyFolder)) ?? null,
      seed: model.seed,
      cohort: cohort.hash,
      base: base?.key ?? null,
    });
    // The same fit may serve several populations, under the name of each.
    const step = { key, cohort, ...rest };
    if (!this.#fits.has(key)) this.#fits.set(key, step);
    return step;
  }

  #cohort({
    on,
    population,
    refit,
    seed,
  }: {
    readonly on: CohortSpec;
    readonly population: string;
    readonly refit: Refit | undefined;
    readonly seed: number;
  }): KnownCohort {
    const own = on === "all" ? "" : population; // all people are the same, whoever asks
    const name = JSON.stringify([on, own, refit, refit === undefined ? 0 : seed]);
    let cohort = this.#cohorts.get(name);
    if (cohort === undefined) {
      cohort = cohortOf({ on, own: population, populations: this.#populations, refit, seed });
      this.#cohorts.set(name, cohort);
    }
    return cohort;
  }
}

/** A name made of everything that decides a result. */
function keyOf(parts: Readonly<Record<string, unknown>>): string {
  const text = JSON.stringify(sorted({ format: FORMAT, ...parts }));
  return createHash("sha256").update(text).digest("hex").slice(0, 16);
}

/** The same value with the keys of objects in order. */
function sorted(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(sorted);
  if (typeof value !== "object" || value === null) return value;
  const entries = Object.entries(value).filter(([, each]) => each !== undefined);
  entries.sort(([a], [b]) => (a < b ? -1 : 1));
  return Object.fromEntries(entries.map(([key, each]) => [key, sorted(each)]));
}
