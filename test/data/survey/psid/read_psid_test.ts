import assert from "node:assert/strict";
import { test } from "node:test";
import { type Archive, openZip } from "../../../../data/archive/mod.ts";
import type { Career } from "../../../../data/career.ts";
import { buildCareers } from "../../../../data/survey/build_careers.ts";
import { ImportReport } from "../../../../data/survey/import_report.ts";
import { PSID_MAPPING } from "../../../../data/survey/mappings/psid.ts";
import { parsePsidMapping, type PsidMapping } from "../../../../data/survey/psid/mapping.ts";
import { openPsid } from "../../../../data/survey/psid/read_psid.ts";
import { buildZip, inMemory } from "../../archive/build_zip.ts";
import { SETUP_KINDS } from "../setup_files/write_setup.ts";
import { CAREERS, SURVEY } from "./made_up_survey.ts";
import { archiveOf, type Survey, writeCart, writePackages } from "./psid_files.ts";

const MAPPING = parsePsidMapping(PSID_MAPPING, "psid.yaml");

async function importPsid(
  archive: Archive,
  mapping: PsidMapping = MAPPING,
): Promise<{ careers: Career[]; years: readonly number[]; report: ImportReport }> {
  const report = new ImportReport();
  const survey = await openPsid(archive, mapping, report);
  const careers: Career[] = [];
  for await (const career of buildCareers(survey.people(), { dataset: "PSID", report })) {
    careers.push(career);
  }
  return { careers, years: survey.years, report };
}

const reasonsOf = (report: ImportReport): string[] =>
  report.entries().map(({ what, reason, count }) => `${count} ${what}: ${reason}`);

for (const kind of SETUP_KINDS) {
  test(`packages with .${kind} setup files become the careers worked out by hand`, async () => {
    const files = writePackages(SURVEY, { mapping: MAPPING, kinds: [kind] });
    const { careers, years } = await importPsid(archiveOf(files));
    assert.deepEqual(years, [1981, 1982, 1983, 1985, 2003]);
    assert.deepEqual(careers, CAREERS);
  });

  test(`a cart of the Data Center with a .${kind} file becomes the same careers`, async () => {
    const files = writeCart(SURVEY, { mapping: MAPPING, kinds: [kind] });
    assert.deepEqual((await importPsid(archiveOf(files))).careers, CAREERS);
  });
}

test("a zip of packages, each with a setup file of another kind, becomes the same careers", async () => {
  const files = writePackages(SURVEY, { mapping: MAPPING, kinds: SETUP_KINDS });
  const zip = buildZip(Array.from(files, ([name, content]) => ({ name, content })));
  const archive = await openZip(inMemory(zip, "psid.zip"));
  assert.deepEqual((await importPsid(archive)).careers, CAREERS);
});

test("what is left out is counted by reason, with its place", async () => {
  const { report } = await importPsid(
    archiveOf(writePackages(SURVEY, { mapping: MAPPING, kinds: ["sas"] })),
  );
  const reasons = reasonsOf(report);
  for (const expected of [
    "2 year: not living with the family at the interview (moved out, in an institution, dead)",
    "2 year: neither head nor spouse",
    "2 year: younger than 18 or older than 80",
    "1 year: a job, but no occupation told",
    "3 year: all of it: no crosswalk from census2010 to occ1990dd (there are census1970, census1980, census1990, census2000, census2002, occ1990dd)",
    "21 year: all of it: not in the individual file",
  ]) {
    assert.ok(reasons.includes(expected), `${expected}\nnot in\n${reasons.join("\n")}`);
  }
  const moved = report.entries().find(({ reason }) => reason.startsWith("not living"));
  assert.deepEqual(moved?.examples, [
    "ind2021er/IND2021ER.txt, line 3, 2003",
    "ind2021er/IND2021ER.txt, line 5, 1985",
  ]);
});

test("a year without its family file is left out and reported, others are kept", async () => {
  const files = writePackages(SURVEY, { mapping: MAPPING, kinds: ["sps"] });
  for (const name of files.keys()) if (name.startsWith("fam1983/")) files.delete(name);
  const { careers, years, report } = await importPsid(archiveOf(files));
  assert.deepEqual(years, [1981, 1982, 1985, 2003]);
  assert.deepEqual(
    careers[0]?.observations,
    CAREERS[0]?.observations.filter(({ year }) => year !== 1983),
  );
  assert.ok(reasonsOf(report).includes("1 year: all of it: no family file in the download"));
});

/** The survey with one family's, or one person's, codes changed. */
function changed(
  change: (survey: { -readonly [Key in keyof Survey]: Survey[Key] }) => void,
): Survey {
  const copy = structuredClone(SURVEY);
  change(copy);
  return copy;
}

const filesOf = (survey: Survey) => writePackages(survey, { mapping: MAPPING, kinds: ["do"] });

test("codes that no list has are reported by line, variable left out", async () => {
  const survey = changed((copy) => {
    Object.assign(copy.families[1982]![0]!.head, { status: 77 });
    Object.assign(copy.families[1985]![0]!, { region: 8 });
    Object.assign(copy.families[1985]![1]!.head, { race: 66 });
    Object.assign(copy.people[0]!.years[1981]!, { education: 55 });
    Object.assign(copy.families[1981]![1]!.head, { occupation: 4 });
  });
  const { report, careers } = await importPsid(archiveOf(filesOf(survey)));
  const examples = new Map(
    report.entries().map(({ reason, examples: [first] }) => [reason, first]),
  );
  const place = "ind2021er/IND2021ER.txt, line";
  assert.equal(examples.get("an unknown code of employment status"), `${place} 1, 1982: 77`);
  assert.equal(examples.get("an unknown code of region"), `${place} 1, 1985: 8`);
  assert.equal(examples.get("an unknown code of race"), `${place} 2, 1985: 66`);
  assert.equal(examples.get("an unknown code of education"), `${place} 1, 1981: 55`);
  assert.deepEqual(
    careers[0]?.observations.map(({ year }) => year),
    [1983, 1985, 2003],
  );
});

test("a second head of a family, and one whose family is in no row, are reported", async () => {
  const survey = changed((copy) => {
    Object.assign(copy.people[1]!.years[1985]!, { interview: 20 });
    Object.assign(copy.people[2]!.years[1985]!, { interview: 99 });
  });
  const { report } = await importPsid(archiveOf(filesOf(survey)));
  const examples = new Map(
    report.entries().map(({ reason, examples: [first] }) => [reason, first]),
  );
  const place = "ind2021er/IND2021ER.txt, line";
  assert.equal(examples.get("a family with a second head"), `${place} 2, 1985: 20`);
  assert.equal(examples.get("no row of the family in its family file"), `${place} 3, 1985: 99`);
});

test("a year of birth that contradicts the age gives way to the age", async () => {
  const survey = changed((copy) => {
    for (const year of [1983, 1985, 2003])
      Object.assign(copy.people[0]!.years[year]!, { born: 1904 });
  });
  const { careers } = await importPsid(archiveOf(filesOf(survey)));
  assert.equal(careers[0]?.birthYear, 1981 - 40);
});

async function refusal(files: ReadonlyMap<string, string>, mapping = MAPPING): Promise<Error> {
  try {
    await importPsid(archiveOf(files), mapping);
  } catch (error) {
    assert.ok(error instanceof SyntaxError || error instanceof RangeError, String(error));
    return error;
  }
  throw new Error("Nothing was refused");
}

const IND = "ind2021er/IND2021ER.txt";

test("damaged rows are refused by line", async () => {
  const cases: readonly (readonly [string, (text: string) => string, RegExp])[] = [
    [IND, (text) => text.replace("\r\n", "\r\n\r\n"), /IND2021ER\.txt, line 2: a record must have/],
    [
      IND,
      (text) => text.replace("    4   30", "    4    1"),
      /line 3: a person must stand in one row, got 4001 as on line 1/,
    ],
    [
      IND,
      (text) => text.replace("    4   30", "    4 1000"),
      /line 3: "ER30001" and "ER30002" must be whole numbers/,
    ],
    [
      IND,
      (text) => text.replace("    4   30", "    4  3.5"),
      /line 3: "ER30001" and "ER30002" must be whole/,
    ],
    [
      IND,
      (text) => text.replace("    4   30", "    4  3x0"),
      /line 3: "ER30002" in columns 7 - 11 must be a number/,
    ],
    [
      "fam1981/FAM1981.txt",
      (text) => text.replace("   14", "   13"),
      /FAM1981\.txt, line 3: a family must stand in one row/,
    ],
    [
      "fam1981/FAM1981.txt",
      (text) => text.replace("   14", "     "),
      /FAM1981\.txt, line 3: .*"V7502" must be a whole number from 1, got a blank/,
    ],
    [
      "fam1981/FAM1981.txt",
      () => "",
      /FAM1981\.txt, line 1: a data file must have at least one record/,
    ],
  ];
  for (const [name, damage, message] of cases) {
    const files = filesOf(SURVEY);
    assert.notEqual(damage(files.get(name)!), files.get(name), String(message));
    files.set(name, damage(files.get(name)!));
    assert.match((await refusal(files)).message, message);
  }
});

test("setup files that contradict each other, or lack a variable, are refused", async () => {
  const both = filesOf(SURVEY);
  const sas = writePackages(SURVEY, { mapping: MAPPING, kinds: ["sas"] });
  both.set("fam1981/FAM1981.sas", sas.get("fam1981/FAM1981.sas")!);
  assert.deepEqual((await importPsid(archiveOf(both))).careers, CAREERS);
  both.set(
    "fam1981/FAM1981.sas",
    sas.get("fam1981/FAM1981.sas")!.replace(/V7706( +)\d+ - /, "V7706$1 16 - "),
  );
  assert.match((await refusal(both)).message, /FAM1981\.sas.*(?:must agree|overlap)/);

  const lacking = filesOf(SURVEY);
  lacking.set(
    "fam1981/FAM1981.do",
    lacking.get("fam1981/FAM1981.do")!.replaceAll("V7712", "V9999"),
  );
  assert.match(
    (await refusal(lacking)).message,
    /FAM1981\.do: .* variables of 1981 .* none called V7712/,
  );
});

test("downloads without an individual file, with two, or without any table are refused", async () => {
  const none = filesOf(SURVEY);
  for (const name of none.keys()) if (name.startsWith("ind")) none.delete(name);
  assert.match(
    (await refusal(none)).message,
    /with ER30001, ER30002, ER32000 must be in "download"/,
  );

  const two = filesOf(SURVEY);
  for (const ending of ["txt", "do"])
    two.set(`old/IND2019ER.${ending}`, two.get(`ind2021er/IND2021ER.${ending}`)!);
  assert.match((await refusal(two)).message, /there must be one individual file, got/);

  assert.match(
    (await refusal(new Map([["a.txt", "1"]]))).message,
    /a \.txt and a setup file of the same name/,
  );
});

test("a download of which no mapped year is left is refused, saying why", async () => {
  const years = { 2017: MAPPING.years[2017]! };
  const error = await refusal(filesOf(SURVEY), { ...MAPPING, years });
  assert.match(
    error.message,
    /at least one mapped year .*2017: all of it: no crosswalk from census2010/,
  );
});
