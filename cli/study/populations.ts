import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { type Career, type CareerSplit, careerToJson, splitCareers } from "../../data/mod.ts";
import { type SyntheticPopulation, syntheticPopulation } from "../../data/synthetic/mod.ts";
import { EXIT, failingAs } from "../platform/errors.ts";
import { readCareersFile } from "../run/careers_file.ts";
import { importCareers } from "../run/import.ts";
import type { Progress } from "../run/progress.ts";
import type { PopulationSpec } from "./schema.ts";

/** People of a study, split by person. */
export interface Population extends CareerSplit {
  readonly name: string;
  /** The process behind synthetic people. */
  readonly truth?: SyntheticPopulation;
}

/** What people are read with. */
export interface LoadOptions {
  /** Seed of synthetic people, and of who is kept of a larger file. */
  readonly seed: number;
  /** Paths in the study start here. */
  readonly studyFolder: string;
  /** Told what an import leaves out. */
  readonly progress: Progress;
}

/**
 * Reads or draws the people of a population and splits them 70/10/20.
 *
 * @throws {CliError} With exit code 3 if they cannot be had, naming file and line.
 */
export async function loadPopulation(
  name: string,
  spec: PopulationSpec,
  options: LoadOptions,
): Promise<Population> {
  const { seed } = options;
  const truth = spec.synthetic === undefined ? undefined : syntheticPopulation(spec.synthetic);
  const people = truth
    ? truth.generate(spec.people || DEFAULT_SYNTHETIC, { seed })
    : await readPeople(name, spec, options);
  const dataset = spec.dataset ?? name;
  return failingAs(EXIT.data, () => {
    const named = people.map((career) => ({ ...career, dataset }));
    const splitSeed = spec.split_seed ?? seed;
    const kept = truth === undefined ? keep(named, { count: spec.people, seed: splitSeed }) : named;
    if (kept.length < MIN_PEOPLE) {
      throw new RangeError(
        `Cannot study population "${name}": it must have at least ${MIN_PEOPLE} people, got ${kept.length}`,
      );
    }
    const split = splitCareers(kept, { seed: splitSeed });
    return { name, ...split, ...(truth !== undefined && { truth }) };
  });
}

/** Synthetic people where the study says no number. */
const DEFAULT_SYNTHETIC = 3000;

/** Fewest people with whom each part has one. */
const MIN_PEOPLE = 10;

async function readPeople(
  name: string,
  { careers, survey }: PopulationSpec,
  { studyFolder, progress }: LoadOptions,
): Promise<readonly Career[]> {
  if (careers !== undefined) return readCareersFile(resolve(studyFolder, careers));
  const { files, mapping } = survey!; // the schema knows that there is one source
  const folder = await mkdtemp(join(tmpdir(), "tenure-study-"));
  try {
    const output = join(folder, "careers.jsonl");
    const { leftOut } = await importCareers({
      paths: [files].flat().map((path) => resolve(studyFolder, path)),
      mapping: /\.ya?ml$/i.test(mapping) ? resolve(studyFolder, mapping) : mapping,
      output,
      progress,
    });
    for (const { reason, count } of leftOut) progress.line(`${name}: left out ${count}: ${reason}`);
    return await readCareersFile(output);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

/** A sample of people that depends on ids and seed alone; all where `count` is 0. */
function keep(
  people: readonly Career[],
  { count, seed }: { readonly count: number; readonly seed: number },
): readonly Career[] {
  if (count === 0 || count >= people.length) return people;
  const share = count / people.length;
  const { train } = splitCareers(people, {
    seed: seed + 1, // not the order by which they are split again
    fractions: { train: share, valid: 0, test: 1 - share },
  });
  return train;
}

/**
 * Checks that nobody who is tested in one population is learned from in another, as when a file is
 * named twice, or two populations draw the same synthetic people.
 *
 * @throws {RangeError} Naming both populations and a person.
 */
export function checkApart(populations: readonly Population[]): void {
  // A person is the same whatever the population calls the survey.
  const keyOf = ({ dataset: _dataset, ...career }: Career) => careerToJson(career);
  const learned = new Map<string, string>();
  for (const { name, train, valid } of populations) {
    for (const career of [...train, ...valid]) learned.set(keyOf(career), name);
  }
  for (const { name, test } of populations) {
    for (const career of test) {
      const other = learned.get(keyOf(career));
      if (other === undefined) continue;
      throw new RangeError(
        `Cannot study "${name}" beside "${other}": nobody may be tested in one population and learned from in another, got ${JSON.stringify(career.id)} in both; name each file once, and synthetic populations of different kinds`,
      );
    }
  }
}
