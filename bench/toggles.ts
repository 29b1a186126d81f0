/**
 * What Dawn's switches of `--fast` bring, each alone and all together:
 *
 *     node --import tsx bench/toggles.ts [rounds]
 *
 * The training step of the small GPT, a product of matrices, and decoding, in a process of their
 * own for each set of switches, in turns. Prints a table and writes
 * `bench/results/toggles-<adapter>-<date>.json`.
 */
import { execFileSync } from "node:child_process";
import { loadavg } from "node:os";
import { openAdapter } from "../cli/platform/dawn.ts";
import { FAST } from "../cli/platform/toggles.ts";
import { writeResult } from "./result_file.ts";
import { median } from "./report/statistics.ts";
import type { TogglesMeasured } from "./toggles_run.ts";

const DEFAULT_ROUNDS = 3;

/** Sets of switches by name; all are compared with the first. */
const SETS: Readonly<Record<string, readonly string[]>> = {
  none: [],
  ...Object.fromEntries(FAST.map((toggle) => [toggle, [toggle]])),
  "--fast": FAST,
};

const WORKS = ["trainMs", "matmulMs", "decodeMs", "firstStepMs"] as const;

const rounds = Number(process.argv[2] ?? DEFAULT_ROUNDS);
if (!Number.isSafeInteger(rounds) || rounds < 1) {
  process.stderr.write(`Cannot measure: rounds must be a whole number, got "${process.argv[2]}"\n`);
  process.exit(1);
}
const opened = await openAdapter();
process.stdout.write(`${opened.line}\n`);

const runs = new Map(Object.keys(SETS).map((name) => [name, [] as TogglesMeasured[]]));
for (let round = 1; round <= rounds; round++) {
  for (const [name, toggles] of Object.entries(SETS)) {
    const output = execFileSync(
      process.execPath,
      ["--import", "tsx", "bench/toggles_run.ts", ...toggles],
      { encoding: "utf8", stdio: ["ignore", "pipe", "ignore"] },
    );
    runs.get(name)!.push(JSON.parse(output.trim().split("\n").at(-1)!) as TogglesMeasured);
    process.stdout.write(`  round ${round}/${rounds} ${name}\n`);
  }
}

const medians = Object.fromEntries(
  Array.from(runs, ([name, measured]) => [
    name,
    Object.fromEntries(WORKS.map((work) => [work, median(measured.map((each) => each[work]))])),
  ]),
);
process.stdout.write(`\n${"".padEnd(42)}${WORKS.map((work) => work.padStart(20)).join("")}\n`);
for (const [name, row] of Object.entries(medians)) {
  const cells = WORKS.map((work) => {
    const ratio = medians["none"]![work]! / row[work]!;
    return `${row[work]!.toPrecision(3)} (${ratio.toFixed(2)}×)`.padStart(20);
  });
  process.stdout.write(`${name.padEnd(42)}${cells.join("")}\n`);
}
// Beyond the number of cores, ratios are noise.
const body = { rounds, load: loadavg(), medians, runs: Object.fromEntries(runs) };
process.stdout.write(`\nwrote ${writeResult({ prefix: "toggles-", opened, body })}\n`);
process.exit(0);
