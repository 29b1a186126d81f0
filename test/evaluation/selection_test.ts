import assert from "node:assert/strict";
import { test } from "node:test";
import type { Career } from "../../data/career.ts";
import {
  onCommonPeople,
  positionsOf,
  selectObservations,
  selectPeople,
} from "../../model/evaluation/selection.ts";
import { inSubgroup, subgroupsOf } from "../../model/evaluation/subgroups.ts";
import { madePredictions } from "./made_predictions.ts";

const PEOPLE = [[{ rank: 1 }, { rank: 2 }], [{ rank: 3 }], [{ rank: 4 }, { rank: 5 }, { rank: 6 }]];

test("selectObservations() keeps all people, selectPeople() numbers them anew", () => {
  const predictions = madePredictions(PEOPLE);
  const odd = selectObservations(predictions, (i) => predictions.rank[i]! % 2 === 1);
  assert.deepEqual([[...odd.rank], [...odd.person], odd.ids.length], [[1, 3, 5], [0, 1, 2], 3]);
  const some = selectPeople(predictions, new Set(["p2", "p0", "nobody"]));
  assert.deepEqual(some.ids, ["p0", "p2"]);
  assert.deepEqual([...some.rank], [1, 2, 4, 5, 6]);
  assert.deepEqual([...some.person], [0, 0, 1, 1, 1]);
});

test("onCommonPeople() keeps those of both, and refuses different observations", () => {
  const a = madePredictions(PEOPLE);
  assert.deepEqual(onCommonPeople(a, a), [a, a]);
  const b = madePredictions(PEOPLE.slice(1), ["p1", "p2"]);
  const [some, others] = onCommonPeople(a, b);
  assert.deepEqual([some.ids, others.ids], [b.ids, b.ids]);
  assert.deepEqual([...some.rank], [3, 4, 5, 6]);
  const shorter = madePredictions([PEOPLE[0]!.slice(1)], ["p0"]);
  assert.throws(() => onCommonPeople(a, shorter), { name: "RangeError", message: /same obs/ });
  const other = madePredictions([[{ occupation: 9 }, {}]], ["p0"]);
  assert.throws(() => onCommonPeople(a, other), { name: "RangeError", message: /same obs/ });
});

test("positionsOf() counts within a person", () => {
  assert.deepEqual([...positionsOf(madePredictions(PEOPLE))], [1, 2, 1, 1, 2, 3]);
});

function career(id: string, gender: string, years: readonly number[]): Career {
  const observations = years.map((year) => ({
    year,
    education: year < 2000 ? ("high school" as const) : ("college" as const),
    occupation: "4",
  }));
  return { id, gender, ethnicity: "white", observations };
}

test("subgroupsOf() divides by education of the year, gender, ethnicity and decade", () => {
  const careers = [
    career("p2", "male", [1999, 2001, 2011]),
    career("p0", "female", [1989, 1990]),
    career("p1", "male", [2019]),
  ];
  const predictions = madePredictions(PEOPLE);
  const groups = subgroupsOf(predictions, careers);
  assert.deepEqual(
    groups.map((group) => [group.field, group.value, [...inSubgroup(predictions, group).rank]]),
    [
      ["education", "college", [3, 5, 6]],
      ["education", "high school", [1, 2, 4]],
      ["gender", "female", [1, 2]],
      ["gender", "male", [3, 4, 5, 6]],
      ["ethnicity", "white", [1, 2, 3, 4, 5, 6]],
      ["decade", "1980s", [1]],
      ["decade", "1990s", [2, 4]],
      ["decade", "2000s", [5]],
      ["decade", "2010s", [3, 6]],
    ],
  );
  assert.throws(() => subgroupsOf(predictions, careers.slice(1)), {
    name: "RangeError",
    message: /must be in the careers, got none for observation 1 of career "p2"/,
  });
});
