import assert from "node:assert/strict";
import { test } from "node:test";
import { GROUP_NAMES, groupIndex } from "../../cli/study/analysis/occupation_groups.ts";
import {
  lengthsFigure,
  peopleTable,
  sharesTable,
  traitsTable,
  transitionsFigure,
} from "../../cli/study/analysis/data_section.ts";
import type { Career } from "../../data/career.ts";
import { OCCUPATIONS } from "../../data/occupations.ts";

function career(id: string, gender: string, occupations: readonly string[]): Career {
  const observations = occupations.map((occupation, index) => ({
    year: 2000 + 2 * index,
    education: index < 2 ? ("high school" as const) : ("college" as const),
    occupation,
  }));
  return { id, gender, ethnicity: "white", region: "south", observations };
}

const PEOPLE = [
  {
    name: "Some",
    careers: [
      career("a", "female", ["435", "435", "436", "education"]),
      career("b", "male", ["275"]),
      career("c", "male", ["275", "unemployed", "unemployed"]),
      career("d", "male", ["4", "999", "4"]),
    ],
  },
];

test("people, person-years, transitions and lengths are counted by hand", () => {
  const { rows, columns } = peopleTable(PEOPLE)!;
  assert.equal(rows[0]!.length, columns.length);
  const shares = [4, 2, 5].map((count) => (100 * count) / 11);
  assert.deepEqual(rows, [["Some", 4, 11, ...shares, 11 / 4, 3, 4, 7, 2000, 2006]]);
});

test("shares of occupations and traits are percentages", () => {
  const { rows } = sharesTable(PEOPLE)!;
  assert.deepEqual(
    rows.find(([title]) => title === "Unemployed"),
    ["Unemployed", 200 / 11],
  );
  assert.equal(rows.length, 7);
  const traits = traitsTable(PEOPLE)!.rows;
  const valueOf = (value: string) => traits.find((row) => row[1] === value)?.[2];
  assert.deepEqual([valueOf("male"), valueOf("south")], [75, 100]);
  assert.deepEqual([valueOf("high school"), valueOf("college")], [700 / 11, 400 / 11]);
});

test("lengths are shares of people with at least so many observations", () => {
  assert.deepEqual(lengthsFigure(PEOPLE).series[0]!.points, [
    [1, 1],
    [2, 0.75],
    [3, 0.75],
    [4, 0.25],
  ]);
});

test("transitions between broad groups sum to one by row, with nothing where nobody was", () => {
  const figure = transitionsFigure(PEOPLE[0]!, "some")!;
  const at = (from: string, to: string) =>
    figure.values[figure.rows.indexOf(from)]![figure.columns.indexOf(to)];
  assert.equal(at("Other service", "Other service"), 2 / 3);
  assert.equal(at("Other service", "In education"), 1 / 3);
  assert.equal(at("Sales", "Unemployed"), 1);
  assert.equal(at("Managers", "Other"), 1);
  assert.equal(at("Farming", "Farming"), null);
  for (const row of figure.values) {
    const sum = row.reduce((total: number, value) => total + (value ?? 0), 0);
    assert.ok(row.includes(null) || Math.abs(sum - 1) < 1e-12);
  }
});

test("every occupation has a broad group, and every group an occupation", () => {
  const groups = OCCUPATIONS.map(({ code }) => groupIndex(code));
  assert.ok(groups.every((group) => group >= 0));
  assert.equal(new Set(groups).size, GROUP_NAMES.length);
  const nameOf = (code: string) => GROUP_NAMES[groupIndex(code)];
  // The first and the last code of some groups.
  assert.deepEqual(["4", "37", "43", "199", "203", "235", "243", "283"].map(nameOf), [
    "Managers",
    "Managers",
    "Professionals",
    "Professionals",
    "Technicians",
    "Technicians",
    "Sales",
    "Sales",
  ]);
  assert.deepEqual(["473", "503", "628", "703", "803", "999", "education"].map(nameOf), [
    "Farming",
    "Mechanics",
    "Precision production",
    "Machine operators",
    "Transport, laborers",
    "Other",
    "In education",
  ]);
});
