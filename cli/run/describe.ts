import { type Career, EDUCATION_LEVELS } from "../../data/career.ts";
import { isStatus, occupationIndex, OCCUPATIONS } from "../../data/occupations.ts";
import { splitCareers } from "../../data/split.ts";
import type { Cell, Figure, ReportDocument, Section, Table } from "../report/document.ts";
import { describeFigures } from "./describe_figures.ts";

/** Careers under the name that a report gives them. */
export interface NamedCareers {
  readonly name: string;
  readonly careers: readonly Career[];
}

/** How many of each kind of person-years there are: a person's first, a new state, the same again. */
export interface TransitionCounts {
  readonly first: number;
  readonly moving: number;
  readonly staying: number;
}

/** What a set of careers amounts to; the numbers of the tables. */
export interface CareersSummary {
  readonly name: string;
  readonly people: number;
  readonly personYears: number;
  readonly transitions: TransitionCounts;
  /** Person-years of a person: the middle one is the mean of two where they are even. */
  readonly length: { readonly mean: number; readonly median: number; readonly max: number };
  readonly years: { readonly first: number; readonly last: number };
  readonly birthYears: { readonly first: number; readonly last: number } | null;
  /** People and person-years of the split by person that `tenure prepare` makes by default. */
  readonly split: Readonly<Record<"train" | "valid" | "test", SplitPart>>;
  /** Person-years by occupation or status, most frequent first. */
  readonly occupations: readonly OccupationCount[];
  /** Person-years by education, in ascending order of the levels. */
  readonly education: readonly (readonly [string, number])[];
  /** People by gender, ethnicity and region, most frequent first; no region is `"none told"`. */
  readonly gender: readonly (readonly [string, number])[];
  readonly ethnicity: readonly (readonly [string, number])[];
  readonly region: readonly (readonly [string, number])[];
}

/** A part of the split. */
export interface SplitPart {
  readonly people: number;
  readonly personYears: number;
  readonly transitions: TransitionCounts;
}

/** How frequent an occupation is. */
export interface OccupationCount {
  readonly code: string;
  readonly title: string;
  readonly personYears: number;
}

/** Seed of the split, as `tenure prepare` has it by default. */
const SPLIT_SEED = 1;

const NO_REGION = "none told";

/**
 * Counts what careers amount to.
 *
 * @throws {RangeError} If there are no careers, or an id occurs twice.
 */
export function summarizeCareers({ name, careers }: NamedCareers): CareersSummary {
  if (careers.length === 0) {
    throw new RangeError(`Cannot describe ${name}: there must be at least one career, got none`);
  }
  const lengths = careers.map(({ observations }) => observations.length).toSorted((a, b) => a - b);
  const years = range(careers.flatMap(({ observations }) => observations.map(({ year }) => year)));
  const births = careers.flatMap(({ birthYear }) => (birthYear === undefined ? [] : [birthYear]));
  const states = careers.flatMap(({ observations }) => observations);
  const split = splitCareers(careers, { seed: SPLIT_SEED });
  const whole = partOf(careers);
  const education = new Map(tally(states.map((state) => state.education)));
  return {
    name,
    ...whole,
    length: {
      mean: whole.personYears / whole.people,
      median: median(lengths),
      max: lengths.at(-1) ?? 0,
    },
    years,
    birthYears: births.length === 0 ? null : range(births),
    split: {
      train: partOf(split.train),
      valid: partOf(split.valid),
      test: partOf(split.test),
    },
    occupations: tally(states.map(({ occupation }) => occupation)).map(([code, personYears]) => ({
      code,
      title: OCCUPATIONS[occupationIndex(code)]?.title ?? code,
      personYears,
    })),
    education: EDUCATION_LEVELS.map((level) => [level, education.get(level) ?? 0] as const),
    gender: tally(careers.map(({ gender }) => gender)),
    ethnicity: tally(careers.map(({ ethnicity }) => ethnicity)),
    region: tally(careers.map(({ region }) => region ?? NO_REGION)),
  };
}

function partOf(careers: readonly Career[]): SplitPart {
  const transitions = { first: 0, moving: 0, staying: 0 };
  for (const { observations } of careers) {
    for (const [i, { occupation }] of observations.entries()) {
      const previous = observations[i - 1];
      const kind =
        previous === undefined
          ? "first"
          : previous.occupation === occupation
            ? "staying"
            : "moving";
      transitions[kind] += 1;
    }
  }
  const { first, moving, staying } = transitions;
  return { people: careers.length, personYears: first + moving + staying, transitions };
}

function median(sorted: readonly number[]): number {
  const half = sorted.length >> 1;
  const upper = sorted[half] ?? 0;
  return sorted.length % 2 === 1 ? upper : ((sorted[half - 1] ?? 0) + upper) / 2;
}

function range(numbers: readonly number[]): { first: number; last: number } {
  let [first, last] = [Infinity, -Infinity];
  for (const number of numbers) [first, last] = [Math.min(first, number), Math.max(last, number)];
  return { first, last };
}

/** Values with their counts, most frequent first, then by name. */
function tally(values: readonly string[]): (readonly [string, number])[] {
  const counts = new Map<string, number>();
  for (const value of values) counts.set(value, (counts.get(value) ?? 0) + 1);
  return [...counts].toSorted(([a, m], [b, n]) => n - m || (a < b ? -1 : 1));
}

/** What {@linkcode describeCareers} shows. */
export interface DescribeOptions {
  /** Rows of the table of occupations. @default {20} */
  readonly top?: number;
}

/**
 * The tables and figures that a paper has of its data, one column a set of careers.
 *
 * @throws {RangeError} If a set is empty, has an id twice, or two have one name.
 */
export function describeCareers(
  sets: readonly NamedCareers[],
  { top = 20 }: DescribeOptions = {},
): ReportDocument {
  const names = sets.map(({ name }) => name);
  const twice = names.find((name, i) => names.indexOf(name) !== i);
  if (twice !== undefined) {
    throw new RangeError(`Cannot describe careers: names must be different, got "${twice}" twice`);
  }
  const summaries = sets.map(summarizeCareers);
  const figures = describeFigures(sets, summaries);
  return {
    title: `Careers: ${names.join(", ")}`,
    facts: [],
    sections: [
      section("people", "People and years", {
        tables: [sizeTable(summaries), splitTable(summaries)],
        figures: figures.years,
      }),
      section("occupations", "Occupations and statuses", {
        tables: [occupationTable(summaries, top)],
        figures: figures.occupations,
      }),
      section("groups", "Education and demographics", {
        tables: [groupTable(summaries)],
        figures: figures.groups,
      }),
    ],
  };
}

function section(
  id: string,
  title: string,
  { tables, figures }: { readonly tables: readonly Table[]; readonly figures: readonly Figure[] },
): Section {
  return { id, title, text: [], tables, figures };
}

/** A table with a column of labels, and a column for each set. */
function bySet(
  table: Pick<Table, "id" | "title" | "note">,
  summaries: readonly CareersSummary[],
  rows: readonly (readonly [label: string, cell: (summary: CareersSummary) => Cell])[],
): Table {
  return {
    ...table,
    columns: [
      { label: "" },
      ...summaries.map(({ name }) => ({ label: name, align: "right" as const })),
    ],
    rows: rows.map(([label, cell]) => [label, ...summaries.map(cell)]),
  };
}

function sizeTable(summaries: readonly CareersSummary[]): Table {
  return bySet({ id: "sizes", title: "People, person-years and transitions" }, summaries, [
    ["People", ({ people }) => count(people)],
    ["Person-years", ({ personYears }) => count(personYears)],
    ...KINDS.map(
      (kind) =>
        [
          TITLE_OF_KIND[kind],
          ({ transitions, personYears }: CareersSummary): Cell =>
            withShare(transitions[kind], personYears),
        ] as const,
    ),
    ["Person-years a person, mean", ({ length }) => length.mean.toFixed(2)],
    ["Person-years a person, median", ({ length }) => String(length.median)],
    ["Person-years a person, most", ({ length }) => String(length.max)],
    ["Years", ({ years }) => `${years.first}–${years.last}`],
    [
      "Birth years",
      ({ birthYears }) => (birthYears === null ? null : `${birthYears.first}–${birthYears.last}`),
    ],
    [
      "Occupations and statuses that occur",
      ({ occupations }) => `${occupations.length} of ${OCCUPATIONS.length}`,
    ],
  ]);
}

const KINDS = ["first", "moving", "staying"] as const;
const TITLE_OF_KIND = { first: "First", moving: "Moving", staying: "Staying" } as const;

function splitTable(summaries: readonly CareersSummary[]): Table {
  const rows = (["train", "valid", "test"] as const).flatMap((part) => [
    [`People, ${part}`, ({ split }: CareersSummary): Cell => count(split[part].people)] as const,
    [
      `Person-years, ${part}`,
      ({ split }: CareersSummary): Cell => count(split[part].personYears),
    ] as const,
  ]);
  const test = KINDS.map(
    (kind) =>
      [
        `${TITLE_OF_KIND[kind]}, test`,
        ({ split }: CareersSummary): Cell => count(split.test.transitions[kind]),
      ] as const,
  );
  const note = `70/10/20 by person, as tenure prepare splits them with seed ${SPLIT_SEED}.`;
  return bySet({ id: "split", title: "Split by person", note }, summaries, [...rows, ...test]);
}

function occupationTable(summaries: readonly CareersSummary[], top: number): Table {
  const share = ({ occupations, personYears }: CareersSummary, code: string): number =>
    (occupations.find((each) => each.code === code)?.personYears ?? 0) / personYears;
  const total = new Map<string, number>();
  for (const summary of summaries) {
    for (const { code } of summary.occupations) {
      total.set(code, (total.get(code) ?? 0) + share(summary, code));
    }
  }
  const codes = [...total]
    .toSorted(([a, m], [b, n]) => n - m || occupationIndex(a) - occupationIndex(b))
    .slice(0, top)
    .map(([code]) => code);
  return {
    id: "occupations",
    title: `The ${codes.length} most frequent occupations and statuses`,
    note: "Shares of the person-years; ordered by the mean share.",
    columns: [
      { label: "Code" },
      { label: "Title" },
      ...summaries.map(({ name }) => ({ label: name, align: "right" as const })),
    ],
    rows: codes.map((code) => [
      isStatus(code) ? "–" : code,
      OCCUPATIONS[occupationIndex(code)]?.title ?? code,
      ...summaries.map((summary) => percent(share(summary, code))),
    ]),
  };
}

function groupTable(summaries: readonly CareersSummary[]): Table {
  const rows = (["gender", "ethnicity", "region", "education"] as const).flatMap((group) => {
    const names = new Set(summaries.flatMap((summary) => summary[group].map(([name]) => name)));
    return [...names].map((name) => {
      const cell = (summary: CareersSummary): Cell => {
        const found = summary[group].find(([each]) => each === name)?.[1] ?? 0;
        return withShare(found, group === "education" ? summary.personYears : summary.people);
      };
      return [`${group}: ${name}`, cell] as const;
    });
  });
  const note = "Gender, ethnicity and region of people; education of person-years.";
  return bySet({ id: "groups", title: "Groups", note }, summaries, rows);
}

function count(number: number): string {
  return number.toLocaleString("en-US");
}

function percent(share: number): string {
  return `${(100 * share).toFixed(1)}%`;
}

function withShare(part: number, whole: number): string {
  return `${count(part)} (${percent(part / whole)})`;
}
