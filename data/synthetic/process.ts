import { EDUCATION_LEVELS, type Education, type Observation } from "../career.ts";
import { NUM_OCCUPATIONS, occupationIndex, STATUSES } from "../occupations.ts";
import { LEAVING_AGE, type PopulationTraits } from "./population.ts";
import type { Job, Structure } from "./structure.ts";

/** What the process knows of a person before an observation. */
export interface History {
  readonly gender: string;
  readonly birthYear: number;
  /** Observations so far, ascending in year; none before the first. */
  readonly observations: readonly Observation[];
}

/** What is given of the observation whose occupation is drawn. */
export type Next = Pick<Observation, "year" | "education">;

type Status = (typeof STATUSES)[number];
type Kind = Status | "work";

/** Person, as of the year of the next observation. */
interface Situation {
  readonly woman: boolean;
  readonly age: number;
  readonly level: number;
  readonly education: Education;
}

/** Where someone stands before the next observation. */
interface Spell {
  readonly occupation: string;
  readonly kind: Kind;
  /** Present job, if working. */
  readonly job: Job | undefined;
  /** Years from the first observation of the present spell to the last, plus one. */
  readonly tenure: number;
  /** Years from the last observation to the next. */
  readonly gap: number;
  /** Latest earlier job other than the present occupation. */
  readonly earlierJob: Job | undefined;
}

/** A semi-Markov process of occupations, see `syntheticPopulation()`. */
export class OccupationProcess {
  readonly #structure: Structure;
  readonly #traits: PopulationTraits;
  readonly #jobs: ReadonlyMap<string, Job>;
  readonly #indices: readonly number[];
  readonly #boost: readonly number[];

  constructor(structure: Structure, traits: PopulationTraits) {
    this.#structure = structure;
    this.#traits = traits;
    this.#jobs = new Map(structure.jobs.map((job) => [job.code, job]));
    this.#indices = structure.jobs.map(({ code }) => occupationIndex(code));
    this.#boost = structure.families.map(({ name }) => traits.familyBoost[name] ?? 1);
  }

  /**
   * The exact distribution of the next occupation.
   *
   * @param history The person and the observations so far.
   * @param next Year and education of the next observation.
   * @returns Probabilities, `[NUM_OCCUPATIONS]`, summing to one.
   * @throws {RangeError} If the last occupation is none of the process.
   */
  distribution(history: History, next: Next): Float64Array {
    const situation: Situation = {
      woman: history.gender === "female",
      age: next.year - history.birthYear,
      level: EDUCATION_LEVELS.indexOf(next.education),
      education: next.education,
    };
    const probabilities = new Float64Array(NUM_OCCUPATIONS);
    const spell = this.#spell(history.observations, next.year);
    if (!spell) {
      const student = sigmoid(studyLogit(situation));
      this.#addArrivals(probabilities, situation, { mass: 1 - student, from: "education" });
      probabilities[occupationIndex("education")] = student;
      return probabilities;
    }
    const stay = this.#yearlyStay(situation, spell) ** spell.gap;
    this.#addArrivals(probabilities, situation, { mass: 1 - stay, from: spell.kind, spell });
    probabilities[occupationIndex(spell.occupation)]! += stay;
    return probabilities;
  }

  #spell(observations: readonly Observation[], year: number): Spell | undefined {
    const last = observations.at(-1);
    if (!last) return undefined;
    let start = observations.length - 1;
    while (start > 0 && observations[start - 1]!.occupation === last.occupation) start--;
    const job = this.#jobs.get(last.occupation);
    const status = STATUSES.find((code) => code === last.occupation);
    if (!job && !status) {
      throw new RangeError(
        `Cannot predict the next occupation: the last must be one of the process, ` +
          `got "${last.occupation}"`,
      );
    }
    let earlierJob: Job | undefined;
    for (let i = start - 1; i >= 0 && !earlierJob; i--) {
      const { occupation } = observations[i]!;
      if (occupation !== last.occupation) earlierJob = this.#jobs.get(occupation);
    }
    return {
      occupation: last.occupation,
      kind: status ?? "work",
      job,
      tenure: last.year - observations[start]!.year + 1,
      gap: year - last.year,
      earlierJob,
    };
  }

  /** Probability of staying one more year in the present occupation. */
  #yearlyStay(situation: Situation, { kind, job, tenure }: Spell): number {
    const { age, level, woman } = situation;
    const logTenure = Math.log(tenure);
    if (kind === "education") return sigmoid(studyLogit(situation));
    if (kind === "unemployed") return sigmoid(-1.2 + 0.6 * logTenure);
    if (kind === "not_in_labor_force") {
      const family = woman ? 0.4 : 0;
      return sigmoid(-0.2 + family + 0.9 * logTenure + 0.3 * Math.max(0, age - 56));
    }
    const { stay, tenure: perLogTenure } = this.#traits;
    const { stability } = this.#structure.families[job!.family]!;
    const mismatch = Math.abs(job!.demand - level);
    const settled = 0.05 * (Math.min(age, 45) - 30);
    return sigmoid(-0.5 + stay + stability + perLogTenure * logTenure - 0.5 * mismatch + settled);
  }

  /** Adds `mass` times the distribution over everything but the present occupation. */
  #addArrivals(
    probabilities: Float64Array,
    situation: Situation,
    { mass, from, spell }: { mass: number; from: Kind; spell?: Spell },
  ): void {
    const shares = destinations(situation, from);
    for (const status of STATUSES) {
      probabilities[occupationIndex(status)]! += mass * shares[status];
    }
    const recall = spell?.earlierJob ? this.#traits.recall[from] : 0;
    if (spell?.earlierJob) {
      probabilities[occupationIndex(spell.earlierJob.code)]! += mass * shares.work * recall;
    }
    const weights = this.#structure.jobs.map((job) =>
      job.code === spell?.occupation ? 0 : this.#weight(job, situation, spell?.job),
    );
    const sum = weights.reduce((a, b) => a + b, 0);
    for (const [j, weight] of weights.entries()) {
      probabilities[this.#indices[j]!]! += (mass * shares.work * (1 - recall) * weight) / sum;
    }
  }

  /** How a job draws someone, relative to other jobs. */
  #weight(job: Job, { woman, age, level }: Situation, present: Job | undefined): number {
    const { families, affinity } = this.#structure;
    const under = Math.max(0, job.demand - level);
    const over = Math.max(0, level - job.demand);
    const tilt = (woman ? 0.5 : -0.5) * families[job.family]!.tilt;
    const seniority = job.senior ? 0.1 * (Math.min(age, 45) - 32) : 0;
    const near = present ? affinity[present.family]![job.family]! : 1;
    const pull = Math.exp(tilt + seniority - 2.5 * under - 1.3 * over);
    return job.popularity * this.#boost[job.family]! * near * pull;
  }
}

/** Log-odds of being a student for another year. */
function studyLogit({ age, education }: Situation): number {
  return 1.3 * (LEAVING_AGE[education] + 0.5 - age) + 0.5;
}

/** Where those go who leave `from`: shares that sum to one, none of them for the status left. */
function destinations({ woman, age, level }: Situation, from: Kind): Record<Kind, number> {
  const parent = woman && age >= 24 && age <= 40 ? 1 : 0;
  const odds: Record<Kind, number> = {
    work: 1,
    education: level === 4 ? 0 : Math.exp(-2 - 0.2 * (age - 20)),
    not_in_labor_force: Math.exp(-2.2 + parent + 0.35 * Math.max(0, age - 56)),
    unemployed: Math.exp(-1.2 - 0.5 * level),
  };
  if (from !== "work") odds[from] = 0;
  const sum = odds.work + odds.education + odds.not_in_labor_force + odds.unemployed;
  for (const kind of ["work", ...STATUSES] as const) odds[kind] /= sum;
  return odds;
}

function sigmoid(x: number): number {
  return 1 / (1 + Math.exp(-x));
}
