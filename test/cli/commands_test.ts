import assert from "node:assert/strict";
import { spawn, spawnSync } from "node:child_process";
import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { before, test } from "node:test";
import { fileURLToPath } from "node:url";
import { EXIT } from "../../cli/platform/errors.ts";
import type { EvalReport } from "../../cli/run/eval_report.ts";
import type { Prediction } from "../../cli/run/predict.ts";
import { readLog, temporaryFolder } from "./run_support.ts";

const COMMAND = fileURLToPath(new URL("../../bin/tenure.js", import.meta.url));

const folder = temporaryFolder();
const data = join(folder, "data");
const run = join(folder, "run");

/** Runs a command line, given in words and paths, to its end. */
function tenure(...args: string[]): { status: number | null; stdout: string; stderr: string } {
  const words = args.flatMap((arg) => (arg.startsWith(folder) ? [arg] : arg.split(" ")));
  return spawnSync(process.execPath, [COMMAND, ...words], { encoding: "utf8" });
}

/** Runs a command line that must fail, and gives its one line of error. */
function failing(exitCode: number, ...args: string[]): string {
  const { status, stderr } = tenure(...args);
  const lines = stderr.split("\n").filter((line) => line.startsWith("tenure: "));
  assert.equal(status, exitCode, stderr);
  assert.equal(lines.length, 1, stderr);
  return lines[0]!;
}

const TINY =
  "--d-model 16 --d-hidden 24 --num-blocks 1 --num-heads 2 --seq-len 256 --batch-tokens 512";

before(() => {
  const made = tenure("prepare --synthetic survey --num-people 60 --vocab-size 2048 -o", data);
  assert.equal(made.status, EXIT.ok, made.stderr);
  assert.match(made.stdout, /^\| part .*\n\|.*\n\| train \| +42 \|/);
  const trained = tenure(
    "train",
    data,
    "-o",
    run,
    TINY,
    "--learning-rate 1e-2 --max-steps 30 --eval-steps 15",
  );
  assert.equal(trained.status, EXIT.ok, trained.stderr);
  assert.match(trained.stdout, /^Trained 30 steps \(all steps taken\)\. Best perplexity .*: \d/);
  assert.match(trained.stderr, /step \d+\/30 · loss .* tokens\/s · .* GFLOP\/s/);
});

test("tenure eval shows the model beside baselines and the truth, and writes eval.json", () => {
  const { status, stdout, stderr } = tenure("eval", run);
  assert.equal(status, EXIT.ok, stderr);
  for (const name of [
    "language model",
    "first-order Kneser-Ney",
    "first-order back-off",
    "transition frequencies",
    "true process",
  ]) {
    assert.match(stdout, new RegExp(`^\\| ${name} +\\| +[\\d.]+ \\([\\d.]+\\) \\|`, "m"));
  }
  assert.match(stdout, /^True entropy: \d\.\d+ nats an observation, a perplexity of \d/m);
  assert.match(stdout, /^Report: .*eval\.json$/m);
  assert.match(stdout, /^Language model minus first-order back-off: [+−]\d/m);
  const report = JSON.parse(readFileSync(join(run, "eval.json"), "utf8")) as EvalReport;
  assert.equal(report.numPeople, 12);
  const [language, , , , truth] = report.models;
  assert.ok(truth!.perplexity["all"]! < language!.perplexity["all"]!);
  // Normalizing over the titles can only raise the probability of each.
  assert.ok(language!.perplexity["all"]! <= language!.unnormalized["all"]!);
  assert.ok(report.unexplored.largest <= report.tolerance);
});

test("tenure eval --limit --json judges by the first people, pruned or not alike", () => {
  const evaluate = (...flags: string[]): EvalReport => {
    const { status, stdout, stderr } = tenure("eval", run, "--json", "--limit", "3", ...flags);
    assert.equal(status, EXIT.ok, stderr);
    return JSON.parse(stdout) as EvalReport;
  };
  const [pruned, whole] = [evaluate(), evaluate("--tolerance", "0")];
  assert.equal(pruned.numPeople, 3);
  assert.equal(whole.unexplored.largest, 0);
  const [a, b] = [pruned, whole].map(({ models }) => models[0]!.perplexity["all"]!);
  // What pruning left out counts in full in the normalizer: it never flatters, and costs little.
  assert.ok(b! <= a! * (1 + 1e-5) && a! < b! * 1.05, `${a} ${b}`);
});

test("tenure predict gives the most probable occupations for a career or a resume", () => {
  const file = join(folder, "person.jsonl");
  const [line = ""] = readFileSync(join(data, "test.jsonl"), "utf8").split("\n");
  writeFileSync(file, `${line}\n`);
  const { stdout, stderr, status } = tenure(
    "predict",
    run,
    "--career",
    file,
    "--json",
    "--top",
    "335",
  );
  assert.equal(status, EXIT.ok, stderr);
  const prediction = JSON.parse(stdout) as Prediction;
  const career = JSON.parse(line) as { observations: { year: number; education: string }[] };
  const last = career.observations.at(-1)!;
  assert.equal(prediction.year, last.year + 1);
  assert.equal(prediction.education, last.education);
  assert.ok(prediction.prompt.endsWith(`\n${last.year + 1} (${last.education}):`));
  const probabilities = prediction.occupations.map(({ probability }) => probability);
  assert.ok(Math.abs(probabilities.reduce((a, b) => a + b) - 1) < 1e-9);
  assert.deepEqual(
    probabilities,
    probabilities.toSorted((a, b) => b - a),
  );

  const told = prediction.prompt.split("\n").slice(0, -1);
  const resume = join(folder, "resume.txt");
  writeFileSync(resume, [...told, "<END OF DATA>", ""].join("\n"));
  const again = tenure("predict", run, "--resume-text", resume, "--json", "--top", "335");
  assert.equal(again.status, EXIT.ok, again.stderr);
  assert.deepEqual((JSON.parse(again.stdout) as Prediction).occupations, prediction.occupations);

  const table = tenure("predict", run, "--career", file, "--top", "2", "--show-text");
  assert.match(table.stdout, /^<A worker from the SYNTHETIC dataset>\n/);
  assert.equal(table.stdout.match(/\| +\d+\.\d\d% \|/g)?.length, 2);
});

test("SIGTERM saves after the step in progress, exits with 75, and the same command goes on", async () => {
  const long = join(folder, "long");
  const steps: number[] = [];
  for (let round = 0; round < 2; round++) {
    const child = spawn(
      process.execPath,
      [COMMAND, ...`train ${data} -o ${long} ${TINY} --max-steps 100000 --save-steps 0`.split(" ")],
      { stdio: ["ignore", "ignore", "pipe"] },
    );
    let stderr = "";
    child.stderr.setEncoding("utf8").on("data", (text: string) => {
      stderr += text;
      if (/^step \d+\/100000/m.test(stderr) && !child.killed) child.kill("SIGTERM");
    });
    const status = await new Promise((resolve) => child.on("exit", resolve));
    assert.equal(status, EXIT.retry, stderr);
    const { step } = readLog(long).findLast(({ type }) => type === "step") as { step: number };
    steps.push(step);
    assert.match(stderr, new RegExp(`Saved at step ${step}\\.`));
    assert.ok(readdirSync(long).includes(`checkpoint-${step}`));
    if (round === 1) assert.match(stderr, new RegExp(`^Going on at step ${steps[0]} `, "m"));
  }
  assert.ok(steps[1]! > steps[0]!);
  const logged = readLog(long).flatMap(({ type, step }) => (type === "step" ? [step] : []));
  assert.deepEqual(
    logged,
    Array.from({ length: steps[1]! }, (_, i) => i + 1),
  );
});

test("tenure train --dry-run says what a step takes, and leaves no run", () => {
  const { status, stdout } = tenure("train", data, "-o", join(folder, "dry"), TINY, "--dry-run");
  assert.equal(status, EXIT.ok);
  assert.match(
    stdout,
    /^Weights +[\d,]+ as f32 \(.*B\)\nGradients .*\nOptimizer .*\n[^]*^Peak .*\n[^]*^Dispatches +\d+ a step/m,
  );
  assert.ok(!readdirSync(folder).includes("dry"));
});

test("wrong input gets one line and its own exit code", () => {
  const table = join(folder, "table.tsv");
  const header = "id\tgender\tethnicity\tbirth_year\tregion\tyears\teducation\tocc1990dd";
  writeFileSync(table, `${header}\na\tfemale\twhite\t1980\twest\t2000\tcollege\t31337\n`);
  const out = join(folder, "out");
  for (const [exitCode, args, line] of [
    [
      EXIT.data,
      ["prepare", "nowhere.tsv", "-o", out],
      /Cannot read "nowhere.tsv": the file must exist/,
    ],
    [EXIT.data, ["prepare", table, "-o", out], /table\.tsv, line 2: .*got "31337"/],
    [
      EXIT.usage,
      ["prepare", "careers.xls", "-o", out],
      /must end in \.parquet, or in \.tsv, \.csv or \.jsonl/,
    ],
    [EXIT.usage, ["prepare", "-o", out], /either a file or --synthetic, got neither/],
    [EXIT.usage, ["prepare", table, "-o", data], /must be new or empty/],
    [EXIT.data, ["train", folder, "-o", out], /must be a folder that tenure prepare wrote/],
    [
      EXIT.usage,
      ["train", data, "-o", out, "--dropout", "1.5"],
      /It must be a number of at least 0/,
    ],
    [
      EXIT.data,
      ["train", data, "-o", out, "--seq-len", "16"],
      /Cannot pack the resume .*raise seqLen/,
    ],
    [
      EXIT.usage,
      ["train", data, "-o", out, "--num-heads", "3", "--num-kv-heads", "2"],
      /numKvHeads must divide/,
    ],
    [
      EXIT.usage,
      ["train", data, "-o", run, TINY, "--max-steps", "30"],
      /must be .* as before, got/,
    ],
    [EXIT.checkpoint, ["eval", out], /must be a checkpoint or the folder of a run/],
    [EXIT.usage, ["predict", run], /either --career or --resume-text, got neither/],
    [EXIT.data, ["predict", run, "--career", join(data, "test.jsonl"), "--id", "x"], /got "x"/],
  ] as const) {
    assert.match(failing(exitCode, ...args), line);
  }
});
