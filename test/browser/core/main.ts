// Runs tests of the core in Chromium: `npm run test:browser -- test/engine/plan_test.ts`, or
// `--all` for every file that a browser can run; `--seconds=60` gives up a file after a minute.
import { coreTestFiles, SMALL_SET } from "./test_files.ts";
import { failuresOf, type FileRun, runInBrowser } from "./run.ts";

function line({ file, seconds, outcomes, problem }: FileRun): string {
  const count = (result: string) => outcomes.filter((one) => one.result === result).length;
  const figures = ["passed", "failed", "skipped"].map((result) => `${count(result)} ${result}`);
  return `${file}: ${figures.join(", ")} in ${seconds.toFixed(1)} s${problem === undefined ? "" : `; ${problem}`}\n`;
}

const args = process.argv.slice(2);
const chosen = args.filter((arg) => !arg.startsWith("--"));
const tests = args.includes("--all")
  ? await coreTestFiles()
  : chosen.length > 0
    ? chosen
    : SMALL_SET;
const seconds = args.flatMap((arg) => /^--seconds=(\d+)$/.exec(arg)?.[1] ?? []).map(Number);
const timeoutSeconds = seconds[0] ?? 600;
const run = await runInBrowser(tests, {
  timeoutSeconds,
  tell: (one) => process.stdout.write(line(one)),
});
const failures = failuresOf(run);
for (const [file, needed] of run.leftOut)
  process.stdout.write(`Left out ${file}: it needs ${needed}\n`);
for (const failure of failures) process.stdout.write(`\n${failure}\n`);
const all = { file: "All files", seconds: 0, outcomes: run.files.flatMap((one) => one.outcomes) };
const sum = run.files.reduce((total, one) => total + one.seconds, 0);
process.stdout.write(
  `\n${run.browser}, ${run.adapter.name}: ${run.files.length} files\n${line({ ...all, seconds: sum })}`,
);
process.exitCode = failures.length > 0 ? 1 : 0;
