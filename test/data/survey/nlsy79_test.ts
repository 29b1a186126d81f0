import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import { test } from "node:test";
import { type Archive, singleFile, joinArchives } from "../../../data/archive/mod.ts";
import type { Career } from "../../../data/mod.ts";
import {
  buildCareers,
  ImportReport,
  MAPPINGS,
  mapSurvey,
  openNlsTable,
  readMapping,
} from "../../../data/survey/mod.ts";
import { missing, readShared, sharedPath } from "../shared_data.ts";
import { bytesStream } from "./memory_archive.ts";

const RAW = "nls_investigator_nlsy79";
const CONVERTED = "nlsy79.tsv.gz";

/** The raw downloads as a set of files. */
function rawFiles(): Archive {
  const folder = sharedPath(RAW);
  return joinArchives(
    readdirSync(folder).map((name) =>
      singleFile(name, () => bytesStream(readFileSync(new URL(`${folder.href}/${name}`)))),
    ),
  );
}

async function importRaw(): Promise<{ careers: Career[]; report: ImportReport }> {
  const report = new ImportReport();
  const mapping = readMapping(MAPPINGS.get("nlsy79_by_year")!, "nlsy79_by_year");
  const survey = mapSurvey(await openNlsTable([rawFiles()]), mapping, report);
  const careers: Career[] = [];
  for await (const career of buildCareers(survey.people(), { report })) careers.push(career);
  return { careers, report };
}

test(
  "importing the NLSY79 from its raw files gives the converted careers, each year of each person",
  { skip: missing(RAW) || missing(CONVERTED) },
  async (t) => {
    const { careers, report } = await importRaw();
    const converted = await readShared(CONVERTED);
    const careerOf = new Map(careers.map((career) => [career.id, career]));
    const different = converted.filter((career) => {
      try {
        assert.deepEqual(careerOf.get(career.id), career);
        return false;
      } catch {
        return true;
      }
    });
    assert.deepEqual(
      different.map(({ id }) => id),
      [],
    );
    // The converted file holds nine of ten of these people; no variable tells which.
    assert.equal(converted.length, 11_303);
    assert.equal(careers.length, 12_532);
    const numYears = careers.reduce((sum, { observations }) => sum + observations.length, 0);
    assert.equal(numYears, 159_842);
    const left = report.entries().filter(({ what }) => what !== "value");
    t.diagnostic(left.map(({ count, reason }) => `${count} ${reason}`).join("; "));
    assert.deepEqual(
      left.map(({ what, count, reason }) => [what, count, reason]),
      [
        ["person", 154, "no year left"],
        ["year", 549, "not a student, and neither status nor occupation told"],
        ["year", 455, "no education told so far"],
        ["year", 101, "no occupation of occ1990dd for the code of census1980"],
      ],
    );
  },
);

test(
  "people whom the converted file lacks differ from the others neither in sex nor in ethnicity",
  { skip: missing(RAW) || missing(CONVERTED) },
  async () => {
    const { careers } = await importRaw();
    const known = new Set((await readShared(CONVERTED)).map(({ id }) => id));
    const share = (people: readonly Career[], is: (career: Career) => boolean): number =>
      people.filter(is).length / people.length;
    const kept = careers.filter(({ id }) => known.has(id));
    const lacking = careers.filter(({ id }) => !known.has(id));
    assert.equal(lacking.length, 1229);
    for (const is of [
      ({ gender }: Career) => gender === "female",
      ({ ethnicity }: Career) => ethnicity === "black",
      ({ ethnicity }: Career) => ethnicity === "hispanic",
    ]) {
      const p = share(careers, is);
      // Three standard errors of the difference of two shares.
      const limit = 3 * Math.sqrt(p * (1 - p) * (1 / kept.length + 1 / lacking.length));
      assert.ok(Math.abs(share(kept, is) - share(lacking, is)) < limit);
    }
  },
);
