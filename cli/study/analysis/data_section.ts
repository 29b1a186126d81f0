import { type Career, EDUCATION_LEVELS, OCCUPATIONS } from "../../../data/mod.ts";
import type { CurvesFigure, HeatMapFigure, Section, Table } from "../../report/document.ts";
import type { PopulationResult } from "../results.ts";
import type { Analysis } from "./analysis.ts";
import { GROUP_NAMES, groupIndex } from "./occupation_groups.ts";
import { columnsOf, sectionOf, tableOf } from "./section.ts";

/** People to describe. */
export interface DescribedPeople {
  readonly name: string;
  readonly careers: readonly Career[];
}

/** Occupations whose shares are shown: as many of each population. */
const NUM_SHARES = 12;

/** Who the people of a study are, and how they move. */
export function dataSection(analysis: Analysis): Section | undefined {
  const { populations } = analysis.results;
  const people = populations.map(({ name, train, valid, test }) => ({
    name,
    careers: [...train, ...valid, ...test],
  }));
  if (people.every(({ careers }) => careers.length === 0)) return undefined;
  return sectionOf({
    id: "data",
    title: "Data",
    tables: [
      peopleTable(people),
      partsTable(populations),
      sharesTable(people),
      traitsTable(people),
    ],
    figures: [
      lengthsFigure(people),
      ...people.map((one) => transitionsFigure(one, analysis.slug(one.name))),
    ],
  });
}

/** People, person-years, transitions by type, observations per person: a row a population. */
export function peopleTable(people: readonly DescribedPeople[]): Table | undefined {
  return tableOf({
    id: "data-people",
    title: "People and person-years",
    columns: [
      { label: "Population" },
      ...columnsOf(["People", "Person-years"], 0),
      ...columnsOf(["First, %", "Staying, %", "Moving, %", "A person, mean"], 1),
      ...columnsOf(["Median", "Most", "Occupations", "First year", "Last year"], 0),
    ],
    rows: people.flatMap(({ name, careers }) => {
      if (careers.length === 0) return [];
      const { numObservations, first, staying, moving } = countKinds(careers);
      const lengths = careers.map(({ observations }) => observations.length).toSorted(ascending);
      const years = careers.flatMap(({ observations }) => [
        observations[0]!.year,
        observations.at(-1)!.year,
      ]);
      const codes = careers.flatMap(({ observations }) => observations.map((o) => o.occupation));
      return [
        [
          name,
          careers.length,
          numObservations,
          ...[first, staying, moving].map((count) => (100 * count) / numObservations),
          numObservations / careers.length,
          median(lengths),
          lengths.at(-1)!,
          new Set(codes).size,
          years.reduce((a, b) => Math.min(a, b)),
          years.reduce((a, b) => Math.max(a, b)),
        ],
      ];
    }),
    note: "First: a person's first observation; staying and moving: the same, or another occupation than in the observation before.",
  });
}

/** The three parts of each population. */
function partsTable(populations: readonly PopulationResult[]): Table | undefined {
  return tableOf({
    id: "data-parts",
    title: "People to learn from, to choose by, and to judge by",
    columns: [
      { label: "Population" },
      { label: "Part" },
      ...columnsOf(["People", "Person-years", "First", "Staying", "Moving"], 0),
    ],
    rows: populations.flatMap((population) =>
      (["train", "valid", "test"] as const).map((part) => {
        const { numObservations, first, staying, moving } = countKinds(population[part]);
        const numPeople = population[part].length;
        return [population.name, part, numPeople, numObservations, first, staying, moving];
      }),
    ),
  });
}

/** The commonest occupations, and statuses, as shares of person-years. */
export function sharesTable(people: readonly DescribedPeople[]): Table | undefined {
  const shares = people.map(({ careers }) => sharesOf(careers, ({ occupation }) => occupation));
  const shown = new Set(
    shares.flatMap((share) =>
      [...share]
        .toSorted(([, a], [, b]) => b - a)
        .slice(0, NUM_SHARES)
        .map(([code]) => code),
    ),
  );
  const total = (code: string) => shares.reduce((sum, share) => sum + (share.get(code) ?? 0), 0);
  return tableOf({
    id: "data-occupations",
    title: "Commonest occupations, % of person-years",
    columns: [
      { label: "Occupation" },
      ...columnsOf(
        people.map(({ name }) => name),
        1,
      ),
    ],
    rows: [...shown]
      .toSorted((a, b) => total(b) - total(a))
      .map((code) => [
        OCCUPATIONS.find((occupation) => occupation.code === code)?.title ?? code,
        ...shares.map((share) => 100 * (share.get(code) ?? 0)),
      ]),
  });
}

/** Education of person-years; gender, ethnicity, region of people. */
export function traitsTable(people: readonly DescribedPeople[]): Table | undefined {
  const fields = [
    ["Gender", ({ gender }: Career) => gender],
    ["Ethnicity", ({ ethnicity }: Career) => ethnicity],
    ["Region", ({ region }: Career) => region ?? "unknown"],
  ] as const;
  const education = people.map(({ careers }) => sharesOf(careers, (o) => o.education));
  const rows = EDUCATION_LEVELS.map((level) => [
    "Education, of person-years",
    level,
    ...education.map((share) => 100 * (share.get(level) ?? 0)),
  ]);
  for (const [field, valueOf] of fields) {
    const values = new Set(people.flatMap(({ careers }) => careers.map(valueOf)));
    for (const value of [...values].toSorted()) {
      const shareOf = ({ careers }: DescribedPeople) =>
        (100 * careers.filter((career) => valueOf(career) === value).length) / careers.length;
      rows.push([field, value, ...people.map(shareOf)]);
    }
  }
  return tableOf({
    id: "data-traits",
    title: "Who the people are, %",
    columns: [
      { label: "Trait" },
      { label: "Value" },
      ...columnsOf(
        people.map(({ name }) => name),
        1,
      ),
    ],
    rows,
  });
}

/** Share of people with at least so many observations. */
export function lengthsFigure(people: readonly DescribedPeople[]): CurvesFigure {
  return {
    kind: "curves",
    id: "data-lengths",
    title: "Observations a person",
    caption: "Share of people with at least so many observations.",
    xLabel: "observations",
    yLabel: "share of people",
    series: people.map(({ name, careers }) => {
      const lengths = careers.map(({ observations }) => observations.length);
      const longest = lengths.reduce((a, b) => Math.max(a, b), 0);
      const atLeast = new Float64Array(longest + 1);
      for (const length of lengths) atLeast[length]! += 1 / careers.length;
      for (let n = longest - 1; n > 0; n--) atLeast[n]! += atLeast[n + 1]!;
      return {
        name,
        points: Array.from({ length: longest }, (_, i) => [i + 1, atLeast[i + 1]!] as const),
      };
    }),
  };
}

/** From which broad group people move to which, by rows that sum to one. */
export function transitionsFigure(
  { name, careers }: DescribedPeople,
  slug: string,
): HeatMapFigure | undefined {
  const counts = GROUP_NAMES.map(() => new Float64Array(GROUP_NAMES.length));
  for (const { observations } of careers) {
    const groups = observations.map(({ occupation }) => groupIndex(occupation));
    for (let i = 1; i < groups.length; i++) counts[groups[i - 1]!]![groups[i]!]! += 1;
  }
  const totals = counts.map((row) => row.reduce((sum, count) => sum + count, 0));
  if (totals.every((total) => total === 0)) return undefined;
  return {
    kind: "heat map",
    id: `data-transitions-${slug}`,
    title: `Transitions between broad groups of occupations, ${name}`,
    caption:
      "Share, of all observations that follow one in the row's group, that are in the column's group; staying in an occupation is on the diagonal.",
    rowLabel: "from",
    columnLabel: "to",
    valueLabel: "share",
    rows: GROUP_NAMES,
    columns: GROUP_NAMES,
    values: counts.map((row, from) =>
      Array.from(row, (count) => (totals[from] === 0 ? null : count / totals[from]!)),
    ),
  };
}

function countKinds(careers: readonly Career[]) {
  let [numObservations, staying] = [0, 0];
  for (const { observations } of careers) {
    numObservations += observations.length;
    for (let i = 1; i < observations.length; i++) {
      if (observations[i]!.occupation === observations[i - 1]!.occupation) staying++;
    }
  }
  const first = careers.length;
  return { numObservations, first, staying, moving: numObservations - first - staying };
}

/** Shares of person-years by a value. */
function sharesOf(
  careers: readonly Career[],
  valueOf: (observation: Career["observations"][number]) => string,
): Map<string, number> {
  const counts = new Map<string, number>();
  let total = 0;
  for (const { observations } of careers) {
    for (const observation of observations) {
      const value = valueOf(observation);
      counts.set(value, (counts.get(value) ?? 0) + 1);
      total++;
    }
  }
  return new Map(Array.from(counts, ([value, count]) => [value, count / total]));
}

function ascending(a: number, b: number): number {
  return a - b;
}

function median(sorted: readonly number[]): number {
  const middle = (sorted.length - 1) / 2;
  return (sorted[Math.floor(middle)]! + sorted[Math.ceil(middle)]!) / 2;
}
