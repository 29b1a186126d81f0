import { createHash } from "node:crypto";
import { type Career, careerToJson, Random } from "../../data/mod.ts";
import type { Cohort } from "./family.ts";
import type { Population } from "./populations.ts";
import type { RunResult } from "./results.ts";
import type { CohortSpec } from "./schema.ts";

/** How a fit's people differ from those that the model's entry names. */
export type Refit = NonNullable<RunResult["refit"]>;

/** People to learn from, with what tells them from others. */
export interface KnownCohort extends Cohort {
  /** SHA-256 of all their careers, in order. */
  readonly hash: string;
}

/** What {@linkcode cohortOf} chooses from. */
export interface CohortRequest {
  readonly on: CohortSpec;
  /** The population that the model is for. */
  readonly own: string;
  readonly populations: readonly Population[];
  readonly refit?: Refit | undefined;
  readonly seed: number;
}

/** The people that a model learns from, and those it is chosen by. */
export function cohortOf(request: CohortRequest): KnownCohort {
  const { on, own, populations, refit, seed } = request;
  const chosen = populations.filter(({ name }) => isChosen(name, on, own));
  // Ids may repeat between populations, not within one.
  const label = (name: string, career: Career): Career =>
    chosen.length === 1 && refit?.kind !== "mixed"
      ? career
      : { ...career, id: `${name}/${career.id}` };
  const of = (part: "train" | "valid", among: readonly Population[]) =>
    among.flatMap((population) => population[part].map((career) => label(population.name, career)));
  let train = of("train", chosen);
  if (refit?.kind === "mixed") {
    const others = of(
      "train",
      populations.filter(({ name }) => !chosen.some((one) => one.name === name)),
    );
    const random = Random.from(seed, "mixed", own);
    train = [...train, ...random.shuffle(others).slice(0, Math.round(refit.share * others.length))];
  }
  if (refit?.kind === "resampled") train = resampled(train, { seed, refit });
  return known({ train, valid: of("valid", chosen) });
}

function isChosen(name: string, on: CohortSpec, own: string): boolean {
  if (Array.isArray(on)) return on.includes(name);
  return on === "all" || (on === "own") === (name === own);
}

/** As many people, drawn with replacement; a person drawn again gets an id of its own. */
function resampled(
  people: readonly Career[],
  { seed, refit }: { readonly seed: number; readonly refit: Refit & { kind: "resampled" } },
): Career[] {
  const random = Random.from(seed, "resampled", refit.replicate);
  return people.map((_, draw) => {
    const career = people[random.below(people.length)]!;
    return { ...career, id: `${career.id}#${draw}` };
  });
}

function known(cohort: Cohort): KnownCohort {
  const hash = createHash("sha256");
  for (const part of ["train", "valid"] as const) {
    hash.update(`${part}\n`);
    for (const career of cohort[part]) hash.update(`${careerToJson(career)}\n`);
  }
  return { ...cohort, hash: hash.digest("hex") };
}

/** SHA-256 of people that a model is asked about. */
export function hashOfPeople(people: readonly Career[]): string {
  const hash = createHash("sha256");
  for (const career of people) hash.update(`${careerToJson(career)}\n`);
  return hash.digest("hex");
}
