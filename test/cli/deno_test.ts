import assert from "node:assert/strict";
import { spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { before, test } from "node:test";
import { fileURLToPath } from "node:url";
import { EXIT } from "../../cli/platform/errors.ts";
import type { EvalReport } from "../../cli/run/eval_report.ts";
import type { Prediction } from "../../cli/run/predict.ts";
import { prepareFew, readLog, temporaryFolder } from "./run_support.ts";

const ROOT = fileURLToPath(new URL("../../", import.meta.url));
const COMMAND = join(ROOT, "bin", "tenure.js");
/** The binary itself: its wrapper in `.bin` passes no signals on. */
const DENO = join(ROOT, "node_modules", "deno", process.platform === "win32" ? "deno.exe" : "deno");
const skip = existsSync(DENO)
  ? false
  : "needs the npm package deno and its binary, which is not there";

/**
 * wgpu and Dawn give the same driver the same products in the same order, but translate WGSL each
 * in their own way: a fused multiply and add may round once where the other rounds twice.
 */
const TOLERANCE = 1e-5;

const folder = temporaryFolder();
const data = join(folder, "data");
const TINY =
  "--d-model 16 --d-hidden 24 --num-blocks 1 --num-heads 2 --seq-len 384 --batch-tokens 768 --eval-steps 2".split(
    " ",
  );
/** The permissions that docs/runtimes.md names. */
const PERMISSIONS = [
  "--no-prompt",
  "--allow-read",
  `--allow-write=${folder}`,
  "--allow-env",
  "--allow-sys=systemMemoryInfo",
];

interface Output {
  readonly status: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

const underDeno = (...args: string[]): Output =>
  spawnSync(DENO, ["run", ...PERMISSIONS, COMMAND, ...args], { encoding: "utf8" });
const underNode = (...args: string[]): Output =>
  spawnSync(process.execPath, [COMMAND, ...args], { encoding: "utf8" });

/** What a command printed that must have worked. */
function printed({ status, stdout, stderr }: Output): string {
  assert.equal(status, EXIT.ok, stderr);
  return stdout;
}

/** Losses of a run's steps and validations, in order. */
function lossesOf(run: string): number[] {
  return readLog(run).flatMap(({ loss }) => (typeof loss === "number" ? [loss] : []));
}

function assertAlike(actual: readonly number[], expected: readonly number[], what: string): void {
  assert.equal(actual.length, expected.length, what);
  for (const [i, value] of expected.entries()) {
    assert.ok(
      Math.abs(actual[i]! - value) <= TOLERANCE * Math.abs(value),
      `${what} [${i}]: Node has ${value}, Deno ${actual[i]}`,
    );
  }
}

before(async () => {
  await prepareFew(data);
});

test("tenure train under Deno takes the steps that it takes under Node", { skip }, () => {
  const [deno, node] = [join(folder, "deno"), join(folder, "node")];
  printed(underDeno("train", data, "-o", deno, ...TINY, "--max-steps", "4"));
  printed(underNode("train", data, "-o", node, ...TINY, "--max-steps", "4"));
  const expected = lossesOf(node);
  assert.equal(expected.length, 6); // four steps, two validations
  assertAlike(lossesOf(deno), expected, "losses");
});

test("tenure eval under Deno judges a run of Deno as Node does", { skip }, () => {
  const run = join(folder, "deno");
  const reportOf = (output: Output) => JSON.parse(printed(output)) as EvalReport;
  const deno = reportOf(underDeno("eval", run, "--json", "--limit", "2"));
  const node = reportOf(underNode("eval", run, "--json", "--limit", "2"));
  // Few steps leave perplexities of twenty digits: their logarithms are what is measured.
  const figures = ({ models }: EvalReport) =>
    models.flatMap(({ perplexity }) =>
      Object.values(perplexity).map((value) => Math.log(value ?? Number.NaN)),
    );
  assert.ok(figures(node).length > 4);
  assertAlike(figures(deno), figures(node), "log perplexities");
});

test("tenure predict under Deno gives the probabilities that Node gives", { skip }, () => {
  const careers = join(data, "test.jsonl");
  const { id } = JSON.parse(readFileSync(careers, "utf8").split("\n")[0]!) as { id: string };
  const args = ["predict", join(folder, "deno"), "--career", careers, "--id", id, "--json"];
  const [deno, node] = [underDeno, underNode].map(
    (run) => (JSON.parse(printed(run(...args))) as Prediction).occupations,
  );
  assert.deepEqual(
    deno!.map(({ title }) => title),
    node!.map(({ title }) => title),
  );
  assertAlike(
    deno!.map(({ probability }) => probability),
    node!.map(({ probability }) => probability),
    "probabilities",
  );
});

test("SIGTERM under Deno saves after the step in progress", { skip }, async () => {
  const run = join(folder, "stopped");
  const train = ["train", data, "-o", run, ...TINY, "--max-steps", "2000"];
  const child = spawn(DENO, ["run", ...PERMISSIONS, COMMAND, ...train]);
  let said = "";
  child.stderr.setEncoding("utf8").on("data", (text: string) => {
    if (!said.includes("step 1/2000") && text.includes("step 1/2000")) child.kill("SIGTERM");
    said += text;
  });
  const [status] = (await once(child, "exit")) as [number | null];
  assert.equal(status, EXIT.retry, said);
  const at = Number(/Saved at step (\d+)/.exec(said)?.[1]);
  assert.ok(at > 0 && at < 2000, said);
  assert.ok(existsSync(join(run, `checkpoint-${at}`, "MANIFEST.json")));
});

test("tenure doctor under Deno says what it found, and has no switches of Dawn", { skip }, () => {
  const output = spawnSync(DENO, ["run", "-A", COMMAND, "doctor", "--json"], { encoding: "utf8" });
  const { ok, runtime, adapter } = JSON.parse(printed(output));
  assert.equal(ok, true);
  assert.match(runtime, /^Deno \d+\.\d+\.\d+$/);
  assert.deepEqual(adapter.toggles, {});
});

test("--fast under Deno is refused with the reason, for Dawn alone has switches", { skip }, () => {
  const { status, stderr } = underDeno(
    "train",
    data,
    "-o",
    join(folder, "fast"),
    ...TINY,
    "--fast",
  );
  assert.equal(status, EXIT.usage);
  assert.match(stderr, /tenure: Cannot switch checks of WebGPU: .*got Deno \S+; leave out --fast/);
});
