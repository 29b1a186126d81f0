import { Random } from "../random.ts";

/** A job that synthetic people can hold. */
export interface Job {
  /** occ1990dd code. */
  readonly code: string;
  /** Index of its family. */
  readonly family: number;
  /** Level of education it asks for, an index into `EDUCATION_LEVELS`; halves are between. */
  readonly demand: number;
  /** Whether it is held after years of work, as supervising is. */
  readonly senior: boolean;
  /** How common it is, relative to other jobs. */
  readonly popularity: number;
}

/** A group of related jobs. */
export interface Family {
  readonly name: string;
  /** Log-odds of women against men in the family's jobs. */
  readonly tilt: number;
  /** Added to the log-odds of staying another year in a job. */
  readonly stability: number;
}

/** What all populations share: which jobs there are and how near they are to each other. */
export interface Structure {
  readonly families: readonly Family[];
  readonly jobs: readonly Job[];
  /** How readily people move between families, `affinity[from][to]`, symmetric. */
  readonly affinity: readonly Float64Array[];
}

/** Family, tilt, stability, then its jobs by falling popularity: code, demand, `"senior"`. */
const FAMILIES: readonly (readonly [
  name: string,
  tilt: number,
  stability: number,
  jobs: readonly (readonly [code: string, demand: number, senior?: "senior"])[],
])[] = [
  ["management", -0.4, 0.5, [["22", 2.5, "senior"], ["13", 3, "senior"], ["7", 3, "senior"], ["4", 3.5, "senior"]]],
  ["business", 0.2, 0.3, [["23", 3], ["25", 3], ["27", 3], ["26", 3.5], ["254", 2]]],
  ["technology", -1.4, 0.4, [["64", 3], ["229", 3], ["55", 3], ["53", 3.5], ["214", 2]]],
  ["medicine", 1.2, 0.8, [["95", 3], ["207", 2], ["84", 4], ["206", 2], ["103", 4]]],
  ["teaching", 1.5, 0.6, [["156", 3.5], ["157", 4], ["387", 2], ["159", 3], ["154", 4]]],
  ["law and welfare", 0.8, 0.3, [["174", 3], ["178", 4], ["163", 4], ["234", 2.5]]],
  ["sales", 0.3, -0.3, [["275", 1], ["276", 0.5], ["243", 2, "senior"], ["274", 2], ["253", 2.5]]],
  ["office", 1.4, 0, [["313", 1.5], ["376", 1.5], ["319", 1], ["337", 2], ["379", 1.5], ["303", 2, "senior"]]],
  ["food", 0.3, -0.7, [["436", 0], ["435", 1], ["444", 0], ["433", 1, "senior"], ["434", 1]]],
  ["care", 2, -0.1, [["447", 1], ["468", 1], ["405", 0], ["458", 1], ["445", 1.5]]],
  ["protection and grounds", -1.5, 0, [["453", 0], ["426", 1], ["451", 0], ["418", 2]]],
  ["construction", -3, 0.1, [["869", 0], ["567", 1], ["575", 1.5], ["585", 1], ["558", 1, "senior"]]],
  ["production", -1.2, 0.1, [["779", 0.5], ["785", 0.5], ["505", 1], ["783", 1], ["628", 1, "senior"]]],
  ["transport", -1.8, -0.1, [["804", 1], ["889", 0.5], ["365", 1], ["888", 0], ["859", 0.5]]],
]; // prettier-ignore

/** How much nearer jobs of one family are to each other than to others. */
const SAME_FAMILY = 12;
/** Standard deviation of the log-affinity between two families. */
const AFFINITY_SPREAD = 0.9;
/** Standard deviation of the log-popularity of jobs about their rank. */
const POPULARITY_SPREAD = 0.3;
/** Power by which popularity falls with the rank in the family. */
const RANK_POWER = 0.9;

/**
 * Draws the occupational structure: some 70 common jobs in 14 families, with seeded
 * popularities and affinities.
 *
 *     popularity = rank^−0.9 · exp(0.3 z)      z standard normal, rank within the family
 *     affinity   = 12 within a family, exp(0.9 z) between two
 *
 * The families, the education that jobs ask for and the tilts are made up to look
 * plausible; none is estimated from a survey.
 *
 * @param seed Seed of the parameters.
 * @returns The structure.
 */
export function drawStructure(seed: number): Structure {
  const random = Random.from(seed, "synthetic structure");
  const jobs = FAMILIES.flatMap(([, , , list], family) =>
    list.map(([code, demand, senior], rank): Job => {
      const popularity = (rank + 1) ** -RANK_POWER * Math.exp(POPULARITY_SPREAD * normal(random));
      return { code, family, demand, senior: senior !== undefined, popularity };
    }),
  );
  const affinity = FAMILIES.map(() => new Float64Array(FAMILIES.length).fill(SAME_FAMILY));
  for (let a = 0; a < FAMILIES.length; a++) {
    for (let b = 0; b < a; b++) {
      const value = Math.exp(AFFINITY_SPREAD * normal(random));
      affinity[a]![b] = value;
      affinity[b]![a] = value;
    }
  }
  const families = FAMILIES.map(([name, tilt, stability]) => ({ name, tilt, stability }));
  return { families, jobs, affinity };
}

/** A standard normal number (Box and Muller, 1958). */
function normal(random: Random): number {
  const radius = Math.sqrt(-2 * Math.log(1 - random.uniform()));
  return radius * Math.cos(2 * Math.PI * random.uniform());
}
