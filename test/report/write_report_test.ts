import assert from "node:assert/strict";
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { test, type TestContext } from "node:test";
import { parseHTML } from "linkedom";
import type { ReportDocument } from "../../cli/report/document.ts";
import { checkReportFolder, writeReport } from "../../cli/report/mod.ts";
import { sampleCard, sampleDocument } from "./report_support.ts";

/** A report without its largest drawings. */
function smallDocument(): ReportDocument {
  const document = sampleDocument();
  return { ...document, sections: document.sections.slice(0, 2) };
}

function place(t: TestContext): string {
  const folder = mkdtempSync(join(tmpdir(), "tenure-report-"));
  t.after(() => rmSync(folder, { recursive: true }));
  return join(folder, "report");
}

function filesOf(folder: string): string[] {
  return readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name).slice(folder.length + 1))
    .toSorted();
}

test("writeReport() writes every file that the page links to, and no other", async (t) => {
  const folder = place(t);
  const written = await writeReport(folder, smallDocument(), { modelCards: [sampleCard] });
  assert.deepEqual(written.toSorted(), filesOf(folder));
  assert.equal(written.length, 3 + 2 * 2 + 2 + 1);
  assert.equal(written.at(-1), "index.html");
  const { document } = parseHTML(readFileSync(join(folder, "index.html"), "utf8"));
  const links = [...document.querySelectorAll("a[href]")]
    .map((link) => link.getAttribute("href")!)
    .filter((href) => !href.startsWith("#"));
  assert.deepEqual(links.toSorted(), written.filter((name) => name !== "index.html").toSorted());
  assert.deepEqual(readdirSync(dirname(folder)), ["report"]);
});

test("writeReport() replaces an earlier report, whole", async (t) => {
  const folder = place(t);
  await writeReport(folder, smallDocument(), { modelCards: [sampleCard] });
  writeFileSync(join(folder, ".DS_Store"), "");
  const [first] = smallDocument().sections;
  await writeReport(folder, { title: "Less", facts: [], sections: [first!] });
  assert.deepEqual(filesOf(folder), [
    "index.html",
    "report.md",
    "tables/perplexity.csv",
    "tables/perplexity.md",
    "tables/perplexity.tex",
  ]);
  assert.deepEqual(readdirSync(dirname(folder)), ["report"]);
});

test("writeReport() leaves a folder alone that holds anything else", async (t) => {
  const folder = place(t);
  await writeReport(folder, smallDocument());
  writeFileSync(join(folder, "tables", "notes.txt"), "mine");
  const before = filesOf(folder);
  const error = {
    name: "CliError",
    message: /hold an earlier report alone, got "tables\/notes\.txt" in it; move that away/,
  };
  await assert.rejects(checkReportFolder(folder), error);
  await assert.rejects(writeReport(folder, smallDocument()), error);
  assert.deepEqual(filesOf(folder), before);
});

test("writeReport() writes nothing of a document with a fault", async (t) => {
  const folder = place(t);
  const document = smallDocument();
  const [first] = document.sections;
  for (const id of ["../escape", "Perplexity", ""]) {
    const table = { ...first!.tables[0]!, id };
    const bad = { ...document, sections: [{ ...first!, tables: [table] }] };
    await assert.rejects(writeReport(folder, bad), RangeError);
  }
  const modelCards = [sampleCard, sampleCard];
  await assert.rejects(writeReport(folder, document, { modelCards }), /got "fine-tuned" twice/);
  assert.deepEqual(readdirSync(dirname(folder)), []);
});

test("checkReportFolder() accepts a new folder and refuses a file", async (t) => {
  const folder = place(t);
  await checkReportFolder(folder);
  writeFileSync(folder, "");
  await assert.rejects(checkReportFolder(folder), { name: "CliError" });
});
