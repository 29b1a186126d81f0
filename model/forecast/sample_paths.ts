import type { Career, Observation } from "../../data/career.ts";
import { distributionsOf, type OccupationQuestion } from "../occupation/occupation_model.ts";
import { type AskedYear, type CareerModel, questionAfter } from "./career_model.ts";

/** A stream of uniform numbers in [0, 1), such as `Random`. */
export interface UniformStream {
  uniform(): number;
}

/** Options of {@linkcode samplePaths}. */
export interface PathOptions {
  /** Last year that is told. */
  readonly cutoff: number;
  /** Paths of each person. */
  readonly numPaths: number;
  /** Draws of a person's path, which no other path touches: `(id, path) => Random.from(seed, id, path)`. */
  readonly randomOf: (id: string, path: number) => UniformStream;
  /**
   * Education of the years to come: as `"last"` told, which is all that is known at the cutoff, or
   * as it `"truly"` came to be, which says who went to school, and so much of who was in education.
   *
   * @default {"last"}
   */
  readonly education?: "last" | "truly";
  /** Called after every year of some people with how many people are done. */
  readonly onProgress?: (numDone: number) => void;
  readonly signal?: AbortSignal;
}

/** Sampled years of one person. */
export interface SampledPerson {
  readonly career: Career;
  /** Index of the first observation after the cutoff. */
  readonly begin: number;
  /** Paths by occupation at each observation from `begin` on, `[numYears][numOccupations]`. */
  readonly counts: readonly Uint32Array[];
}

/** Paths that stand at the same point, having had the same occupations. */
interface Branch {
  readonly told: readonly Observation[];
  readonly paths: readonly number[];
}

/** A person on the way. */
interface Traveler {
  readonly career: Career;
  readonly begin: number;
  readonly counts: Uint32Array[];
  readonly streams: readonly UniformStream[];
  branches: readonly Branch[];
}

/** Paths that travel together, so that a model answers many questions at once. */
const GROUP_PATHS = 4096;
/** Questions that are asked at a time. */
const GROUP_QUESTIONS = 1024;

/**
 * Samples careers from a cutoff on, over the years that were observed of each person: the
 * occupation of each year is drawn given the person, what was told, and what was drawn before.
 * Paths that are still the same are asked about once.
 *
 * @param of Which model.
 * @param careers Those that are observed both up to the cutoff and after it are sampled.
 * @param options From when on, and how often.
 * @returns One by one, in the order given.
 * @throws {RangeError} If there is to be no path.
 *
 * @see {@link https://arxiv.org/abs/2202.08370 | Vafa et al., "CAREER", 2022}, on forecasts
 */
export async function* samplePaths(
  of: CareerModel,
  careers: readonly Career[],
  options: PathOptions,
): AsyncGenerator<SampledPerson> {
  const { cutoff, numPaths } = options;
  if (!Number.isInteger(numPaths) || numPaths < 1) {
    throw new RangeError(
      `Cannot sample careers: numPaths must be an integer of at least 1, got ${numPaths}`,
    );
  }
  const eligible = forecastable(careers, cutoff);
  const groupSize = Math.max(1, Math.floor(GROUP_PATHS / numPaths));
  for (let first = 0; first < eligible.length; first += groupSize) {
    const group = eligible
      .slice(first, first + groupSize)
      .map((career) => depart(of, career, options));
    const numYears = group.map(({ career, begin }) => career.observations.length - begin);
    for (let step = 0; step < Math.max(...numYears); step++) {
      options.signal?.throwIfAborted();
      await advance(of, group, { step, options });
      options.onProgress?.(first);
    }
    for (const { career, begin, counts } of group) yield { career, begin, counts };
    options.onProgress?.(Math.min(first + groupSize, eligible.length));
  }
}

/** The people who are observed both up to a year and after it. */
export function forecastable(careers: readonly Career[], cutoff: number): Career[] {
  return careers.filter(
    ({ observations }) =>
      (observations[0]?.year ?? Infinity) <= cutoff && (observations.at(-1)?.year ?? 0) > cutoff,
  );
}

function depart({ codes }: CareerModel, career: Career, options: PathOptions): Traveler {
  const begin = career.observations.findIndex(({ year }) => year > options.cutoff);
  const paths = Array.from({ length: options.numPaths }, (_, path) => path);
  const numYears = career.observations.length - begin;
  return {
    career,
    begin,
    counts: Array.from({ length: numYears }, () => new Uint32Array(codes.length)),
    streams: paths.map((path) => options.randomOf(career.id, path)),
    branches: [{ told: career.observations.slice(0, begin), paths }],
  };
}

/** Draws one more year of everybody who has one. */
async function advance(
  of: CareerModel,
  group: readonly Traveler[],
  { step, options }: { readonly step: number; readonly options: PathOptions },
): Promise<void> {
  const onTheWay = group.filter(({ counts }) => step < counts.length);
  const years = onTheWay.map((traveler) => askedYear(traveler, step, options));
  const questions = onTheWay.flatMap(({ career, branches }, who) =>
    branches.map(({ told }) => questionAfter(of, career, { told, asked: years[who]! })),
  );
  const answers = await askAll(of, questions, options.signal);
  let next = 0;
  onTheWay.forEach((traveler, who) => {
    const own = answers.slice(next, (next += traveler.branches.length));
    branchOut(traveler, { step, asked: years[who]!, answers: own, codes: of.codes });
  });
}

function askedYear({ career, begin }: Traveler, step: number, options: PathOptions): AskedYear {
  const { year, education } = career.observations[begin + step]!;
  if (options.education === "truly") return { year, education };
  return { year, education: career.observations[begin - 1]!.education };
}

async function askAll(
  { model }: CareerModel,
  questions: readonly OccupationQuestion[],
  signal: AbortSignal | undefined,
): Promise<Float64Array[]> {
  const answers: Float64Array[] = [];
  for (let first = 0; first < questions.length; first += GROUP_QUESTIONS) {
    signal?.throwIfAborted();
    answers.push(
      ...(await distributionsOf(model, questions.slice(first, first + GROUP_QUESTIONS))),
    );
  }
  return answers;
}

/** Draws the next occupation of every path, and parts those that differ. */
function branchOut(
  traveler: Traveler,
  {
    step,
    asked,
    answers,
    codes,
  }: {
    readonly step: number;
    readonly asked: AskedYear;
    readonly answers: readonly Float64Array[];
    readonly codes: readonly string[];
  },
): void {
  traveler.branches = traveler.branches.flatMap(({ told, paths }, which) => {
    const drawn = new Map<number, number[]>();
    for (const path of paths) {
      const occupation = draw(answers[which]!, traveler.streams[path]!.uniform());
      traveler.counts[step]![occupation]! += 1;
      const same = drawn.get(occupation);
      if (same === undefined) drawn.set(occupation, [path]);
      else same.push(path);
    }
    return Array.from(drawn, ([occupation, same]) => ({
      told: [...told, { ...asked, occupation: codes[occupation]! }],
      paths: same,
    }));
  });
}

/** The occupation at which the cumulative probability passes a uniform number. */
function draw(distribution: Float64Array, uniform: number): number {
  let left = uniform * distribution.reduce((sum, p) => sum + p, 0);
  let last = 0;
  for (const [occupation, p] of distribution.entries()) {
    if (p <= 0) continue;
    last = occupation;
    left -= p;
    if (left < 0) break;
  }
  return last; // rounding may leave a little over
}
