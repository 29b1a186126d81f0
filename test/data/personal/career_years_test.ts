import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import {
  careerYears,
  type CareerYearsOptions,
  EDUCATION_LEVELS,
  OCCUPATIONS,
  type PersonalHistory,
  type Position,
  type Schooling,
  type YearMonth,
} from "../../../data/mod.ts";
import { careerProblem } from "../../../data/career_check.ts";
import { readDate } from "../../../data/personal/personal_history.ts";

/** `"2011-06"` as a date. */
function at(text: string): YearMonth {
  const read = readDate(text);
  assert.ok("date" in read && read.date !== undefined, text);
  return read.date;
}

function job(title: string, begin: string, end?: string): Position {
  return { title, begin: at(begin), ...(end !== undefined && { end: at(end) }) };
}

function school(level: Schooling["level"] | "unknown", begin?: string, end?: string): Schooling {
  return {
    text: `School of ${level ?? "nothing"}`,
    ...(level !== "unknown" && level !== undefined && { level }),
    ...(begin !== undefined && { begin: at(begin) }),
    ...(end !== undefined && { end: at(end) }),
  };
}

function historyOf(positions: Position[], schooling: Schooling[] = []): PersonalHistory {
  return { positions, schooling, problems: [] };
}

/** Years as `"2011 high school 435"`. */
function yearsOf(history: PersonalHistory, options: CareerYearsOptions): string[] {
  return careerYears(history, options).observations.map(
    ({ year, education, occupation }) => `${year} ${education} ${occupation}`,
  );
}

const occupationsOf = (lines: readonly string[]): string[] =>
  lines.map((line) =>
    line
      .split(" ")
      .filter((_, i, words) => i === 0 || i === words.length - 1)
      .join(" "),
  );

test("careerYears() tells a life year by year", () => {
  const history = historyOf(
    [job("Waitress", "2011-06", "2012-08"), job("Nurse", "2016-07")],
    [school("high school", "2007-09", "2011-05"), school("college", "2012-09", "2016-05")],
  );
  const { observations, notes } = careerYears(history, { codes: ["435", "95"], until: 2018 });
  assert.deepEqual(
    observations.map(({ year, education, occupation }) => `${year} ${education} ${occupation}`),
    [
      "2008 less than high school education",
      "2009 less than high school education",
      "2010 less than high school education",
      "2011 high school 435",
      "2012 high school 435",
      "2013 high school education",
      "2014 high school education",
      "2015 high school education",
      "2016 college 95",
      "2017 college 95",
      "2018 college 95",
    ],
  );
  assert.deepEqual(notes, [
    "Without a job and not wholly in school, this year is left out: 2007",
    'Education from 2007 to 2010 is supposed to be "less than high school", as no degree was finished by then',
  ]);
});

test("of a year, the occupation of most months counts, jobs of one occupation together", () => {
  const history = historyOf([
    job("Cook at A", "2015-01", "2015-04"),
    job("Driver", "2015-05", "2015-09"),
    job("Cook at B", "2015-10", "2015-12"),
  ]);
  assert.deepEqual(occupationsOf(yearsOf(history, { codes: ["436", "804", "436"], until: 2015 })), [
    "2015 436",
  ]);
  assert.deepEqual(occupationsOf(yearsOf(history, { codes: ["436", "804", "435"], until: 2015 })), [
    "2015 804",
  ]);
});

test("of two occupations held as long, the one that began later counts, in whatever order they are", () => {
  const jobs = [job("Cook", "2014-03", "2015-06"), job("Driver", "2015-07")];
  const codes = ["436", "804"];
  assert.deepEqual(occupationsOf(yearsOf(historyOf(jobs), { codes, until: 2015 })), [
    "2014 436",
    "2015 804",
  ]);
  const turned = historyOf(jobs.toReversed());
  assert.deepEqual(occupationsOf(yearsOf(turned, { codes: codes.toReversed(), until: 2015 })), [
    "2014 436",
    "2015 804",
  ]);
  const both = historyOf([job("Cook", "2014-03"), job("Driver", "2014-05")]);
  assert.deepEqual(occupationsOf(yearsOf(both, { codes, until: 2015 })), ["2014 436", "2015 804"]);
});

test("a job beside school is a job; school is a year only as a whole, summers included", () => {
  const history = historyOf(
    [job("Tutor", "2012-11", "2012-12")],
    [school("high school", "2010-01", "2011-06"), school("college", "2011-09", "2013-12")],
  );
  assert.deepEqual(occupationsOf(yearsOf(history, { codes: ["159"], until: 2014 })), [
    "2010 education",
    "2011 education",
    "2012 159",
    "2013 education",
  ]);
  const late = historyOf(
    [],
    [school("college", "2011-06", "2012-06"), school("college", "2012-11", "2014-02")],
  );
  assert.deepEqual(occupationsOf(yearsOf(late, { codes: [], until: 2014 })), ["2013 education"]);
});

test("years with nothing are what the person chooses", () => {
  const history = historyOf([job("Cook", "2010", "2010"), job("Cook", "2013")]);
  const years = (gaps: CareerYearsOptions["gaps"]): string[] =>
    occupationsOf(yearsOf(history, { codes: ["436", "436"], until: 2013, gaps: gaps! }));
  assert.deepEqual(years("leave out"), ["2010 436", "2013 436"]);
  assert.deepEqual(years("unemployed"), [
    "2010 436",
    "2011 unemployed",
    "2012 unemployed",
    "2013 436",
  ]);
  assert.deepEqual(years("not_in_labor_force")[1], "2011 not_in_labor_force");
  const { notes } = careerYears(history, {
    codes: ["436", "436"],
    until: 2013,
    gaps: "unemployed",
  });
  assert.match(notes[0]!, /taken as "unemployed": 2011, 2012$/);
});

test("every other year is counted back from the last", () => {
  const history = historyOf([job("Cook", "2010")]);
  assert.deepEqual(occupationsOf(yearsOf(history, { codes: ["436"], until: 2015, interval: 2 })), [
    "2011 436",
    "2013 436",
    "2015 436",
  ]);
});

test("jobs without an occupation, and jobs to come, are left out and said so", () => {
  const history = historyOf([
    job("Wizard", "2010", "2011"),
    job("Cook", "2011"),
    job("Boss", "2030"),
  ]);
  const { observations, notes } = careerYears(history, {
    codes: [undefined, "436", "22"],
    until: 2012,
  });
  assert.deepEqual(
    observations.map(({ year }) => year),
    [2011, 2012],
  );
  assert.deepEqual(notes.slice(0, 2), [
    '"Wizard" has no occupation and is left out',
    '"Boss" begins in 2030, after 2012, and is left out',
  ]);
});

const LEVELS: readonly (readonly [what: string, schooling: Schooling[], levels: string[]])[] = [
  ["no school", [], ["high school", "high school", "high school"]],
  [
    "a degree to come",
    [school("college", "2010", "2030")],
    ["some college", "some college", "some college"],
  ],
  [
    "a master alone",
    [school("any graduate", "2010", "2011")],
    ["college", "any graduate", "any graduate"],
  ],
  ["a degree without dates", [school("college")], ["college", "college", "college"]],
  [
    "an end alone",
    [school("college", undefined, "2012")],
    ["some college", "some college", "college"],
  ],
  [
    "words that do not say",
    [school("unknown", "2009", "2010")],
    ["high school", "high school", "high school"],
  ],
  [
    "a lower degree after a higher",
    [school("college", "2006", "2010"), school("some college", "2010", "2012")],
    ["college", "college", "college"],
  ],
  [
    "a graduate school begun after high school",
    [school("high school", "2005", "2009"), school("any graduate", "2011", "2016")],
    ["high school", "college", "college"],
  ],
];

for (const [what, schooling, levels] of LEVELS) {
  test(`education by year, of ${what}`, () => {
    const history = historyOf([job("Cook", "2010")], schooling);
    const { observations } = careerYears(history, { codes: ["436"], until: 2012 });
    assert.deepEqual(
      observations.filter(({ year }) => year >= 2010).map(({ education }) => education),
      levels,
    );
  });
}

test("what is supposed of education is said", () => {
  const { notes } = careerYears(
    historyOf([job("Cook", "2010")], [school("unknown"), school("college")]),
    {
      codes: ["436"],
      until: 2012,
    },
  );
  assert.deepEqual(notes, [
    'The words of "School of unknown" tell no education level',
    '"School of college" has no dates and is taken as finished before 2010',
  ]);
  const none = careerYears(historyOf([job("Cook", "2010")]), { codes: ["436"], until: 2012 });
  assert.match(none.notes.join(), /Education from 2010 on is supposed to be "high school"/);
});

test("a history of nothing gives no years and says so", () => {
  const { observations, notes } = careerYears(historyOf([]), { codes: [], until: 2020 });
  assert.deepEqual([observations, notes], [[], ["Nothing is told of a year up to 2020"]]);
});

test("careerYears() refuses codes that do not fit, and years that are none", () => {
  const history = historyOf([job("Cook", "2010")]);
  const refuses = (options: CareerYearsOptions, message: RegExp): void =>
    assert.throws(() => careerYears(history, options), { name: "RangeError", message });
  refuses({ codes: [], until: 2012 }, /each of 1 positions must have a code or none, got 0/);
  refuses({ codes: ["9999"], until: 2012 }, /got "9999"$/);
  refuses({ codes: ["436"], until: 1e9 }, /from 1900 to 2200, got 1000000000/);
  refuses({ codes: ["436"], until: 2012.5 }, /got 2012\.5/);
});

const month = fc.record(
  { year: fc.integer({ min: 1970, max: 2030 }), month: fc.integer({ min: 1, max: 12 }) },
  { requiredKeys: ["year"], noNullPrototype: true },
);
const history = fc.record({
  positions: fc.array(
    fc.record(
      { title: fc.constant("Job"), begin: month, end: month },
      { requiredKeys: ["title", "begin"] },
    ),
    { maxLength: 8 },
  ),
  schooling: fc.array(
    fc.record(
      {
        text: fc.constant("School"),
        level: fc.constantFrom(...EDUCATION_LEVELS),
        begin: month,
        end: month,
      },
      { requiredKeys: ["text"] },
    ),
    { maxLength: 5 },
  ),
  problems: fc.constant<string[]>([]),
});

test("whatever is told, the years make a career: ascending, education never lower", () => {
  const codes = fc.array(
    fc.option(fc.constantFrom(...OCCUPATIONS.map(({ code }) => code)), { nil: undefined }),
    {
      minLength: 8,
      maxLength: 8,
    },
  );
  const choice = fc.record({
    until: fc.integer({ min: 1960, max: 2030 }),
    interval: fc.constantFrom(1 as const, 2 as const),
    gaps: fc.constantFrom("leave out" as const, "unemployed" as const),
  });
  fc.assert(
    fc.property(history, codes, choice, (told, all, options) => {
      const own = all.slice(0, told.positions.length);
      const { observations } = careerYears(told, { ...options, codes: own });
      if (observations.length === 0) return;
      const problem = careerProblem({
        id: "a",
        gender: "female",
        ethnicity: "white",
        observations,
      });
      assert.equal(problem, undefined);
      for (const { year } of observations) {
        assert.ok(year <= options.until && (options.until - year) % options.interval === 0);
      }
    }),
    { numRuns: 500 },
  );
});
