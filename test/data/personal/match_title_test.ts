import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import {
  matchTitle,
  OCCUPATIONS,
  type OccupationMatch,
  suggestOccupations,
} from "../../../data/mod.ts";
import { readSynonyms } from "../../../data/personal/synonyms.ts";
import { NO_TITLES, TUNED_TITLES, UNSEEN_TITLES } from "./free_titles.ts";

const SYNONYMS = readSynonyms();

const TITLE_OF = new Map(OCCUPATIONS.map(({ code, title }) => [code, title]));

/** Shares of titles whose first match is right, and one of the first five. */
function accuracy(titles: typeof TUNED_TITLES): { top1: number; top5: number; misses: string[] } {
  const places = titles.map(([title, codes]) =>
    matchTitle(title)
      .slice(0, 5)
      .findIndex(({ code }) => codes.split(" ").includes(code)),
  );
  return {
    top1: places.filter((place) => place === 0).length / titles.length,
    top5: places.filter((place) => place >= 0).length / titles.length,
    misses: titles.flatMap(([title], i) => (places[i] === 0 ? [] : [title])),
  };
}

test("every synonym has a code of the vocabulary, says something, and occurs once", () => {
  assert.ok(SYNONYMS.length > 2000, String(SYNONYMS.length));
  const seen = new Set<string>();
  for (const { code, text } of SYNONYMS) {
    assert.ok(TITLE_OF.has(code), `${text}: ${code}`);
    assert.match(text, /^[a-z0-9][a-z0-9 ]*$/, text);
    assert.ok(!seen.has(text), `${text} occurs twice`);
    seen.add(text);
  }
});

test("every occupation but code 999 has synonyms", () => {
  const codes = new Set(SYNONYMS.map(({ code }) => code));
  const bare = OCCUPATIONS.filter(({ code }) => !codes.has(code)).map(({ code }) => code);
  assert.deepEqual(bare, ["999"]);
});

test("every title and every synonym finds its own occupation first", () => {
  for (const { code, title } of OCCUPATIONS) {
    if (code === "999") continue;
    assert.equal(matchTitle(title)[0]?.code, code, title);
    assert.equal(suggestOccupations(title)[0]?.code, code, title);
  }
  for (const { code, text } of SYNONYMS) assert.equal(matchTitle(text)[0]?.code, code, text);
});

test("the free titles are none of the synonyms, and their codes are of the vocabulary", () => {
  const synonyms = new Set(SYNONYMS.map(({ text }) => text));
  assert.ok(TUNED_TITLES.length + UNSEEN_TITLES.length >= 300);
  for (const [title, codes] of [...TUNED_TITLES, ...UNSEEN_TITLES]) {
    assert.ok(!synonyms.has(title.toLowerCase()), title);
    for (const code of codes.split(" ")) assert.ok(TITLE_OF.has(code), `${title}: ${code}`);
  }
});

// What was reached: 0.976 and 0.981 on the titles it was tuned on, 0.931 and 0.941 on the others.
const LEAST_TUNED = { top1: 0.97, top5: 0.98 };
const LEAST_UNSEEN = { top1: 0.93, top5: 0.94 };

test("matchTitle() finds the occupations of free titles it was tuned on", () => {
  const { top1, top5, misses } = accuracy(TUNED_TITLES);
  assert.ok(top1 >= LEAST_TUNED.top1, `${top1}: ${misses.join("; ")}`);
  assert.ok(top5 >= LEAST_TUNED.top5, `${top5}: ${misses.join("; ")}`);
});

test("matchTitle() finds the occupations of free titles it was not tuned on", () => {
  const { top1, top5 } = accuracy(UNSEEN_TITLES);
  assert.ok(top1 >= LEAST_UNSEEN.top1, String(top1));
  assert.ok(top5 >= LEAST_UNSEEN.top5, String(top5));
});

test("matchTitle() finds nothing for what is no title, rather than nonsense", () => {
  for (const text of NO_TITLES) assert.deepEqual(matchTitle(text), [], text);
});

test("matchTitle() says by which words it found an occupation", () => {
  assert.deepEqual(matchTitle("Barista")[0], {
    code: "444",
    title: TITLE_OF.get("444"),
    score: 1,
    via: "barista",
  });
  assert.equal(matchTitle("Bartenders")[0]?.via, undefined, "a title needs no synonym");
});

const SAME: readonly (readonly [string, string])[] = [
  ["Software Engineer", "Sr. SOFTWARE-ENGINEER III"],
  ["Software Engineer", "software engineer (contract) @ Acme Corp"],
  ["Software Engineer", "Software Engineer at Globex"],
  ["Waiter", "waitresses"],
  ["Fireman", "Firewoman"],
  ["Salesman", "Sales person"],
  ["Child care worker", "Childcare Worker"],
  ["Café manager", "cafe mgr"],
  ["Theatre director", "theater directors"],
  ["Paediatric nurse", "pediatric nurse, nights"],
];

for (const [one, other] of SAME) {
  test(`matchTitle() takes ${JSON.stringify(one)} and ${JSON.stringify(other)} for one job`, () => {
    const [first, second] = [matchTitle(one)[0], matchTitle(other)[0]];
    assert.ok(first !== undefined);
    assert.equal(second?.code, first.code);
  });
}

test("the parts of a title count, the first most, an employer not at all", () => {
  assert.deepEqual(
    matchTitle("Bartender / Server")
      .map(({ code }) => code)
      .slice(0, 2),
    ["434", "435"],
  );
  assert.equal(matchTitle("Nurse @ Teachers College Hospital")[0]?.code, "95");
  assert.deepEqual(matchTitle("@ Bank of Bakers"), []);
});

/** What is typed, and the code that must be among the first suggestions. */
const TYPED: readonly (readonly [query: string, code: string, among: number])[] = [
  ["softw", "229", 1],
  ["software eng", "229", 1],
  ["eng softw", "229", 1],
  ["nurs", "95", 1],
  ["regi nur", "95", 1],
  ["bartnder", "434", 1],
  ["progrmmer", "229", 2],
  ["acountant", "23", 1],
  ["child ca", "468", 1],
  ["truck dri", "804", 1],
  ["high school t", "157", 1],
  ["elem teach", "156", 2],
  ["unempl", "unemployed", 1],
  ["stud", "education", 2],
  ["home m", "not_in_labor_force", 3],
  ["mail clerks, outs", "356", 2],
  ["warehouse", "889", 3],
  ["rn", "95", 1],
  ["n", "95", 8],
];

for (const [query, code, among] of TYPED) {
  test(`suggestOccupations() has ${code} among the first ${among} of ${JSON.stringify(query)}`, () => {
    const codes = suggestOccupations(query).map((match) => match.code);
    assert.ok(codes.slice(0, among).includes(code), codes.join(" "));
  });
}

test("suggestOccupations() suggests nothing for nothing or nonsense, and no more than asked", () => {
  for (const query of ["", "  ", "-", "qzxv", "🦙"])
    assert.deepEqual(suggestOccupations(query), []);
  assert.equal(suggestOccupations("manager", { limit: 3 }).length, 3);
  assert.equal(suggestOccupations("manager").length, 8);
  assert.equal(suggestOccupations("manager", { limit: 1000 }).length > 8, true);
});

function checkMatches(matches: readonly OccupationMatch[]): void {
  let before = 1;
  for (const { code, title, score } of matches) {
    assert.equal(TITLE_OF.get(code), title);
    assert.ok(score > 0 && score <= before, `${score} after ${before}`);
    before = score;
  }
  assert.equal(new Set(matches.map(({ code }) => code)).size, matches.length, "a code twice");
}

const typing = fc.oneof(
  fc.string({ unit: "binary", maxLength: 60 }),
  fc
    .array(
      fc.constantFrom(
        ...SYNONYMS.flatMap(({ text }) => text.split(" ")),
        "&",
        "@",
        "(",
        ",",
        "/",
        "-",
      ),
      {
        maxLength: 12,
      },
    )
    .map((words) => words.join(" ")),
);

test("any text gives matches in order, each code once, or none", () => {
  fc.assert(
    fc.property(typing, (text) => {
      checkMatches(matchTitle(text));
      checkMatches(suggestOccupations(text));
    }),
    { numRuns: 300 },
  );
});

test("a text of a million letters takes no longer than its beginning", () => {
  const long = "software engineer ".repeat(60_000);
  const begin = performance.now();
  matchTitle(long);
  suggestOccupations(long);
  matchTitle("(".repeat(1_000_000));
  assert.ok(performance.now() - begin < 2000, "it is cut before it is looked at");
});
