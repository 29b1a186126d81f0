import type { Career } from "../career.ts";
import { quote } from "../career_check.ts";
import { type CareerFormat, readCareers } from "../read_careers.ts";

/** A person of a table of careers. */
export interface ListedPerson {
  readonly id: string;
  readonly firstYear: number;
  readonly lastYear: number;
  readonly numYears: number;
}

/** Careers in a file, of which one is chosen. */
export interface CareersFile {
  readonly format: CareerFormat;
  /** In the order of the file; its first ones where it has more than are listed. */
  readonly people: readonly ListedPerson[];
  /** Whether `people` are all. */
  readonly isComplete: boolean;
  /** What to tell the person who chooses; empty where there is nothing to. */
  readonly notes: readonly string[];
  /**
   * Reads the career of a person, listed or not.
   *
   * @throws {RangeError} If there is none of that id.
   * @throws {SyntaxError} If the file is damaged before that person.
   */
  readCareer(id: string): Promise<Career>;
}

/** A file of careers, opened from its beginning each time. */
export interface CareersSource {
  readonly name: string;
  readonly format: CareerFormat;
  readonly open: () => ReadableStream<Uint8Array>;
}

/**
 * Lists the people of a file of careers, and lets one be read. The file is streamed, up to the last
 * person listed and again up to the one that is chosen; no career is kept.
 *
 * @throws {SyntaxError} At the first listed row that is wrong, with file and line.
 */
export async function openCareersFile(
  { name, format, open }: CareersSource,
  maxPeople: number,
): Promise<CareersFile> {
  const people: ListedPerson[] = [];
  let isComplete = true;
  for await (const { id, observations } of readCareers(open(), { format, file: name })) {
    if (people.length >= maxPeople) {
      isComplete = false;
      break;
    }
    people.push({
      id,
      firstYear: observations[0]!.year,
      lastYear: observations.at(-1)!.year,
      numYears: observations.length,
    });
  }
  const notes = isComplete
    ? []
    : [
        `${name} has more than ${maxPeople} people; the first are listed, choose others by their id`,
      ];
  const readCareer = async (wanted: string): Promise<Career> => {
    for await (const career of readCareers(open(), { format, file: name })) {
      if (career.id === wanted) return career;
    }
    throw new RangeError(
      `Cannot read ${name}: the id must be that of a person in it, got ${quote(wanted)}`,
    );
  };
  return { format, people, isComplete, notes, readCareer };
}
