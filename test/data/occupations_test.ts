import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import {
  isStatus,
  NUM_OCCUPATIONS,
  occupationIndex,
  OCCUPATIONS,
  STATUSES,
} from "../../data/mod.ts";
import { missing, sharedPath } from "./shared_data.ts";

test("the vocabulary is 331 ascending codes, 999 and three statuses", () => {
  assert.equal(NUM_OCCUPATIONS, 335);
  const codes = OCCUPATIONS.map(({ code }) => code);
  const numbers = codes.slice(0, 332).map(Number);
  assert.deepEqual(
    numbers,
    [...new Set(numbers)].toSorted((a, b) => a - b),
  );
  assert.equal(numbers.at(-1), 999);
  assert.deepEqual(codes.slice(332), [...STATUSES]);
});

test("titles are pairwise different, ignoring case, and plain text on one line", () => {
  const titles = OCCUPATIONS.map(({ title }) => title);
  assert.equal(new Set(titles.map((title) => title.toLowerCase())).size, NUM_OCCUPATIONS);
  for (const title of titles)
    assert.match(title, /^[A-Z][A-Za-z0-9,.'/():=-]*( [A-Za-z0-9,.'/():=-]+)*$/);
});

test("occupationIndex() is the place in OCCUPATIONS and names an unknown code", () => {
  for (const [i, { code }] of OCCUPATIONS.entries()) assert.equal(occupationIndex(code), i);
  for (const code of ["", "9", "022", "toString", "__proto__", "In education"]) {
    assert.throws(
      () => occupationIndex(code),
      (error: unknown) =>
        error instanceof RangeError && error.message.endsWith(`got ${JSON.stringify(code)}`),
    );
  }
});

test("isStatus() tells statuses from jobs", () => {
  assert.equal(OCCUPATIONS.filter(({ code }) => isStatus(code)).length, 3);
  assert.equal(isStatus("999"), false);
});

const CROSSWALK = "crosswalks/occ1990dd_titles.csv";

test("codes and titles are those of the crosswalk", { skip: missing(CROSSWALK) }, () => {
  const [, ...rows] = readFileSync(sharedPath(CROSSWALK), "utf8").trim().split(/\r?\n/);
  const field = String.raw`("(?:[^"]|"")*"|[^,]*)`;
  const pattern = new RegExp(`^${field},${field},${field},${field}$`);
  const titleOf = new Map<string, string>();
  for (const row of rows) {
    const fields = pattern
      .exec(row)
      ?.slice(1)
      .map((text) => text.replace(/^"(.*)"$/, "$1"));
    const [code = "", paperTitle = "", , title = ""] = fields ?? [];
    if (paperTitle !== "") titleOf.set(code, title === "" ? paperTitle : title);
  }
  assert.deepEqual(new Map(OCCUPATIONS.map(({ code, title }) => [code, title])), titleOf);
});
