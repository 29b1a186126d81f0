import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { educationOfDegree, readJsonResume } from "../../../data/mod.ts";
import { readDate } from "../../../data/personal/personal_history.ts";
import { RESUME } from "./sources.ts";

test("readJsonResume() reads jobs and schools in order of time, and nothing else", () => {
  const history = readJsonResume(JSON.stringify(RESUME), "resume.json");
  assert.deepEqual(history, {
    positions: [
      {
        title: "Waitress",
        employer: "The Diner",
        begin: { year: 2011, month: 6 },
        end: { year: 2014 },
      },
      {
        title: "Registered Nurse, ICU",
        employer: "St. Elsewhere",
        begin: { year: 2016, month: 7 },
      },
    ],
    schooling: [
      {
        text: "Bachelor of Science, Nursing, State University",
        level: "college",
        begin: { year: 2012, month: 9 },
        end: { year: 2016, month: 5 },
      },
    ],
    problems: [],
  });
});

test("readJsonResume() says of each entry why it is left out", () => {
  const work = [
    { position: "Cook" },
    { position: "Cook", startDate: "soon" },
    { startDate: "2010" },
    { position: "Cook", startDate: "2012", endDate: "2010-05" },
    "Cook",
    { position: "Cook", startDate: "2012", endDate: "Present" },
  ];
  const { positions, problems } = readJsonResume(
    JSON.stringify({ work, education: [{}] }),
    "r.json",
  );
  assert.deepEqual(positions, [{ title: "Cook", begin: { year: 2012 } }]);
  assert.deepEqual(problems, [
    "r.json, work[0]: left out: a job must have a startDate, got none",
    'r.json, work[1]: left out: startDate: a date must be a year or a month such as "2019", "2019-03" ' +
      'or "Mar 2019", got "soon"',
    "r.json, work[2]: left out: a job must have a title, got none",
    "r.json, work[3]: left out: a job must end after it begins, got 2012 to 2010-05",
    "r.json, work[4]: left out: it must be an object, got another",
    "r.json, education[0]: left out: a school must have a name, got none",
  ]);
});

test("readJsonResume() takes texts for one plain line each", () => {
  const work = [
    { position: "  Cook\n\t<b>\u202Eof\u0000 all ", name: "x".repeat(300), startDate: "2010" },
  ];
  const { positions } = readJsonResume(JSON.stringify({ work }), "r.json");
  assert.equal(positions[0]?.title, "Cook <b> of all");
  assert.equal(positions[0]?.employer?.length, 201);
});

const REFUSED: readonly (readonly [text: string, message: RegExp])[] = [
  ['{"work": [\n{},\n}', /^Cannot read r\.json, line 3: the text must be whole JSON/],
  ["[1, 2]", /got another kind of JSON/],
  ["null", /got another kind of JSON/],
  ['{"basics": {}}', /a list "work" or "education", got the keys "basics"/],
  ['{"work": {"0": {}}}', /"work" must be a list/],
  ["", /must be whole JSON/],
];

for (const [text, message] of REFUSED) {
  test(`readJsonResume() refuses ${JSON.stringify(text)}`, () => {
    assert.throws(() => readJsonResume(text, "r.json"), { name: "SyntaxError", message });
  });
}

test("readJsonResume() keeps 500 jobs of a person", () => {
  const work = Array.from({ length: 502 }, () => ({ position: "Cook", startDate: "2010" }));
  const { positions, problems } = readJsonResume(JSON.stringify({ work }), "r.json");
  assert.equal(positions.length, 500);
  assert.deepEqual(
    problems.map((problem) => problem.slice(0, 16)),
    ["r.json, work[500", "r.json, work[501"],
  );
});

test("any JSON, whole or damaged, gives a history or a SyntaxError", () => {
  const resume = JSON.stringify(RESUME);
  const damaged = fc
    .tuple(fc.nat(resume.length), fc.nat(20), fc.string({ maxLength: 5 }))
    .map(([at, cut, put]) => resume.slice(0, at) + put + resume.slice(at + cut));
  const shaped = fc
    .record({ work: fc.jsonValue(), education: fc.jsonValue() })
    .map((json) => JSON.stringify(json));
  fc.assert(
    fc.property(fc.oneof(damaged, shaped, fc.json(), fc.string()), (text) => {
      try {
        const { positions } = readJsonResume(text, "r.json");
        for (const { title, begin } of positions) assert.ok(title !== "" && begin.year >= 1900);
      } catch (error) {
        if (error instanceof assert.AssertionError) throw error;
        assert.ok(error instanceof SyntaxError, String(error));
        assert.match(error.message, /^Cannot read r\.json, line \d+: /);
      }
    }),
    { numRuns: 500 },
  );
});

const DATES: readonly (readonly [text: string, year?: number, month?: number])[] = [
  ["2019", 2019],
  ["2019-03", 2019, 3],
  ["2019-3", 2019, 3],
  ["2019-03-15", 2019, 3],
  ["2019-03-15T00:00:00Z", 2019, 3],
  ["Mar 2019", 2019, 3],
  [" march 2019 ", 2019, 3],
  ["Sept. 2019", 2019, 9],
  ["03/2019", 2019, 3],
  [""],
  ["Present"],
];

for (const [text, year, month] of DATES) {
  test(`readDate() reads ${JSON.stringify(text)}`, () => {
    const date =
      year === undefined ? {} : { date: { year, ...(month !== undefined && { month }) } };
    assert.deepEqual(readDate(text), date);
  });
}

for (const text of [
  "2019-13",
  "2019-00",
  "13/2019",
  "Foo 2019",
  "19",
  "1066",
  "2019-03-15x",
  "March",
]) {
  test(`readDate() refuses ${JSON.stringify(text)}`, () => {
    assert.ok("problem" in readDate(text));
  });
}

const DEGREES: readonly (readonly [text: string, level: string | undefined])[] = [
  ["Ph.D. in Physics", "any graduate"],
  ["Doctor of Medicine (M.D.)", "any graduate"],
  ["Juris Doctor", "any graduate"],
  ["JD", "any graduate"],
  ["MBA", "any graduate"],
  ["Master's degree, Education", "any graduate"],
  ["M.Sc. Computer Science", "any graduate"],
  ["MA", "any graduate"],
  ["Bachelor of Science - BS", "college"],
  ["B.Sc. (Hons), Chemistry", "college"],
  ["BA", "college"],
  ["B.A., English", "college"],
  ["Baccalaureate degree", "college"],
  ["Associate of Arts", "some college"],
  ["A.A.S. Nursing", "some college"],
  ["Associate's degree", "some college"],
  ["Some college", "some college"],
  ["Bachelor of Arts (dropped out)", "some college"],
  ["Master's, not completed", "college"],
  ["Diploma in Cooking", "some college"],
  ["High school diploma", "high school"],
  ["GED", "high school"],
  ["Abitur", "high school"],
  ["A-Levels", "high school"],
  ["International Baccalaureate", "high school"],
  ["Baccalauréat", "high school"],
  ["Irish Leaving Certificate", "high school"],
  ["Some high school", "less than high school"],
  ["High school dropout", "less than high school"],
  ["Middle school", "less than high school"],
  ["Certificate in Project Management", undefined],
  ["Coding bootcamp", undefined],
  ["Erasmus exchange, BA program", undefined],
  ["Basket weaving", undefined],
  ["", undefined],
];

for (const [text, level] of DEGREES) {
  test(`educationOfDegree() takes ${JSON.stringify(text)} for ${level ?? "no level"}`, () => {
    assert.equal(educationOfDegree(text), level);
  });
}

test("a school without a degree counts by its name: a university is some college", () => {
  const education = [
    { institution: "Massachusetts University" },
    { institution: "Lincoln High School" },
    { institution: "Boston, MA", studyType: "" },
    { institution: "State University", studyType: "Certificate" },
  ];
  const { schooling } = readJsonResume(JSON.stringify({ education }), "r.json");
  assert.deepEqual(
    schooling.map(({ level }) => level),
    ["some college", "high school", undefined, undefined],
  );
});
