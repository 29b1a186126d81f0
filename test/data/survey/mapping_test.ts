import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import type { Career } from "../../../data/mod.ts";
import { meaningOf } from "../../../data/survey/mapping.ts";
import {
  buildCareers,
  ImportReport,
  MAPPINGS,
  mapSurvey,
  readMapping,
} from "../../../data/survey/mod.ts";
import { openFiles } from "./memory_archive.ts";

const MAPPING = `
survey: TEST
format: nls
id: { from: [{ column: R0000100 }] }
gender: { from: [{ column: SEX }], values: { 1: male, 2: female } }
ethnicity: { from: [{ column: RACE }], values: { 1: black, 2: white } }
education:
  - from: [{ column: "GRADE_{year}" }]
    values: { 0..11: less than high school, 12: high school, 13..20: college, 95: unknown }
enrollment: { from: [{ column: "SCHOOL{yy}" }], values: { 0: false, 1: true }, optional: true }
occupation:
  - coding: census1980
    from: [{ column: "JOB_{year}" }]
    missing: { -4: not_in_labor_force }
status:
  optional: true
  from: [{ column: "WEEK{week}", week_one: 1978-01-01 }, { column: "STATUS_{year}" }]
  values: { 0: unknown, 4: unemployed, 5: not_in_labor_force, 100..9999: employed }
`;

/** Imports one table by a mapping. */
async function imported(
  csv: string,
  mapping = MAPPING,
): Promise<{ careers: Career[]; report: ImportReport }> {
  const report = new ImportReport();
  const table = await openFiles({ "a.csv": csv });
  const survey = mapSurvey(table, readMapping(mapping, "m.yaml"), report);
  const careers: Career[] = [];
  for await (const career of buildCareers(survey.people(), { report })) careers.push(career);
  return { careers, report };
}

const occupationsOf = ({ observations }: Career): string =>
  observations.map(({ year, occupation }) => `${year} ${occupation}`).join(", ");

for (const [name, text] of MAPPINGS) {
  if (name === "psid") continue;
  test(`the ready mapping ${name} is one`, () => {
    const mapping = readMapping(text, name);
    assert.match(mapping.survey, /^NLSY(79|97)$/);
    assert.ok(mapping.years!.length >= 16);
  });
}

const REFUSED: readonly (readonly [string, string, RegExp])[] = [
  ["a misspelt key", MAPPING.replace("enrollment:", "enrolment:"), /did you mean "enrollment"\?/],
  ["a misspelt key within", MAPPING.replace("missing:", "mising:"), /mising.*mean "missing"/],
  ["a key twice", `${MAPPING}\nsurvey: AGAIN\n`, /line 20 must be YAML|line \d+ must be YAML/],
  ["no occupation", MAPPING.replace(/occupation:[\s\S]*?\nstatus/, "status"), /occupation/],
  ["an unknown coding", MAPPING.replace("census1980", "census80"), /occupation\.0\.coding/],
  [
    "an unknown level",
    MAPPING.replace("12: high school", "12: diploma"),
    /education\.0\.values\.12/,
  ],
  ["a code that is none", MAPPING.replace("{ 1: black,", "{ x: black,"), /ethnicity\.values/],
  ["a source without a name", MAPPING.replace("column: SEX", "file: a"), /one of column, question/],
  ["two names of one source", MAPPING.replace("column: SEX", "column: SEX, question: S"), /one of/],
  ["a day that is none", MAPPING.replace("1978-01-01", "1978-13-01"), /week_one/],
  ["a bomb of aliases", aliasBomb(), /aliases must stand for little/],
  ["another format", MAPPING.replace("format: nls", "format: xls"), /format/],
  ["a list", "- 1\n", /Cannot read "m.yaml"/],
];

function aliasBomb(): string {
  const lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]"];
  for (let i = 1; i < 9; i++) {
    lines.push(
      `a${i}: &a${i} [${Array(10)
        .fill(`*a${i - 1}`)
        .join(", ")}]`,
    );
  }
  return lines.join("\n");
}

for (const [what, text, message] of REFUSED) {
  test(`readMapping() refuses ${what}, naming the file and the place`, () => {
    assert.throws(() => readMapping(text, "m.yaml"), { name: "SyntaxError", message });
  });
}

test("meaningOf() looks codes and ranges up by their numbers", () => {
  const meaning = meaningOf<string>({ "1": "a", "10..20": "b", "15": "unknown", "-4": "c" });
  assert.deepEqual(["1", "01", "10", "20", "15", "-4", "21", "9"].map(meaning), [
    "a",
    "a",
    "b",
    "b",
    "unknown",
    "c",
    undefined,
    undefined,
  ]);
});

test("columns give their years; missing codes are read as the mapping says", async () => {
  const { careers, report } = await imported(
    "R0000100,SEX,RACE,GRADE_1990,SCHOOL90,JOB_1990,JOB_1991,JOB_1992\n" +
      "1,2,1,12,1,436,436,-4\n" +
      "2,1,2,95,0,436,-5,-3\n" +
      "3,1,2,10,0,-2,7,-4\n" +
      "4,7,2,10,0,436,436,436\n",
  );
  assert.deepEqual(careers.map(occupationsOf), [
    "1990 education, 1991 436, 1992 not_in_labor_force",
    "1991 7, 1992 not_in_labor_force",
  ]);
  assert.deepEqual(
    report
      .entries()
      .map(({ what, reason, count, examples }) => `${what} ${count} ${reason} @ ${examples[0]}`)
      .toSorted(),
    [
      "person 1 no gender told @ a.csv:5",
      "person 1 no year left @ a.csv:3",
      "value 1 gender: code 7, which the mapping does not list @ a.csv:5 (SEX)",
      "value 1 occupation: don't know (-2) @ a.csv:4, 1990 (JOB_1990)",
      "value 1 occupation: invalid skip (-3) @ a.csv:3, 1992 (JOB_1992)",
      "value 1 occupation: non-interview (-5) @ a.csv:3, 1991 (JOB_1991)",
      "year 1 no education told so far @ a.csv:3, 1990",
      "year 1 not a student, and neither status nor occupation told @ a.csv:4, 1990",
    ],
  );
});

test("a year has the most frequent status of its weeks that tell something", async () => {
  // Week 52 begins on December 24, 1978, week 54 on January 7, 1979.
  const { careers } = await imported(
    "R0000100,SEX,RACE,GRADE_1978,JOB_1978,JOB_1979,WEEK0000,WEEK0001,WEEK0002,WEEK0052,WEEK0054\n" +
      "1,1,1,12,436,436,4,5,4,4,0\n" +
      "2,1,1,12,436,436,4,0,0,300,5\n" +
      "3,1,1,12,436,436,4,5,4,0,-4\n",
  );
  assert.deepEqual(careers.map(occupationsOf), [
    "1978 unemployed, 1979 436",
    "1978 436, 1979 not_in_labor_force",
    "1978 unemployed, 1979 436", // as often unemployed as out of the labor force
  ]);
});

test("questions give columns by the codebook's years, or by years behind their names", async () => {
  const mapping = MAPPING.replace('column: "JOB_{year}"', "question: CPSOCC80.01");
  const head = "R0000100,SEX,RACE,GRADE_1990";
  const named = await imported(
    `${head},CPSOCC80.01_1994,CPSOCC80_01_1996\n1,1,1,12,436,7\n`,
    mapping,
  );
  assert.deepEqual(named.careers.map(occupationsOf), ["1994 436, 1996 7"]);
  const sdf = `${"-".repeat(40)}\nR45000.00  1994  OCCUPATION OF JOB  CPSOCC80.01\n`;
  const table = await openFiles({ "a.csv": `${head},R4500000\n1,1,1,12,436\n`, "a.sdf": sdf });
  const { plan } = mapSurvey(table, readMapping(mapping, "m.yaml"), new ImportReport());
  assert.deepEqual(
    plan.years.map(({ year, occupation }) => [year, occupation.length]),
    [
      [1990, 0],
      [1994, 1],
    ],
  );
});

const MISSING: readonly (readonly [string, string, RegExp])[] = [
  [
    "a variable that the download lacks, with the nearest name",
    "R0000100,SEXX,RACE,GRADE_1990,JOB_1990\n",
    /^Cannot import "download": gender must name variables of the download, got "SEX" .*did you mean "SEXX"\?/,
  ],
  ["no occupation in any year", "R0000100,SEX,RACE,GRADE_1990\n", /occupation\.0 must name/],
  [
    "two variables of one year",
    "R0000100,SEX,RACE,GRADE_1990,SCHOOL90,JOB_1990,SCHOOL_90\n",
    /^Cannot import: enrollment must name one variable of 1990, got SCHOOL90 of a.csv, SCHOOL_90/,
  ],
];

for (const [what, csv, message] of MISSING) {
  test(`mapSurvey() refuses ${what}`, async () => {
    const mapping = MAPPING.replace("SCHOOL{yy}", "SCHOOL*{yy}");
    await assert.rejects(imported(csv, mapping), { name: "RangeError", message });
  });
}

test("a download without any occupation is refused, even if each is optional", async () => {
  const mapping = MAPPING.replace("missing: {", "optional: true\n    missing: {");
  await assert.rejects(imported("R0000100,SEX,RACE,GRADE_1990,SCHOOL90\n", mapping), {
    message: /occupation must name variables of the download/,
  });
});

test("of several sources, the first that has a variable of a year gives that year", async () => {
  const mapping = MAPPING.replace(
    '[{ column: "JOB_{year}" }]',
    '[{ column: "BEST_{year}" }, { column: "JOB_{year}" }]',
  );
  const { careers } = await imported(
    "R0000100,SEX,RACE,GRADE_1990,JOB_1990,JOB_1991,BEST_1990\n1,1,1,12,7,7,436\n",
    mapping,
  );
  assert.deepEqual(careers.map(occupationsOf), ["1990 436, 1991 7"]);
});

test("the file of a source tells columns of one name apart", async () => {
  const table = await openFiles({
    "a.csv": "R0000100,SEX,RACE,1990\n1,1,1,12\n",
    "jobs_80.csv": "R0000100,1990\n1,436\n",
  });
  const mapping = MAPPING.replace('column: "GRADE_{year}"', 'column: "{year}", file: a').replace(
    'column: "JOB_{year}"',
    'column: "{year}", file: "jobs*"',
  );
  const survey = mapSurvey(table, readMapping(mapping, "m.yaml"), new ImportReport());
  const careers: Career[] = [];
  for await (const career of buildCareers(survey.people())) careers.push(career);
  assert.deepEqual(careers.map(occupationsOf), ["1990 436"]);
});

test("any change to a mapping reads or gives an error that names the file", () => {
  const change = fc.record({
    at: fc.nat(MAPPING.length),
    cut: fc.nat(5),
    text: fc.constantFrom("", " ", "\n", ":", "{", "*a", "&a", "-", "x", "9", "__proto__: 1\n"),
  });
  fc.assert(
    fc.property(fc.array(change, { minLength: 1, maxLength: 3 }), (changes) => {
      let text = MAPPING;
      for (const { at, cut, text: added } of changes) {
        text = text.slice(0, at) + added + text.slice(at + cut);
      }
      try {
        readMapping(text, "m.yaml");
      } catch (error) {
        assert.ok(error instanceof SyntaxError, String(error));
        assert.match(error.message, /^Cannot read "m.yaml": /);
      }
    }),
    { numRuns: 500, seed: 8 },
  );
});
