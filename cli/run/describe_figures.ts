import type { Career } from "../../data/career.ts";
import { isStatus, occupationIndex, OCCUPATIONS } from "../../data/occupations.ts";
import type { Figure, HeatMapFigure } from "../report/document.ts";
import type { CareersSummary, NamedCareers } from "./describe.ts";

/** Bars of the plot of occupations. */
const NUM_BARS = 15;

/** What the figures show, by the section they stand in. */
export interface DescribeFigures {
  readonly years: readonly Figure[];
  readonly occupations: readonly Figure[];
  readonly groups: readonly Figure[];
}

/** The plots of sets of careers: lengths, transitions by year, occupations, moves between groups. */
export function describeFigures(
  sets: readonly NamedCareers[],
  summaries: readonly CareersSummary[],
): DescribeFigures {
  return {
    years: [lengthFigure(sets), movingFigure(sets)],
    occupations: [
      occupationFigure(summaries),
      ...sets.map((set, i) => transitionFigure(set, i + 1)),
    ],
    groups: [educationFigure(summaries)],
  };
}

function lengthFigure(sets: readonly NamedCareers[]): Figure {
  return {
    kind: "curves",
    id: "lengths",
    title: "Lengths of careers",
    caption: "Share of the people who are observed in at least so many years.",
    xLabel: "Years observed",
    yLabel: "Share of people",
    series: sets.map(({ name, careers }) => {
      const lengths = careers.map(({ observations }) => observations.length);
      const longest = lengths.reduce((a, b) => Math.max(a, b), 0);
      const points = Array.from({ length: longest }, (_, i) => {
        const reached = lengths.filter((length) => length > i).length;
        return [i + 1, reached / careers.length] as const;
      });
      return { name, points };
    }),
  };
}

function movingFigure(sets: readonly NamedCareers[]): Figure {
  return {
    kind: "curves",
    id: "moving",
    title: "Moving by year",
    caption:
      "Share of the person-years, but for people's first, whose occupation or status is another " +
      "than in the year observed before.",
    xLabel: "Year",
    yLabel: "Share that moves",
    series: sets.map(({ name, careers }) => ({ name, points: movingByYear(careers) })),
  };
}

function movingByYear(careers: readonly Career[]): (readonly [number, number])[] {
  const counts = new Map<number, { moved: number; all: number }>();
  for (const { observations } of careers) {
    for (const [i, { year, occupation }] of observations.entries()) {
      const previous = observations[i - 1];
      if (previous === undefined) continue;
      const { moved, all } = counts.get(year) ?? { moved: 0, all: 0 };
      const hasMoved = previous.occupation !== occupation;
      counts.set(year, { moved: moved + (hasMoved ? 1 : 0), all: all + 1 });
    }
  }
  return [...counts]
    .toSorted(([a], [b]) => a - b)
    .map(([year, { moved, all }]) => [year, moved / all] as const);
}

function occupationFigure(summaries: readonly CareersSummary[]): Figure {
  return {
    kind: "bars",
    id: "occupations",
    title: "The most frequent occupations and statuses",
    label: "Share of person-years",
    rows: summaries.flatMap(({ name, occupations, personYears }) =>
      occupations.slice(0, NUM_BARS).map((each) => ({
        name: each.title,
        group: name,
        value: each.personYears / personYears,
      })),
    ),
  };
}

function educationFigure(summaries: readonly CareersSummary[]): Figure {
  return {
    kind: "bars",
    id: "education",
    title: "Education",
    label: "Share of person-years",
    rows: summaries.flatMap(({ name, education, personYears }) =>
      education.map(([level, count]) => ({ name: level, group: name, value: count / personYears })),
    ),
  };
}

/** Groups of occupations: the major groups that occ1990dd has by ranges of its codes. */
const GROUPS: readonly (readonly [last: number, name: string])[] = [
  [37, "Managers"],
  [199, "Professionals"],
  [235, "Technicians"],
  [283, "Sales"],
  [389, "Office"],
  [408, "Household"],
  [427, "Protective service"],
  [472, "Other service"],
  [498, "Farming"],
  [549, "Mechanics"],
  [617, "Construction, mining"],
  [699, "Precision production"],
  [799, "Machine operators"],
  [889, "Transport, laborers"],
  [999, "Armed forces, unknown"],
];

/** The group of an occupation; a status is a group of its own. */
export function groupOf(code: string): string {
  if (isStatus(code)) return OCCUPATIONS[occupationIndex(code)]?.title ?? code;
  return GROUPS.find(([last]) => Number(code) <= last)?.[1] ?? code;
}

function transitionFigure({ name, careers }: NamedCareers, number: number): HeatMapFigure {
  const counts = new Map<string, Map<string, number>>();
  for (const { observations } of careers) {
    for (const [i, { occupation }] of observations.entries()) {
      const previous = observations[i - 1];
      if (previous === undefined) continue;
      const row = counts.get(groupOf(previous.occupation)) ?? new Map<string, number>();
      counts.set(groupOf(previous.occupation), row);
      row.set(groupOf(occupation), (row.get(groupOf(occupation)) ?? 0) + 1);
    }
  }
  const all = [...new Set(OCCUPATIONS.map(({ code }) => groupOf(code)))];
  const seen = all.filter(
    (group) => counts.has(group) || [...counts.values()].some((row) => row.has(group)),
  );
  return {
    kind: "heat map",
    id: `transitions-${number}`,
    title: `Where people go, ${name}`,
    caption:
      "Shares of each row: of the person-years after one in the row's group, where they are.",
    rowLabel: "From",
    columnLabel: "To",
    valueLabel: "Share",
    rows: seen,
    columns: seen,
    values: seen.map((from) => {
      const row = counts.get(from);
      if (row === undefined) return seen.map(() => null);
      const total = [...row.values()].reduce((a, b) => a + b, 0);
      return seen.map((to) => (row.get(to) ?? 0) / total);
    }),
  };
}
