import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { gzipSync, strToU8, zipSync } from "fflate";
import { EXIT } from "../../cli/platform/errors.ts";
import { readCareersFile } from "../../cli/run/careers_file.ts";
import { importCareers, type ImportRequest } from "../../cli/run/import.ts";
import { formatImport, formatYears } from "../../cli/run/import_report.ts";
import { buildZip } from "../data/archive/build_zip.ts";
import { silentProgress, temporaryFolder } from "./run_support.ts";

const folder = temporaryFolder();

const OCCUPATIONS = "R0000100,1982,1983\n1,-5,-5\n2,337,-4\n3,2,276\n";
const GRADES = "R0000100,1979,1982,1983\n1,12,-5,-5\n2,9,-4,12\n3,12,-4,-4\n";
const REST =
  '"R0000100","R0000500","R0214700","R0214800","R0898300"\n1,58,3,2,-5\n2,59,3,2,1\n3,61,1,1,4\n';
const SDF = `${"-".repeat(40)}\nR08983.00  1982  ENROLLMENT STATUS  ENROLLMT\n`;

const FILES: Readonly<Record<string, Uint8Array>> = {
  "CPS80_occ_codes.csv.gz": gzipSync(strToU8(OCCUPATIONS)),
  "original_highest_grade_completed.csv": strToU8(GRADES),
  "rest/default.csv": strToU8(REST),
  "rest/default.sdf": strToU8(SDF),
};

/** Writes a download as a folder. */
function writeFolder(name: string, files: Readonly<Record<string, Uint8Array>> = FILES): string {
  const path = join(folder, name);
  for (const [file, bytes] of Object.entries(files)) {
    mkdirSync(join(path, file, ".."), { recursive: true });
    writeFileSync(join(path, file), bytes);
  }
  return path;
}

function writeZip(name: string, files: Readonly<Record<string, Uint8Array>> = FILES): string {
  const path = join(folder, name);
  writeFileSync(path, zipSync(files));
  return path;
}

function request(paths: readonly string[], changes: Partial<ImportRequest> = {}): ImportRequest {
  return { paths, mapping: "nlsy79_by_year", progress: silentProgress(), ...changes };
}

test("a folder, a zip and single files give the same careers, in each form of output", async () => {
  const download = writeFolder("download");
  const ways: readonly (readonly string[])[] = [
    [download],
    [writeZip("download.zip")],
    Object.keys(FILES).map((name) => join(download, name)),
  ];
  const expected = [
    { id: "2", birthYear: 1959, years: "1982 337, 1983 not_in_labor_force" },
    { id: "3", birthYear: 1961, years: "1983 276" },
  ];
  for (const [i, paths] of ways.entries()) {
    for (const ending of ["jsonl", "tsv", "parquet"]) {
      const output = join(folder, `careers_${i}.${ending}`);
      const outcome = await importCareers(request(paths, { output }));
      assert.deepEqual([outcome.numPeople, outcome.numObservations], [2, 3]);
      const careers = await readCareersFile(output);
      assert.deepEqual(
        careers.map(({ id, birthYear, observations }) => ({
          id,
          birthYear,
          years: observations.map(({ year, occupation }) => `${year} ${occupation}`).join(", "),
        })),
        expected,
        output,
      );
    }
  }
});

test("what was found and left out is told, with places", async () => {
  const outcome = await importCareers(request([writeFolder("told")]));
  const text = formatImport(outcome, undefined);
  assert.match(text, /^occupation +2 variables: 1982-1983$/m);
  assert.match(text, /^region +not in this download$/m);
  assert.match(
    text,
    /^person-years +1 +no occupation of occ1990dd .*CPS80_occ_codes.csv.gz:4, 1982: 2$/m,
  );
  assert.match(text, /^people +1 +no year left +CPS80_occ_codes.csv.gz:2$/m);
  assert.match(text, /^2 people, 3 person-years: nothing written \(--dry-run\)$/m);
  assert.equal(formatYears([1979, 1980, 1982, 1990, 1991]), "1979-1980, 1982, 1990-1991");
});

const BAD: readonly (readonly [string, Readonly<Record<string, Uint8Array>>, RegExp])[] = [
  [
    "a ragged row at the end",
    { ...FILES, "rest/default.csv": strToU8(`${REST}4,1\n`) },
    /^Cannot read rest\/default.csv, line 5: a row must have 5 values/,
  ],
  [
    "a person twice in the first file",
    { ...FILES, "CPS80_occ_codes.csv.gz": gzipSync(strToU8(`${OCCUPATIONS}2,1,1\n`)) },
    /^Cannot read CPS80_occ_codes.csv.gz, line 5: an id must occur once/,
  ],
  [
    "gzip that is cut off",
    { ...FILES, "CPS80_occ_codes.csv.gz": gzipSync(strToU8(OCCUPATIONS)).slice(0, -6) },
    /"CPS80_occ_codes.csv.gz"\): its gzip data must be whole/,
  ],
  ["no extract", { "a.txt": strToU8("x") }, /it must hold an extract/],
  [
    "nobody with a career",
    { ...FILES, "CPS80_occ_codes.csv.gz": gzipSync(strToU8("R0000100,1982\n1,-5\n")) },
    /there must be at least one career, got none \(no (year left|gender told), first at/,
  ],
];

for (const [i, [what, files, message]] of BAD.entries()) {
  test(`a download with ${what} is refused, and the output stays as it was`, async () => {
    const own = join(folder, `bad_${i}`);
    mkdirSync(own);
    const output = join(own, "careers.jsonl");
    writeFileSync(output, "as it was");
    const paths = [writeFolder(`bad_${i}_download`, files)];
    await assert.rejects(importCareers(request(paths, { output })), {
      exitCode: EXIT.data,
      message,
    });
    assert.equal(readFileSync(output, "utf8"), "as it was");
    assert.deepEqual(readdirSync(own), ["careers.jsonl"]);
  });
}

test("a zip that leads out of its folder is refused with exit code 3, and nothing is unpacked", async () => {
  const path = join(folder, "evil.zip");
  writeFileSync(path, buildZip([{ name: "../evil.csv", content: "R0000100\n1\n" }]));
  await assert.rejects(importCareers(request([path])), {
    exitCode: EXIT.data,
    message: /evil.zip" \("..\/evil.csv"\): a name must not lead out of its folder/,
  });
  assert.ok(!existsSync(join(folder, "..", "evil.csv")));
});

test("paths, mappings and outputs that cannot be are refused before anything is read", async () => {
  const missing = join(folder, "nowhere");
  await assert.rejects(importCareers(request([missing])), {
    exitCode: EXIT.data,
    message: /the file must exist/,
  });
  await assert.rejects(importCareers(request([missing], { mapping: "nlsy7" })), {
    exitCode: EXIT.usage,
    message: /must be one of nlsy79, .*did you mean nlsy79\?/,
  });
  await assert.rejects(importCareers(request([missing], { output: "careers.xls" })), {
    exitCode: EXIT.usage,
    message: /must end in .parquet, .tsv, .jsonl/,
  });
  const bad = join(folder, "bad.yaml");
  writeFileSync(bad, "survey: X\nformat: nls\nidd: 1\n");
  await assert.rejects(importCareers(request([missing], { mapping: bad })), {
    exitCode: EXIT.data,
    message: /bad.yaml": .*unknown "idd" \(did you mean "id"\?\)/,
  });
});

test("tenure import prints a mapping that it takes back, and its help teaches", () => {
  const run = (...args: string[]) =>
    spawnSync("node", ["--import", "tsx", "bin/tenure.js", "import", ...args], {
      encoding: "utf8",
    });
  const printed = run("--print-mapping", "nlsy79_by_year");
  assert.equal(printed.status, 0);
  const mine = join(folder, "mine.yaml");
  writeFileSync(mine, printed.stdout);
  const output = join(folder, "mine.jsonl");
  const imported = run(writeZip("mine.zip"), "--mapping", mine, "-o", output);
  assert.equal(imported.status, 0, imported.stderr);
  assert.match(imported.stdout, /2 people, 3 person-years: written to/);
  assert.equal(readFileSync(output, "utf8").split("\n").length, 3);
  const unclear = run(mine, "--mapping", mine);
  assert.equal(unclear.status, EXIT.usage);
  assert.match(unclear.stderr, /either --output or --dry-run, got neither/);
  assert.match(run("--help").stdout, /tenure import --print-mapping nlsy79/);
});
