import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { careerProblem } from "../../data/career_check.ts";
import {
  addYear,
  careerOf,
  changeRow,
  type Draft,
  draftOf,
  draftProblems,
  emptyDraft,
  removeRow,
  repeatRow,
} from "../../web/page/career/draft.ts";
import { withBirthYear, withRegion } from "../../web/page/career/who_form.ts";
import { ETHNICITIES, withValue } from "../../web/page/career/words.ts";
import { arbitraryCareer, careerOf as handCareer } from "../data/arbitrary_career.ts";

const years = ({ rows }: Draft) => rows.map(({ year }) => year);
const messages = (draft: Draft) => [...draftProblems(draft).rows.values()].map((p) => p.message);

test("a draft becomes a career once who and every year are told", () => {
  let draft = emptyDraft(2020);
  assert.equal(careerOf(draft), undefined);
  assert.match(draftProblems(draft).who!.message, /Choose a gender/);
  draft = { ...draft, gender: "female" };
  assert.match(draftProblems(draft).who!.message, /Choose an ethnicity/);
  draft = { ...draft, ethnicity: "white" };
  assert.deepEqual(draftProblems(draft).who, undefined);
  assert.deepEqual(messages(draft), ["Choose what you did in this year."]);
  assert.equal(draftProblems(draft).rows.get(0)!.isMissing, true);
  draft = changeRow(draft, 0, { occupation: "95" });
  assert.deepEqual(careerOf(draft), {
    id: "entered",
    gender: "female",
    ethnicity: "white",
    observations: [{ year: 2020, education: "high school", occupation: "95" }],
  });
});

test("any career can be gone on with, and comes back as it was if its years can be entered", () => {
  fc.assert(
    fc.property(arbitraryCareer, (career) => {
      const { birthYear, ...rest } = career;
      const first = career.observations[0]!.year;
      const fits = birthYear !== undefined && birthYear >= 1900 && birthYear <= first;
      const entered = fits ? career : rest;
      assert.deepEqual(careerOf(draftOf(entered)), entered);
    }),
  );
});

test("whatever is done to rows, they stay sorted, keys stay unique, and a career passes the check", () => {
  const step = fc.oneof(
    fc.record({ kind: fc.constant("add" as const) }),
    fc.record({ kind: fc.constant("remove" as const), at: fc.nat(8) }),
    fc.record({
      kind: fc.constant("repeat" as const),
      at: fc.nat(8),
      by: fc.integer({ min: -3, max: 6 }),
    }),
    fc.record({
      kind: fc.constant("year" as const),
      at: fc.nat(8),
      year: fc.integer({ min: 1995, max: 2012 }),
    }),
    fc.record({
      kind: fc.constant("level" as const),
      at: fc.nat(8),
      education: fc.constantFrom("high school" as const, "college" as const),
    }),
  );
  let careers = 0;
  fc.assert(
    fc.property(fc.array(step, { maxLength: 12 }), (steps) => {
      let draft = draftOf(handCareer("a", "95", "275"));
      for (const each of steps) {
        if (each.kind === "add") draft = addYear(draft, 2000);
        const row = draft.rows[("at" in each ? each.at : 0) % Math.max(1, draft.rows.length)];
        if (row === undefined) continue;
        if (each.kind === "remove") draft = removeRow(draft, row.key);
        if (each.kind === "repeat") draft = repeatRow(draft, row.key, row.year + each.by);
        if (each.kind === "year") draft = changeRow(draft, row.key, { year: each.year });
        if (each.kind === "level") draft = changeRow(draft, row.key, { education: each.education });
      }
      assert.deepEqual(
        years(draft),
        years(draft).toSorted((a, b) => a - b),
      );
      assert.equal(new Set(draft.rows.map(({ key }) => key)).size, draft.rows.length);
      const career = careerOf(draft);
      assert.equal(career === undefined, hasProblem(draft));
      if (career === undefined) return;
      careers++;
      assert.equal(careerProblem(career), undefined);
    }),
    { seed: 6, numRuns: 300 },
  );
  assert.ok(careers > 30, `${careers} of the drafts must be careers`);
});

function hasProblem(draft: Draft): boolean {
  const { who, rows } = draftProblems(draft);
  return who !== undefined || rows.size > 0;
}

test("the next year has the education and the occupation of the last", () => {
  const draft = addYear(draftOf(handCareer("a", "95", "275")), 1990);
  assert.deepEqual(draft.rows.at(-1), {
    key: 2,
    year: 2003,
    education: "college",
    occupation: "275",
  });
  assert.deepEqual(years(addYear({ ...draft, rows: [] }, 1990)), [1990]);
});

test("repeating fills the years that are not there, with the education of the rows before", () => {
  let draft = draftOf(handCareer("a", "95"));
  draft = addYear(draft, 0);
  draft = changeRow(draft, 1, { year: 2004, education: "any graduate", occupation: "178" });
  const { rows } = repeatRow(draft, 0, 2006);
  assert.deepEqual(
    rows.map(({ year, education, occupation }) => `${year} ${education} ${occupation}`),
    [
      "2001 college 95",
      "2002 college 95",
      "2003 college 95",
      "2004 any graduate 178",
      "2005 any graduate 95",
      "2006 any graduate 95",
    ],
  );
  assert.equal(repeatRow(draft, 0, NaN), draft);
  assert.equal(repeatRow(draft, 7, 2010), draft);
  assert.deepEqual(years(repeatRow(draft, 0, 1999)), [2001, 2004]);
});

test("a year told twice, falling education and years out of range are refused at their row", () => {
  let draft = draftOf(handCareer("a", "95", "275", "178"));
  draft = changeRow(draft, 1, { year: 2001 });
  assert.deepEqual([...draftProblems(draft).rows.keys()], [1]);
  assert.match(messages(draft)[0]!, /2001 is told twice/);
  assert.equal(careerOf(draft), undefined);

  draft = changeRow(changeRow(draft, 1, { year: 2002 }), 1, { education: "high school" });
  assert.deepEqual([...draftProblems(draft).rows.keys()], [1]);
  assert.match(messages(draft)[0]!, /it was “college” in 2001/);
  assert.equal(careerOf(draft), undefined);

  draft = changeRow(draft, 1, { education: "college", year: NaN });
  assert.equal(draft.rows.at(-1)!.key, 1, "a row without a year stands last");
  assert.match(messages(draft)[0]!, /The year must be from 1900 to 2100/);
  assert.equal(draftProblems(draft).rows.get(1)!.isMissing, false);
});

test("region and year of birth may be left out again, and a wrong year of birth is said", () => {
  const draft = draftOf(handCareer("a", "95"));
  assert.equal("region" in withRegion(draft, ""), false);
  assert.equal(withRegion(draft, "west").region, "west");
  assert.equal("birthYear" in withBirthYear(draft, " "), false);
  assert.equal(withBirthYear(draft, "1979").birthYear, 1979);
  const problemOf = (text: string) => draftProblems(withBirthYear(draft, text)).who?.message ?? "";
  assert.match(problemOf("79"), /year of birth must be from 1900/);
  assert.match(problemOf("2002"), /2001, is before the year of birth, 2002/);
  assert.equal(problemOf("1979"), "");
});

test("a word that no survey has is offered as it is, and only then", () => {
  assert.equal(withValue(ETHNICITIES, "white"), ETHNICITIES);
  assert.equal(withValue(ETHNICITIES, ""), ETHNICITIES);
  assert.deepEqual(withValue(ETHNICITIES, "martian").at(-1), {
    label: "As in this career",
    values: ["martian"],
  });
});
