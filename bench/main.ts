/**
 * `npm run bench`: the figures of the README, measured on this machine.
 *
 *     npm run bench                 training step and title scoring
 *     npm run bench -- --peers      the same beside other WebGPU engines, interleaved
 *     npm run bench -- --generation [--peers]   loading, prefill and decoding in every format
 *
 * Prints a table and writes `bench/results/<adapter>-<date>.json`, or `generation-` before it.
 */
import { execFileSync } from "node:child_process";
import { existsSync } from "node:fs";
import { openAdapter } from "../cli/platform/dawn.ts";
import { Gpu } from "../engine/gpu.ts";
import { benchGeneration } from "./generation.ts";
import type { Measured } from "./peers/measure.ts";
import { writeResult } from "./result_file.ts";
import { SMALL_GPT_BATCH } from "./small_gpt.ts";
import { median } from "./statistics.ts";
import { measureTitleScoring } from "./title_scoring.ts";

const ROUNDS = 3;
const NUM_TOKENS = SMALL_GPT_BATCH.numRows * SMALL_GPT_BATCH.seqLen;

/** Scripts that take the small GPT's training step, by engine. */
const ENGINES = { tenure: "bench/small_gpt_run.ts", "jax-js": "bench/peers/jax_small_gpt.ts" };

const withPeers = process.argv.includes("--peers");
if (withPeers && !existsSync("bench/peers/node_modules")) {
  fail("Cannot run peers: they must be installed, run: npm --prefix bench/peers install");
}
if (process.argv.includes("--generation")) {
  await benchGeneration({ withPeers });
  process.exit(0);
}
const opened = await openAdapter();
print(opened.line);

const engines = Object.entries(ENGINES).filter(([name]) => withPeers || name === "tenure");
const runs = new Map(engines.map(([name]) => [name, [] as Measured[]]));
for (let round = 1; round <= ROUNDS; round++) {
  for (const [name, script] of engines) {
    const output = execFileSync(process.execPath, ["--import", "tsx", script], {
      encoding: "utf8",
      stdio: ["ignore", "pipe", "ignore"],
    });
    const measured = JSON.parse(output.trim().split("\n").at(-1)!) as Measured;
    if (!(measured.error <= 1e-5)) {
      fail(
        `Cannot compare ${name}: its losses must match the reference, got an error of ${measured.error}`,
      );
    }
    runs.get(name)!.push(measured);
    print(`  round ${round}/${ROUNDS} ${name}: ${tokensPerSecond([measured]).toFixed(0)} tokens/s`);
  }
}

const trainingStep = Object.fromEntries(
  [...runs].map(([name, measured]) => [
    name,
    {
      tokensPerSecond: tokensPerSecond(measured),
      firstStepMs: median(measured.map(({ firstStepMs }) => firstStepMs)),
      error: Math.max(...measured.map(({ error }) => error)),
      rounds: measured,
    },
  ]),
);
const gpu = await Gpu.open(opened.adapter);
const titleScoring = await measureTitleScoring(gpu);

print("\ntraining step of the small GPT (0.9M parameters, 1,024 tokens, f32)");
for (const [name, { tokensPerSecond: rate, firstStepMs, error }] of Object.entries(trainingStep)) {
  const first = (firstStepMs / 1000).toFixed(1);
  print(
    `  ${name.padEnd(8)} ${rate.toFixed(0).padStart(6)} tokens/s   first step ${first} s   loss error ${error.toExponential(1)}`,
  );
}
const { onePassMs, oneByOneMs, ratio, error, promptTokens, treeNodes } = titleScoring;
print(`\nall titles after a prompt of ${promptTokens} tokens (${treeNodes} nodes)`);
print(
  `  one pass ${onePassMs.toFixed(0)} ms   one by one ${oneByOneMs.toFixed(0)} ms   ${ratio.toFixed(1)} times faster   error ${error.toExponential(1)}`,
);

const file = writeResult({ opened, body: { trainingStep, titleScoring } });
print(`\nwrote ${file}`);
process.exit(0);

function tokensPerSecond(measured: readonly Measured[]): number {
  return (1000 * NUM_TOKENS) / median(measured.map(({ stepsMs }) => median(stepsMs)));
}

function print(text: string): void {
  process.stdout.write(`${text}\n`);
}

function fail(message: string): never {
  process.stderr.write(`${message}\n`);
  process.exit(1);
}
