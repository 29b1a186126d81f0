import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { careerProblem, EDUCATION_LEVELS } from "../../../data/mod.ts";
import {
  buildCareer,
  buildCareers,
  type BuildCareersOptions,
  ImportReport,
  type PersonRecord,
  type YearRecord,
} from "../../../data/survey/mod.ts";

const PERSON: PersonRecord = {
  id: "7",
  gender: "female",
  ethnicity: "black",
  region: "south",
  birthYear: 1960,
  place: "a.csv:8",
  years: [],
};

const COOK = { code: "436", coding: "occ1990dd" } as const;

/** Years as they become: `"1990 high school: 436"`. */
function built(years: readonly YearRecord[], options: BuildCareersOptions = {}): string[] {
  const career = buildCareer({ ...PERSON, years }, options);
  return (career?.observations ?? []).map(
    ({ year, education, occupation }) => `${year} ${education}: ${occupation}`,
  );
}

test("a student is one whatever job there is; who has no job is that; then the occupation", () => {
  const education = "high school";
  assert.deepEqual(
    built([
      { year: 1990, education, enrolled: true, status: "unemployed", occupation: COOK },
      { year: 1991, enrolled: false, status: "unemployed", occupation: COOK },
      { year: 1992, enrolled: false, status: "not_in_labor_force" },
      { year: 1993, enrolled: false, status: "employed", occupation: COOK },
      { year: 1994, occupation: COOK },
    ]),
    [
      "1990 high school: education",
      "1991 high school: unemployed",
      "1992 high school: not_in_labor_force",
      "1993 high school: 436",
      "1994 high school: 436",
    ],
  );
});

test("with the status first, who has no job is that before a student", () => {
  const years: YearRecord[] = [
    { year: 1990, education: "college", enrolled: true, status: "unemployed", occupation: COOK },
    { year: 1991, enrolled: true, status: "employed", occupation: COOK },
  ];
  assert.deepEqual(built(years, { priority: ["status", "student", "occupation"] }), [
    "1990 college: unemployed",
    "1991 college: education",
  ]);
});

test("education is the highest told so far, in years that count and in others", () => {
  assert.deepEqual(
    built([
      { year: 1988, education: "some college" },
      { year: 1990, education: "high school", occupation: COOK },
      { year: 1991, occupation: COOK },
      { year: 1992, education: "college", occupation: COOK },
    ]),
    ["1990 some college: 436", "1991 some college: 436", "1992 college: 436"],
  );
});

test("a year that tells nothing of work or school is passed over, and not counted", () => {
  const report = new ImportReport();
  const years = [{ year: 1990, education: "college" } as const, { year: 1991 }];
  assert.deepEqual(built([...years, { year: 1992, occupation: COOK }], { report }), [
    "1992 college: 436",
  ]);
  assert.deepEqual(report.entries(), []);
});

test("years that amount to nothing are counted by reason, with their places", () => {
  const report = new ImportReport();
  const years: YearRecord[] = [
    { year: 1989, occupation: COOK },
    { year: 1990, education: "college", status: "employed" },
    { year: 1991, enrolled: false },
    { year: 1992, occupation: { code: "2", coding: "census1980" } },
    { year: 1993, occupation: { code: "2", coding: "census1980" } },
    { year: 1994, occupation: { code: "436", coding: "census1980" } },
  ];
  assert.deepEqual(built(years, { report }), ["1994 college: 436"]);
  const told = report.entries().map(({ what, reason, count, examples }) => {
    return `${what} ${count} ${reason} @ ${examples.join("; ")}`;
  });
  assert.deepEqual(told.toSorted(), [
    "year 1 a job, but no occupation told @ a.csv:8, 1990",
    "year 1 no education told so far @ a.csv:8, 1989",
    "year 1 not a student, and neither status nor occupation told @ a.csv:8, 1991",
    "year 2 no occupation of occ1990dd for the code of census1980 @ a.csv:8, 1992: 2; a.csv:8, 1993: 2",
  ]);
});

test("people without gender, ethnicity or years are counted, and careers keep the rest", async () => {
  const report = new ImportReport();
  const years: YearRecord[] = [{ year: 1990, education: "college", occupation: COOK }];
  const { gender: _, ...noGender } = PERSON;
  const { ethnicity: __, ...noEthnicity } = PERSON;
  const records = [
    { ...noGender, years },
    { ...noEthnicity, years },
    PERSON,
    { ...PERSON, gender: "two words", years },
    { ...PERSON, id: "8", years },
  ];
  const careers = [];
  for await (const career of buildCareers(records, { dataset: "NLSY79", report })) {
    careers.push(career);
  }
  assert.deepEqual(careers, [
    {
      id: "8",
      dataset: "NLSY79",
      gender: "female",
      ethnicity: "black",
      region: "south",
      birthYear: 1960,
      observations: [{ year: 1990, education: "college", occupation: "436" }],
    },
  ]);
  assert.deepEqual(
    report.entries().map(({ reason }) => reason.replace(/ \(.*| must .*/, "")),
    ["no gender told", "no ethnicity told", "no year left", "the gender"],
  );
});

test("a report keeps three places of a reason, and counts reasons beyond a thousand as one", () => {
  const report = new ImportReport();
  for (let i = 0; i < 1010; i++) report.add("value", `reason ${i}`, `line ${i}`);
  const [first] = report.entries();
  assert.deepEqual(first, {
    what: "value",
    reason: "other reasons",
    count: 10,
    examples: ["line 1000", "line 1001", "line 1002"],
  });
});

test("whatever people say, careers are such as models read, and education never falls", () => {
  const year = fc.record(
    {
      education: fc.constantFrom(...EDUCATION_LEVELS),
      enrolled: fc.boolean(),
      status: fc.constantFrom("employed", "unemployed", "not_in_labor_force"),
      occupation: fc.record({
        code: fc.constantFrom("3", "436", "999", "2", "-3"),
        coding: fc.constantFrom("census1980", "occ1990dd"),
      }),
    },
    { requiredKeys: [] },
  );
  fc.assert(
    fc.property(fc.array(year, { maxLength: 12 }), (told) => {
      const years = told.map((each, i) => ({ year: 1980 + i, ...each })) as YearRecord[];
      const career = buildCareer({ ...PERSON, years }, { dataset: "NLSY79" });
      if (career !== undefined) assert.equal(careerProblem(career), undefined);
    }),
    { numRuns: 300, seed: 7 },
  );
});
