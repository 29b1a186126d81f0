import { z } from "zod";
import { checkValue, nearestOf, readYaml } from "../../data/checked_yaml.ts";
import { POPULATION_NAMES } from "../../data/synthetic/mod.ts";
import type { Family } from "./family.ts";

const NAME = z
  .string()
  .regex(
    /^[A-Za-z0-9][\w.-]*$/,
    'must be letters, digits, "_", "." and "-", a letter or digit first',
  );
const NAMES = z.array(NAME).min(1);
const COUNT = z.int().min(1);

/** Whose people a model learns from, seen from the population it is for. */
const COHORT = z.union([z.enum(["own", "others", "all"]), NAMES]);

/** Where people come from: a file of careers, a survey's own files, or a known process. */
const POPULATION = z
  .strictObject({
    careers: z.string().optional(),
    survey: z
      .strictObject({ files: z.union([z.string(), z.array(z.string())]), mapping: z.string() })
      .optional(),
    synthetic: z.enum(POPULATION_NAMES).optional(),
    /** Name of the survey in resumes; by default the population's own name. */
    dataset: z.string().optional(),
    /** People that are drawn, or kept of those in the file; 0 for all of them. */
    people: z.int().min(0).default(0),
    split_seed: z.int().optional(),
  })
  .refine(
    ({ careers, survey, synthetic }) =>
      [careers, survey, synthetic].filter((source) => source !== undefined).length === 1,
    "must have one of careers, survey and synthetic",
  );

/** What all models have; the rest of an entry is its family's. */
const MODEL = z.looseObject({
  name: NAME,
  /** As tables name it. */
  label: z.string().optional(),
  family: z.string(),
  /** Populations it is for; all by default. */
  populations: NAMES.optional(),
  train_on: COHORT.default("own"),
  /** Learns from others first; settings beside `on` replace the model's own while it does. */
  pretrain: z.looseObject({ on: COHORT.default("others") }).optional(),
  /** Test people that it is asked about, where that is to be fewer than of others. */
  test_people: COUNT.optional(),
  seed: z.int().optional(),
});

const OF_MODELS = { models: NAMES, test_people: COUNT.optional() };

const STUDY = z.strictObject({
  study: z.string().min(1),
  seed: z.int().default(1),
  populations: z.record(NAME, POPULATION),
  models: z.array(MODEL).min(1),
  evaluation: z
    .strictObject({
      test_people: COUNT.optional(),
      replications: z.int().min(2).default(100),
      top: z.array(COUNT).default([1, 5, 10]),
      /** The model that others are compared with, pair by pair. */
      reference: NAME.optional(),
    })
    .prefault({}),
  refits: z
    .strictObject({
      resampled: z.strictObject({ ...OF_MODELS, replicates: z.int().min(2) }).optional(),
      mixed: z
        .strictObject({ ...OF_MODELS, shares: z.array(z.number().min(0).max(1)).min(1) })
        .optional(),
    })
    .prefault({}),
  ablations: z
    .strictObject({
      shuffled: z
        .strictObject({
          ...OF_MODELS,
          fields: z.array(z.array(z.enum(["gender", "ethnicity", "region"])).min(1)).min(1),
        })
        .optional(),
      history: z.strictObject({ ...OF_MODELS, rows: z.array(COUNT).min(1) }).optional(),
      transfer: z.strictObject(OF_MODELS).optional(),
      gap_years: z.strictObject(OF_MODELS).optional(),
      valid_titles: z.strictObject({ ...OF_MODELS, samples: COUNT.default(200) }).optional(),
      forecast: z
        .strictObject({ ...OF_MODELS, cutoff: z.int(), paths: COUNT.default(1000) })
        .optional(),
    })
    .prefault({}),
  claims: z
    .array(
      z.strictObject({
        claim: z.string().min(1),
        better: NAME,
        worse: NAME,
        population: NAME.optional(),
        /** Takes the better model's refit with this share of others' people. */
        better_share: z.number().optional(),
      }),
    )
    .default([]),
});

/** A study as its file declares it, defaults filled in. */
export type Study = z.output<typeof STUDY>;

/** A population of a study, as declared. */
export type PopulationSpec = z.output<typeof POPULATION>;

/** Whose people. */
export type CohortSpec = z.output<typeof COHORT>;

/** A model of a study: what is common to all, and what its family makes of the rest. */
export interface StudyModel {
  readonly name: string;
  readonly label: string;
  readonly family: Family;
  /** As the family's schema gives it. */
  readonly spec: unknown;
  /** The same while it learns from others first. */
  readonly pretrain?: { readonly on: CohortSpec; readonly spec: unknown };
  readonly populations: readonly string[];
  readonly trainOn: CohortSpec;
  readonly testPeople?: number;
  readonly seed: number;
}

/**
 * Reads a study's file.
 *
 * @param text Content of the file, YAML.
 * @param file Its name, for errors.
 * @param families Families of models, by name.
 * @throws {SyntaxError} With the path of every problem.
 */
export function readStudy(
  text: string,
  file: string,
  families: ReadonlyMap<string, Family>,
): { readonly study: Study; readonly models: readonly StudyModel[] } {
  const study = checkValue(readYaml(text, file), STUDY, file);
  const fail = (problem: string): never => {
    throw new SyntaxError(`Cannot read "${file}": ${problem}`);
  };
  const populations = Object.keys(study.populations);
  const checkKnown = (path: string, names: readonly string[], known: readonly string[]) => {
    for (const name of names) {
      if (known.includes(name)) continue;
      const nearest = nearestOf(name, known);
      const hint = nearest === undefined ? "" : `; did you mean "${nearest}"?`;
      fail(`${path}: must name one of ${known.join(", ")}, got "${name}"${hint}`);
    }
  };
  const models = study.models.map((entry, index): StudyModel => {
    const path = `models.${index} (${entry.name})`;
    const {
      name,
      label,
      family,
      populations: on,
      train_on,
      pretrain,
      test_people,
      seed,
      ...rest
    } = entry;
    const known = families.get(family);
    if (known === undefined) {
      checkKnown(`${path}.family`, [family], [...families.keys()]);
      return fail(`${path}.family: unknown`);
    }
    for (const cohort of [on, train_on, pretrain?.on]) {
      if (Array.isArray(cohort)) checkKnown(path, cohort, populations);
    }
    if (pretrain !== undefined && !known.canPretrain) {
      fail(`${path}.pretrain: a ${family} cannot begin with what it learned from others`);
    }
    const specOf = (settings: object) => checkValue(settings, known.schema, `${file}, ${path}`);
    const { on: pretrainOn = "others", ...overrides } = pretrain ?? {};
    return {
      name,
      label: label ?? name,
      family: known,
      spec: specOf(rest),
      ...(pretrain !== undefined && {
        pretrain: { on: pretrainOn, spec: specOf(merged(rest, overrides)) },
      }),
      populations: on ?? populations,
      trainOn: train_on,
      ...(test_people !== undefined && { testPeople: test_people }),
      seed: seed ?? study.seed,
    };
  });
  checkNames(study, { models, populations, checkKnown, fail });
  return { study, models };
}

/** Settings, with some replaced, those of nested objects too. */
function merged(
  settings: Readonly<Record<string, unknown>>,
  changes: Readonly<Record<string, unknown>>,
): Record<string, unknown> {
  const result: Record<string, unknown> = { ...settings };
  for (const [key, value] of Object.entries(changes)) {
    const before = result[key];
    result[key] = isRecord(before) && isRecord(value) ? merged(before, value) : value;
  }
  return result;
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** Every name must be declared, and models' names differ. */
function checkNames(
  { evaluation, refits, ablations, claims }: Study,
  {
    models,
    populations,
    checkKnown,
    fail,
  }: {
    readonly models: readonly StudyModel[];
    readonly populations: readonly string[];
    readonly checkKnown: (path: string, names: readonly string[], known: readonly string[]) => void;
    readonly fail: (problem: string) => never;
  },
): void {
  const names = models.map(({ name }) => name);
  const double = names.find((name, index) => names.indexOf(name) !== index);
  if (double !== undefined) fail(`models: names must differ, got "${double}" twice`);
  if (evaluation.reference !== undefined) {
    checkKnown("evaluation.reference", [evaluation.reference], names);
  }
  for (const [group, parts] of Object.entries({ refits, ablations })) {
    for (const [part, settings] of Object.entries(parts)) {
      checkKnown(`${group}.${part}.models`, settings?.models ?? [], names);
    }
  }
  claims.forEach(({ better, worse, population, better_share: share }, index) => {
    checkKnown(`claims.${index}`, [better, worse], names);
    const { models: mixed = [], shares = [] } = refits.mixed ?? {};
    if (share !== undefined && !(mixed.includes(better) && shares.includes(share))) {
      fail(
        `claims.${index}.better_share: must be one of refits.mixed.shares, with "${better}" in refits.mixed.models, got ${share}`,
      );
    }
    if (population !== undefined) checkKnown(`claims.${index}`, [population], populations);
  });
  const needsOthers = models.some(
    ({ trainOn, pretrain }) => trainOn === "others" || pretrain?.on === "others",
  );
  if (populations.length === 1 && (needsOthers || refits.mixed !== undefined)) {
    fail('populations: there must be another for models that learn from "others", got one');
  }
}
