import { EDUCATION_LEVELS, type Career, type Education, type Observation } from "../career.ts";
import { OCCUPATIONS } from "../occupations.ts";
import type { Random } from "../random.ts";
import type { PopulationTraits } from "./population.ts";
import type { OccupationProcess } from "./process.ts";

/** Shares made up; neither ethnicity nor region bears on anything else. */
const ETHNICITIES = [
  ["white", 0.62],
  ["hispanic or latino", 0.18],
  ["black or african american", 0.14],
  ["asian", 0.06],
] as const;
const REGIONS = [
  ["south", 0.38],
  ["west", 0.24],
  ["northcentral", 0.21],
  ["northeast", 0.17],
] as const;

/** Youngest age at which each level of education can be completed. */
const YOUNGEST = [0, 17, 18, 21, 23];
/** Log-odds, in a year as a student, of completing the level above each. */
const COMPLETION = [1, -0.4, -0.6, -1.2];
/** Probability, in a year outside education, of completing the level above. */
const COMPLETION_OUTSIDE = 0.01;

/**
 * Draws one person's career: who it is, when it is observed, and then, observation by
 * observation, first the education and then the occupation given everything before it.
 *
 * @param random Stream of this person alone.
 * @param traits The population.
 * @param process Draws occupations.
 * @returns The career, without an identifier.
 */
export function drawCareer(
  random: Random,
  traits: PopulationTraits,
  process: OccupationProcess,
): Omit<Career, "id"> {
  const gender = random.uniform() < traits.women ? "female" : "male";
  const ethnicity = pick(random, ETHNICITIES);
  const region = pick(random, REGIONS);
  const young = random.uniform() < traits.young;
  const [from, to] = young ? traits.youngAges : traits.otherAges;
  const years = drawYears(random, traits);
  const birthYear = years[0]! - from - random.below(to - from + 1);
  const observations: Observation[] = [];
  for (const year of years) {
    const age = year - birthYear;
    const last = observations.at(-1);
    const level = last
      ? nextLevel(random, last, { year, age, odds: traits.studiousness })
      : firstLevel(random, age, young ? [0.3, 0.7] : traits.otherEducation);
    const education: Education = EDUCATION_LEVELS[level]!;
    const chances = process.distribution({ gender, birthYear, observations }, { year, education });
    const occupation = OCCUPATIONS[draw(random, chances)]!.code;
    observations.push({ year, education, occupation });
  }
  return { gender, ethnicity, region, birthYear, observations };
}

function drawYears(random: Random, traits: PopulationTraits): number[] {
  const entry = random.below(traits.latestEntry + 1);
  const years = [traits.years[entry]!];
  for (const year of traits.years.slice(entry + 1)) {
    if (random.uniform() < traits.attrition) break;
    if (random.uniform() < traits.responseRate) years.push(year);
  }
  return years;
}

function firstLevel(random: Random, age: number, shares: readonly number[]): number {
  let level = draw(random, shares);
  while (age < YOUNGEST[level]!) level--;
  return level;
}

/** The level at the next observation: the same, or one more if it was completed in a year between. */
function nextLevel(
  random: Random,
  last: Observation,
  { year, age, odds }: { year: number; age: number; odds: number },
): number {
  const level = EDUCATION_LEVELS.indexOf(last.education);
  if (level === EDUCATION_LEVELS.length - 1 || age < YOUNGEST[level + 1]!) return level;
  const completing =
    last.occupation === "education"
      ? 1 / (1 + Math.exp(-COMPLETION[level]!) / odds)
      : COMPLETION_OUTSIDE;
  const completed = 1 - (1 - completing) ** (year - last.year);
  return random.uniform() < completed ? level + 1 : level;
}

/** An index drawn with these probabilities; rounding errors go to the last possible one. */
function draw(random: Random, probabilities: ArrayLike<number>): number {
  let rest = random.uniform();
  let last = 0;
  for (let i = 0; i < probabilities.length; i++) {
    const probability = probabilities[i]!;
    if (probability === 0) continue;
    if (rest < probability) return i;
    rest -= probability;
    last = i;
  }
  return last;
}

function pick<Value>(random: Random, shares: readonly (readonly [Value, number])[]): Value {
  return shares[
    draw(
      random,
      shares.map(([, share]) => share),
    )
  ]![0];
}
