import assert from "node:assert/strict";
import { test } from "node:test";
import { PSID_MAPPING } from "../../../../data/survey/mappings/psid.ts";
import { CodeTable } from "../../../../data/survey/psid/code_table.ts";
import { parsePsidMapping } from "../../../../data/survey/psid/mapping.ts";

test("the ready mapping has every survey year from 1981 to 2021 and no variable twice", () => {
  const { years } = parsePsidMapping(PSID_MAPPING, "psid.yaml");
  const expected = [
    ...Array.from({ length: 17 }, (_, i) => 1981 + i),
    ...Array.from({ length: 12 }, (_, i) => 1999 + 2 * i),
  ];
  assert.deepEqual(Object.keys(years).map(Number), expected);
  const variables = Object.values(years).flatMap(({ individual, family, head, spouse }) =>
    [individual, family, head, spouse].flatMap((part) => Object.values(part)),
  );
  assert.equal(new Set(variables).size, variables.length);
  assert.ok(variables.every((name) => /^(?:V|ER)\d+[A-E]?$/.test(name ?? "")));
});

test("the variables of a person's year stand in the order in which the file has them", () => {
  // Interview, sequence and relationship are neighbors in every year of the individual file.
  for (const { individual } of Object.values(parsePsidMapping(PSID_MAPPING, "psid.yaml").years)) {
    const number = (name: string | null): number => Number(name!.slice(2));
    const first = number(individual.interview);
    assert.equal(number(individual.sequence), first + 1);
    assert.equal(number(individual.relationship), first + 2);
    assert.ok(
      number(individual.age) > first + 2 && number(individual.education) > number(individual.age),
    );
  }
});

const REFUSED: readonly (readonly [string, (text: string) => string, RegExp])[] = [
  [
    "a variable to fill in",
    (t) => t.replace("status: V7706", "status: ~"),
    /years\.1981\.head\.status: fill in the variable/,
  ],
  [
    "a misspelt key",
    (t) => t.replace("sequence: ER30344", "sequnce: ER30344"),
    /did you mean "sequence"\?/,
  ],
  [
    "a key too many",
    (t) => t.replace("format: psid", "format: psid\nweights: 1"),
    /unknown "weights"/,
  ],
  [
    "a code with two meanings",
    (t) => t.replace("head: 1, spouse: 2", "head: 1, spouse: 1"),
    /codes\.relationship\.0: .* got 1 as "head" and "spouse"/,
  ],
  [
    "ranges that overlap",
    (t) => t.replace("some college: 13-15", "some college: 12-15"),
    /codes\.education\.0: .* got 12 as/,
  ],
  [
    "a year in no span",
    (t) => t.replace("[1985, 1989]", "[1986, 1989]"),
    /codes\.race: 1985 must be in one span, got 0/,
  ],
  [
    "a year in two spans",
    (t) => t.replace("[1985, 1989]", "[1984, 1989]"),
    /codes\.race: 1984 must be in one span, got 2/,
  ],
  [
    "no name of a variable",
    (t) => t.replace("V7706", "77-06"),
    /years\.1981\.head\.status: must be the name of a variable/,
  ],
  [
    "a range that descends",
    (t) => t.replace("13-15", "15-13"),
    /ranges that ascend such as "13-15"/,
  ],
  ["another format", (t) => t.replace("format: psid", "format: nls"), /format: /],
  [
    "no year",
    (t) => `${t.slice(0, t.indexOf("years:\n  1981"))}years: {}\n`,
    /years: at least one must be mapped/,
  ],
  ["ages that descend", (t) => t.replace("ages: [18, 80]", "ages: [80, 18]"), /ages: must ascend/],
  ["YAML that is none", (t) => t.replace("format: psid", "format: [psid"), /must be YAML/],
];

for (const [what, change, message] of REFUSED) {
  test(`a mapping with ${what} is refused with its path`, () => {
    const text = change(PSID_MAPPING);
    assert.notEqual(text, PSID_MAPPING);
    assert.throws(
      () => parsePsidMapping(text, "mine.yaml"),
      (error: Error) => {
        assert.ok(error instanceof SyntaxError);
        assert.match(error.message, message);
        assert.ok(error.message.startsWith('Cannot read "mine.yaml": '));
        return true;
      },
    );
  });
}

test("codes have the meanings of their ranges, ends included, and no other has one", () => {
  const table = new CodeTable({
    low: [[1, 11]],
    high: [
      [13, 15],
      [20, 20],
    ],
  });
  assert.deepEqual(
    [0, 1, 11, 12, 13, 15, 16, 20, 21, 1.5].map((code) => table.meaning(code)),
    [undefined, "low", "low", undefined, "high", "high", undefined, "high", undefined, undefined],
  );
});
