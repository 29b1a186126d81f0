import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { gunzipSync } from "node:zlib";
import { CENSUS_1970 } from "../../../data/crosswalk/census1970.ts";
import { CENSUS_1980 } from "../../../data/crosswalk/census1980.ts";
import { CENSUS_1990 } from "../../../data/crosswalk/census1990.ts";
import { CENSUS_2000 } from "../../../data/crosswalk/census2000.ts";
import { CENSUS_2002 } from "../../../data/crosswalk/census2002.ts";
import {
  type Coding,
  CODINGS,
  crosswalkEntries,
  toOcc1990dd,
} from "../../../data/crosswalk/mod.ts";
import { isOccupation, isStatus, OCCUPATIONS } from "../../../data/mod.ts";
import { missing, sharedPath } from "../shared_data.ts";

/** Codes of each coding, and how many occupations they reach. */
const COVERAGE: Readonly<Record<Coding, readonly [codes: number, occupations: number]>> = {
  census1970: [441, 266],
  census1980: [509, 330],
  census1990: [506, 332],
  census2000: [510, 332],
  census2002: [541, 327],
  occ1990dd: [335, 335],
};

for (const coding of CODINGS) {
  test(`${coding} has its codes, each of them an occupation of the vocabulary`, () => {
    const entries = [...crosswalkEntries(coding)];
    const occupations = new Set(entries.map(([, occupation]) => occupation));
    assert.deepEqual([entries.length, occupations.size], COVERAGE[coding]);
    for (const [code, occupation] of entries) {
      assert.ok(
        isOccupation(occupation),
        `${code} must map into the vocabulary, got ${occupation}`,
      );
      assert.ok(coding === "occ1990dd" || !isStatus(occupation), `${code} is no status`);
      assert.equal(toOcc1990dd(coding, code), occupation);
    }
  });
}

test("no table lists a code twice or misspells one", () => {
  for (const text of [CENSUS_1970, CENSUS_1980, CENSUS_1990, CENSUS_2000, CENSUS_2002]) {
    const entries = text.trim().split(/\s+/);
    for (const entry of entries) assert.match(entry, /^[1-9]\d*(<[1-9]\d*(,[1-9]\d*)*)?$/);
    const codes = entries.flatMap((entry) => (entry.split("<")[1] ?? entry).split(","));
    assert.equal(new Set(codes).size, codes.length);
  }
});

test("the vocabulary's occupations that no code of a coding reaches are these", () => {
  const unreached = (coding: Coding): string[] => {
    const reached = new Set([...crosswalkEntries(coding)].map(([, occupation]) => occupation));
    return OCCUPATIONS.map(({ code }) => code).filter((c) => !isStatus(c) && !reached.has(c));
  };
  assert.deepEqual(unreached("census1980"), ["467", "865"]); // decided by hand: 773 and 865 go elsewhere
  assert.deepEqual(unreached("census1990"), []);
  assert.deepEqual(unreached("census2000"), []);
  assert.equal(unreached("census1970").length, 66);
});

test("leading zeros do not count, and other forms are no codes", () => {
  assert.equal(toOcc1990dd("census1980", "007"), "7");
  assert.equal(toOcc1990dd("census1980", "7"), "7");
  assert.equal(toOcc1990dd("census2002", "0010"), "4");
  assert.equal(toOcc1990dd("census2002", "010"), "4");
  assert.equal(toOcc1990dd("census2002", "10"), "4");
  assert.equal(toOcc1990dd("occ1990dd", "022"), "22");
  assert.equal(toOcc1990dd("occ1990dd", "unemployed"), "unemployed");
  for (const code of ["", "-4", "-", "0", "000", "7.0", " 7", "1e1", "seven", "__proto__", "٧"]) {
    for (const coding of CODINGS) assert.equal(toOcc1990dd(coding, code), undefined, code);
  }
});

test("codes of three digits are Census 2000, codes of four Census 2002", () => {
  assert.equal(toOcc1990dd("census2002", "4760"), "275");
  assert.equal(toOcc1990dd("census2000", "476"), "275");
  assert.equal(toOcc1990dd("census2002", "476"), undefined);
  assert.equal(toOcc1990dd("census2000", "4760"), undefined);
  assert.equal(toOcc1990dd("census2000", "0476"), undefined);
  assert.equal(toOcc1990dd("census2002", "800"), "23"); // 0800, accountants
  assert.equal(toOcc1990dd("census2000", "800"), "709"); // grinding machines
});

test("people who have no occupation have no code", () => {
  assert.equal(toOcc1990dd("census1970", "991"), undefined); // unemployed
  assert.equal(toOcc1990dd("census2000", "992"), undefined);
  assert.equal(toOcc1990dd("census1970", "280"), undefined); // two occupations since
});

test("an unknown coding is named", () => {
  assert.throws(() => toOcc1990dd("census1960" as Coding, "7"), {
    name: "TypeError",
    message: /must be one of census1970, .*, got "census1960"$/,
  });
});

test("Census 1980 and 1990 agree but where 1990 gave codes anew", () => {
  const later = new Map(crosswalkEntries("census1990"));
  const differing = [...crosswalkEntries("census1980")]
    .filter(([code, occupation]) => later.has(code) && later.get(code) !== occupation)
    .map(([code]) => code);
  assert.deepEqual(differing.toSorted(), DIFFERING_1980_1990);
});

/** Renumbered in 1990, or decided by hand for 1980 (773, 865, 874). */
const DIFFERING_1980_1990 = "16 18 19 463 464 465 466 467 773 864 865 874".split(" ");

test("Census 2002 is Census 2000 with a zero behind, but for the sources' 24 disagreements", () => {
  const finer = new Map(crosswalkEntries("census2002"));
  const differing = [...crosswalkEntries("census2000")].filter(
    ([code, occupation]) => code !== "999" && finer.get(`${code}0`) !== occupation,
  );
  assert.equal(differing.length, 24);
  assert.deepEqual(
    differing.find(([code]) => code === "254"),
    ["254", "387"],
  );
  assert.equal(finer.get("2540"), "159");
});

for (const { survey, coding, count } of [
  { survey: "nlsy79.tsv.gz", coding: "census1980", count: 108_548 },
  { survey: "nlsy97.tsv.gz", coding: "census2002", count: 80_733 },
] as const) {
  test(`every job of ${survey} maps as the file says`, { skip: missing(survey) }, () => {
    const text = gunzipSync(readFileSync(sharedPath(survey))).toString();
    const [header = "", ...rows] = text.trim().split("\n");
    const columns = header.split("\t");
    let jobs = 0;
    for (const row of rows) {
      const fields = row.split("\t");
      const list = (name: string): string[] => (fields[columns.indexOf(name)] ?? "").split(" ");
      const codes = list("source_code");
      for (const [i, occupation] of list("occ1990dd").entries()) {
        if (isStatus(occupation)) continue;
        jobs += 1;
        assert.equal(toOcc1990dd(coding, codes[i] ?? ""), occupation, `${fields[0]}: ${codes[i]}`);
      }
    }
    assert.equal(jobs, count);
  });
}

for (const { coding, file, mapped, added } of [
  { coding: "census1980", file: "census1980_to_occ1990dd.csv", mapped: 503, added: ["693"] },
  { coding: "census2002", file: "census2002_to_occ1990dd.csv", mapped: 484, added: [] },
] as const) {
  const path = `crosswalks/${file}`;
  test(`${coding} has every code of ${file}`, { skip: missing(path) }, () => {
    const [, ...rows] = readFileSync(sharedPath(path), "utf8").trim().split(/\r?\n/);
    let numMapped = 0;
    const extra: string[] = [];
    for (const row of rows) {
      const [code = "", occupation = ""] = row.split(",");
      const found = toOcc1990dd(coding, code);
      if (occupation !== "") assert.equal(found, occupation, code);
      else if (found !== undefined) extra.push(code);
      if (occupation !== "") numMapped += 1;
    }
    assert.deepEqual(extra, added);
    assert.equal(numMapped, mapped);
  });
}
