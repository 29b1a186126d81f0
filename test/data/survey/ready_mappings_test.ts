import assert from "node:assert/strict";
import { test } from "node:test";
import { type Career } from "../../../data/mod.ts";
import {
  buildCareers,
  ImportReport,
  MAPPINGS,
  mapSurvey,
  readMapping,
} from "../../../data/survey/mod.ts";
import { openFiles } from "./memory_archive.ts";

/** Columns and one person's values, as a `.csv`. */
function person(values: Readonly<Record<string, string | number>>): string {
  return `${Object.keys(values).join(",")}\n${Object.values(values).join(",")}\n`;
}

/** The short descriptions of variables: number, year, question. */
function sdf(rows: readonly (readonly [string, string, string])[]): string {
  const lines = rows.map(([reference, year, question]) => `${reference}  ${year}  X  ${question}`);
  return ["-".repeat(60), ...lines, ""].join("\n");
}

async function imported(name: string, files: Record<string, string>): Promise<Career | undefined> {
  const mapping = readMapping(MAPPINGS.get(name)!, name);
  const survey = mapSurvey(await openFiles(files), mapping, new ImportReport());
  for await (const career of buildCareers(survey.people(), { dataset: mapping.survey })) {
    return career;
  }
  return undefined;
}

const NLSY97 = {
  R0000100: 12,
  R0536300: 2,
  R0536402: 1982,
  R1482600: 1,
  R1200300: -4,
  R2558800: 3,
  R2563101: 11, // grade in 1998
  R3885601: 1, // a GED in 1999
  R1201400: 8,
  R2560001: 8,
  R3881501: 2,
  R5460601: 2,
  S3659000: 4760,
  S3681000: -4,
  S3697000: 4110,
  S3713000: -4,
};

test("nlsy97 reads a download by reference numbers alone", async () => {
  const career = await imported("nlsy97", { "default.csv": person(NLSY97) });
  assert.deepEqual(career, {
    id: "12",
    dataset: "NLSY97",
    gender: "female",
    ethnicity: "black or african american",
    region: "south",
    birthYear: 1982,
    observations: [
      { year: 1998, education: "less than high school", occupation: "education" },
      { year: 1999, education: "high school", occupation: "435" },
      { year: 2000, education: "high school", occupation: "not_in_labor_force" },
    ],
  });
});

test("nlsy97 takes the most frequent status of the weeks, by question", async () => {
  const weeks = { "EMP_STATUS_2000.01_XRND": 4, "EMP_STATUS_2000.02_XRND": 4, E0012003: 5 };
  const career = await imported("nlsy97", {
    "default.csv": person({ ...NLSY97, ...weeks, E0011901: 199901 }),
    "default.sdf": sdf([
      ["E00120.03", "XRND", "EMP_STATUS_2000.03"],
      ["E00119.01", "XRND", "EMP_STATUS_1999.01"],
    ]),
  });
  assert.deepEqual(
    career?.observations.map(({ year, occupation }) => [year, occupation]),
    [
      [1998, "education"],
      [1999, "435"],
      [2000, "unemployed"],
    ],
  );
});

test("nlsy79 reads grades, occupations of three censuses and weeks", async () => {
  const career = await imported("nlsy79", {
    "default.csv": person({
      R0000100: 5,
      R0000500: 58,
      R0214700: 3,
      R0214800: 1,
      R0216400: 4,
      R0216701: 12,
      R0216601: 3,
      R0046400: 912, // Census 1970: cooks
      R0446400: 912,
      R9000100: 275, // Census 1980, by its question
      R9000200: 275,
      T1298000: 4760, // Census 2002
      W0100100: 101,
      W0100200: 4,
      W0100300: 4,
    }),
    "default.sdf": sdf([
      ["R02166.01", "1979", "ENROLLMTREV79"],
      ["R90001.00", "1982", "CPSOCC80"],
      ["R90002.00", "1996", "CPSOCC80.01"],
      ["W01001.00", "XRND", "STATUS_WK_NUM0210"],
      ["W01002.00", "XRND", "STATUS_WK_NUM0211"],
      ["W01003.00", "XRND", "STATUS_WK_NUM0212"],
    ]),
  });
  assert.deepEqual(
    [career?.region, career?.birthYear, career?.ethnicity],
    ["west", 1958, "non-black non-hispanic"],
  );
  assert.deepEqual(
    career?.observations.map(({ year, occupation }) => `${year} ${occupation}`),
    ["1979 education", "1981 436", "1982 unemployed", "1996 275", "2008 275"],
  );
});
