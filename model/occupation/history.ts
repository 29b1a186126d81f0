import type { Career } from "../../data/career.ts";
import type { OccupationModel, OccupationQuestion, Person, Score } from "./occupation_model.ts";
import { distributionsOf } from "./occupation_model.ts";

/** A stretch of a career whose last observations are asked about; see `historyPieces()`. */
export interface Stretch {
  readonly career: Career;
  /** Index, in the whole career, of the first observation of the stretch. */
  readonly begin: number;
  /** First observation of the stretch that is asked about. */
  readonly askedFrom: number;
}

/** Options of {@linkcode withPieces}. */
export interface PiecesOptions {
  /** Cuts a career into stretches that ask about every observation once, in order. */
  readonly cut: (career: Career) => readonly Stretch[];
  /** A career as the model sees it. */
  readonly toPerson: (career: Career) => Person;
}

/** Stretches that a model is given at a time, of whole people. */
const STRETCHES = 512;

/**
 * A model that is told less: each observation is asked about in a stretch of the career, as if
 * nothing had come before it.
 *
 * @param base Any model.
 * @param options How careers are cut, and how the base sees a stretch.
 * @returns A model whose scores and distributions are of the observations of whole careers; of the
 *   people that it is given it reads the careers alone.
 *
 * @example Ten years of history
 * ```ts ignore
 * const cut = (career: Career) => historyPieces(career, 10);
 * const told = withPieces(model, { cut, toPerson: opened.person });
 * ```
 */
export function withPieces(
  base: OccupationModel,
  { cut, toPerson }: PiecesOptions,
): OccupationModel {
  const questionOf = ({ person: { career }, index }: OccupationQuestion): OccupationQuestion => {
    const stretch = cut(career).find(
      ({ begin, askedFrom, career: { observations } }) =>
        begin + askedFrom <= index && index < begin + observations.length,
    )!;
    return { person: toPerson(stretch.career), index: index - stretch.begin };
  };
  return {
    name: base.name,
    numOccupations: base.numOccupations,
    async *score(people) {
      for (const group of groups(people, cut)) {
        const asked = group.flatMap(({ person, stretches }) =>
          stretches.map((stretch) => askedPerson(stretch, person, toPerson)),
        );
        const scores: Score[] = [];
        for await (const score of base.score(asked)) scores.push(score);
        let next = 0;
        for (const { person, stretches } of group) {
          const own = scores.slice(next, (next += stretches.length));
          yield assemble(person, stretches, own);
        }
      }
    },
    async distribution(person, index) {
      const question = questionOf({ person, index });
      return base.distribution(question.person, question.index);
    },
    distributions: (questions) => distributionsOf(base, questions.map(questionOf)),
  };
}

interface CutPerson {
  readonly person: Person;
  readonly stretches: readonly Stretch[];
}

/** People and the stretches that are asked about, some at a time. */
function* groups(
  people: Iterable<Person>,
  cut: PiecesOptions["cut"],
): Generator<readonly CutPerson[]> {
  let group: CutPerson[] = [];
  let size = 0;
  for (const person of people) {
    const { askedFrom = 0 } = person;
    const stretches = cut(person.career).filter(
      ({ begin, career: { observations } }) => begin + observations.length > askedFrom,
    );
    group.push({ person, stretches });
    size += stretches.length;
    if (size < STRETCHES) continue;
    yield group;
    [group, size] = [[], 0];
  }
  if (group.length > 0) yield group;
}

function askedPerson(
  { career, begin, askedFrom }: Stretch,
  person: Person,
  toPerson: PiecesOptions["toPerson"],
): Person {
  const from = Math.max(askedFrom, (person.askedFrom ?? 0) - begin);
  return { ...toPerson(career), askedFrom: from };
}

/** The scores of the observations that each stretch asks about, side by side. */
function assemble(
  { occupations: { length } }: Person,
  stretches: readonly Stretch[],
  scores: readonly Score[],
): Score {
  const nan = () => new Float64Array(length).fill(NaN);
  const whole = { raw: nan(), normalized: nan(), stay: nan(), rank: new Uint16Array(length) };
  stretches.forEach(({ begin, askedFrom }, which) => {
    const score = scores[which]!;
    whole.raw.set(score.raw.subarray(askedFrom), begin + askedFrom);
    whole.normalized.set(score.normalized.subarray(askedFrom), begin + askedFrom);
    whole.stay.set(score.stay.subarray(askedFrom), begin + askedFrom);
    whole.rank.set(score.rank.subarray(askedFrom), begin + askedFrom);
  });
  return whole;
}
