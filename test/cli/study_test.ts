import assert from "node:assert/strict";
import { spawn, spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { COUNTS_STUDY, writeStudyFile } from "../study/study_support.ts";
import { temporaryFolder } from "./run_support.ts";

const folder = temporaryFolder();
const counts = writeStudyFile(folder, COUNTS_STUDY, "counts.yaml");
/** A language model that takes some seconds, and one that begins with it. */
const text = writeStudyFile(
  folder,
  `
study: Text
populations:
  A: { synthetic: survey, people: 30 }
  B: { synthetic: large, people: 30 }
evaluation: { test_people: 3, replications: 10 }
models:
  - name: text
    family: language-model
    d_model: 16
    d_hidden: 24
    num_blocks: 1
    num_heads: 2
    vocab_size: 700
    populations: [A]
    pretrain: { on: others }
    training: { max_steps: 60, batch_tokens: 512 }
`,
  "text.yaml",
);

function tenure(...args: string[]) {
  const { status, stdout, stderr } = spawnSync("node", ["bin/tenure.js", ...args], {
    encoding: "utf8",
  });
  return { status, stdout, stderr };
}

test("tenure study writes a report that stands alone", () => {
  const output = join(folder, "counts");
  const { status, stdout, stderr } = tenure("study", counts, "-o", output);
  assert.equal(status, 0, stderr);
  assert.match(stdout, /33 steps, 0 of them done before/);
  const report = join(output, "report");
  const html = readFileSync(join(report, "index.html"), "utf8");
  assert.match(html, /Counts of synthetic people/);
  assert.match(html, /smoothing helps/);
  assert.doesNotMatch(html, /<script|<link[^>]+stylesheet|src="http/);
  for (const name of ["report.md", "tables", "figures", "model_cards"]) {
    assert.ok(existsSync(join(report, name)), `${name} must be there`);
  }
  const tables = readdirSync(join(report, "tables"));
  for (const format of ["csv", "md", "tex"]) {
    assert.ok(
      tables.some((name) => name.endsWith(`.${format}`)),
      `there must be tables as ${format}`,
    );
  }
});

test("tenure study does nothing twice, and says what there is to do", () => {
  const output = join(folder, "twice");
  const before = tenure("study", counts, "-o", output, "--dry-run");
  assert.match(before.stdout, /33 steps left of 33/);
  assert.equal(existsSync(output), false);
  assert.equal(tenure("study", counts, "-o", output, "--only", "empirical").status, 0);
  assert.match(tenure("study", counts, "-o", output, "--dry-run").stdout, /29 steps left of 33/);
  assert.equal(tenure("study", counts, "-o", output).status, 0);
  const again = tenure("study", counts, "-o", output);
  assert.match(again.stdout, /33 steps, 33 of them done before/);
});

test("tenure study refuses what it cannot do, before anything runs", () => {
  const output = join(folder, "refused");
  const missing = tenure("study", join(folder, "none.yaml"), "-o", output);
  assert.equal(missing.status, 3);
  assert.match(missing.stderr, /Cannot read ".*none\.yaml": the file must exist/);
  const only = tenure("study", counts, "-o", output, "--only", "best");
  assert.equal(only.status, 2);
  assert.match(
    only.stderr,
    /--only must name models of the study \(empirical, kneser-ney, pooled\)/,
  );
  const broken = writeStudyFile(
    folder,
    COUNTS_STUDY.replace("family: empirical", "family: x"),
    "x.yaml",
  );
  const refused = tenure("study", broken, "-o", output);
  assert.equal(refused.status, 3);
  assert.match(refused.stderr, /models\.0 \(empirical\)\.family: must name one of/);
  assert.equal(existsSync(output), false);
});

/** Runs a study and kills it, without mercy, when its output says something. */
function killWhen(output: string, pattern: RegExp): Promise<void> {
  const child = spawn("node", ["bin/tenure.js", "study", text, "-o", output]);
  let seen = "";
  return new Promise((resolve, reject) => {
    child.stderr.on("data", (chunk: Buffer) => {
      seen += chunk.toString();
      if (pattern.test(seen)) child.kill("SIGKILL");
    });
    child.on("close", (code, signal) => {
      if (signal === "SIGKILL") resolve();
      else reject(new Error(`it must be killed, got exit code ${code} after ${seen}`));
    });
  });
}

/** SHA-256 of the weights of every fit. */
function weightsOf(output: string): Record<string, string> {
  const fits = join(output, "cache", "fits");
  const names = readdirSync(fits, { recursive: true, encoding: "utf8" });
  const files = names.filter((name) => name.endsWith("model.safetensors")).toSorted();
  return Object.fromEntries(
    files.map((name) => {
      const bytes = readFileSync(join(fits, name));
      return [name, createHash("sha256").update(bytes).digest("hex")];
    }),
  );
}

test("a study that was killed while it trained ends with the same weights", async () => {
  const whole = join(folder, "whole");
  const { status, stderr } = tenure("study", text, "-o", whole);
  assert.equal(status, 0, stderr);
  const killed = join(folder, "killed");
  await killWhen(killed, /held-out/); // after a validation of the first fit
  await killWhen(killed, /fitted in[\s\S]*held-out/); // in the second
  assert.equal(tenure("study", text, "-o", killed).status, 0);
  assert.deepEqual(weightsOf(killed), weightsOf(whole));
  const answers = (output: string) => {
    const names = readdirSync(join(output, "cache", "answers"));
    const files = names.filter((name) => name.endsWith(".parquet"));
    return files.map((name) => readFileSync(join(output, "cache", "answers", name), "latin1"));
  };
  assert.deepEqual(answers(killed), answers(whole));
});
