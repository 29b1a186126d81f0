import { perplexityMeasure } from "../../../model/evaluation/measures.ts";
import type { Predictions } from "../../../model/evaluation/predictions.ts";
import {
  inSubgroup,
  type Subgroup,
  SUBGROUP_FIELDS,
  type SubgroupField,
  subgroupsOf,
} from "../../../model/evaluation/subgroups.ts";
import { type Career, EDUCATION_LEVELS } from "../../../data/mod.ts";
import type { Cell, Section, Table } from "../../report/document.ts";
import type { PopulationResult } from "../results.ts";
import type { Analysis, Judged } from "./analysis.ts";
import { columnsOf, sectionOf, tableOf } from "./section.ts";

const TITLES: Readonly<Record<SubgroupField, string>> = {
  education: "education in the year of the observation",
  gender: "gender",
  ethnicity: "ethnicity",
  decade: "decade",
};

/** Perplexities of groups of observations, and differences to the reference within them. */
export function subgroupsSection(analysis: Analysis): Section | undefined {
  return sectionOf({
    id: "subgroups",
    title: "Subgroups",
    tables: analysis.results.populations.flatMap((population) =>
      subgroupTables(analysis, population),
    ),
  });
}

function subgroupTables(analysis: Analysis, population: PopulationResult) {
  const judged = analysis.judged(population.name);
  const reference = analysis.reference(population.name);
  const [widest] = judged.toSorted((a, b) => b.predictions.ids.length - a.predictions.ids.length);
  if (!reference || !widest) return [];
  const groupsOf = dividing(population.test);
  const allGroups = groupsOf(widest.predictions);
  return SUBGROUP_FIELDS.map((field): Table | undefined => {
    const groups = allGroups.filter((group) => group.field === field).toSorted(byLevel);
    // One group says nothing that the whole does not.
    if (groups.length < 2) return undefined;
    const others = judged.filter((one) => one !== reference && one.run !== reference.run);
    const request = { analysis, groups, groupsOf, selected: new WeakMap() };
    return tableOf({
      id: `subgroups-${field}-${analysis.slug(population.name)}`,
      title: `Perplexity by ${TITLES[field]} on ${population.name}, and differences to ${reference.label}`,
      columns: [{ label: "Model" }, ...columnsOf(groups.map(({ value }) => value))],
      rows: [
        ["Person-years", ...groups.map(({ isMember }) => String(isMember.reduce(add, 0)))],
        ...judged.map(({ label, predictions }) => [label, ...perplexities(request, predictions)]),
        ...others.map((other) => [
          `${other.label} − ${reference.label}`,
          ...differences(request, [other, reference]),
        ]),
      ],
      note: analysis.errorNote,
    });
  });
}

interface Request {
  readonly analysis: Analysis;
  /** Groups that have a column. */
  readonly groups: readonly Subgroup[];
  readonly groupsOf: (predictions: Predictions) => readonly Subgroup[];
  /** Predictions by group, as they were selected. */
  readonly selected: WeakMap<Predictions, Map<string, Predictions>>;
}

function perplexities(request: Request, predictions: Predictions): Cell[] {
  return request.groups.map((group) => {
    const own = within(request, predictions, group);
    return own ? request.analysis.estimate(own, perplexityMeasure()) : null;
  });
}

function differences(request: Request, [other, reference]: readonly [Judged, Judged]): Cell[] {
  const { analysis } = request;
  const [a, b] = analysis.pair(other.predictions, reference.predictions);
  return request.groups.map((group) => {
    const [one, two] = [within(request, a, group), within(request, b, group)];
    return one && two ? analysis.differenceCell(one, two, perplexityMeasure()) : null;
  });
}

/** Predictions of the observations in the group of the same name, each selected once. */
function within(
  { groupsOf, selected }: Request,
  predictions: Predictions,
  { field, value }: Subgroup,
): Predictions | undefined {
  const known = selected.get(predictions) ?? new Map<string, Predictions>();
  selected.set(predictions, known);
  const key = `${field} ${value}`;
  const before = known.get(key);
  if (before) return before;
  const group = groupsOf(predictions).find((one) => one.field === field && one.value === value);
  if (!group) return undefined;
  const chosen = inSubgroup(predictions, group);
  known.set(key, chosen);
  return chosen;
}

/** Divides predictions once, and those of the same people only once. */
function dividing(careers: readonly Career[]): (predictions: Predictions) => readonly Subgroup[] {
  const known = new Map<string, readonly Subgroup[]>();
  const keys = new WeakMap<Predictions, string>();
  return (predictions) => {
    const key = keys.get(predictions) ?? predictions.ids.join("\n");
    keys.set(predictions, key);
    const groups = known.get(key) ?? subgroupsOf(predictions, careers);
    known.set(key, groups);
    return groups;
  };
}

/** Education by level; other values stay in their order. */
function byLevel(a: Subgroup, b: Subgroup): number {
  const levels: readonly string[] = EDUCATION_LEVELS;
  return levels.indexOf(a.value) - levels.indexOf(b.value);
}

function add(a: number, b: number): number {
  return a + b;
}
