/**
 * `npm run fuzz`: damaged files of models, by the ten thousand.
 *
 *     npm run fuzz -- --runs 100000 [--seed 1] [--kind gguf] [--case INDEX]
 *
 * Every case must end in a typed error or a whole load, within a second and a bound of memory
 * (`fuzz_case.ts`); cases run in processes of their own, a stretch each, whose heap is limited.
 * The damaged file of a failure is written to a temporary folder, made as small as still fails (as it
 * was where the process died), and the exit code is 1.
 */
import { spawn } from "node:child_process";
import { mkdtempSync, readFileSync, writeFileSync } from "node:fs";
import { availableParallelism, tmpdir } from "node:os";
import { join } from "node:path";
import { argv, execPath, exit, stderr, stdout } from "node:process";
import { createInterface } from "node:readline";
import { parseArgs } from "node:util";
import { damagedFiles, drawCase } from "./fuzz_case.ts";
import { KINDS } from "./kinds.ts";
import { type BatchReport, emptyReport, type FailureReport, merge, table } from "./report.ts";

/** Cases that one process takes. */
const BATCH = 2500;
/** Heap of a process; loading the largest intact file takes a good half of it. */
const HEAP_MIB = 192;
/** A case that has run for so long hangs. */
const HANG_MS = 20_000;

const { values } = parseArgs({
  args: argv.slice(2),
  options: {
    runs: { type: "string", default: "100000" },
    seed: { type: "string", default: "1" },
    kind: { type: "string", multiple: true, default: Object.keys(KINDS) },
    case: { type: "string" },
  },
});
const { seed } = values;
for (const kind of values.kind) {
  if (!Object.hasOwn(KINDS, kind)) {
    const known = Object.keys(KINDS).join(", ");
    stderr.write(`Cannot fuzz "${kind}": --kind must be one of ${known}\n`);
    exit(2);
  }
}
const folder = mkdtempSync(join(tmpdir(), "tenure-fuzz-"));
const perKind = Math.ceil(Number(values.runs) / values.kind.length);
const only = values.case === undefined ? undefined : Number(values.case);

/** A stretch of cases. */
interface Batch {
  readonly kind: string;
  readonly first: number;
  readonly count: number;
}

const batches: Batch[] = values.kind.flatMap((kind) => {
  if (only !== undefined) return [{ kind, first: only, count: 1 }];
  const length = Math.ceil(perKind / BATCH);
  return Array.from({ length }, (_, i) => {
    const first = i * BATCH;
    return { kind, first, count: Math.min(BATCH, perKind - first) };
  });
});
const reports = new Map(values.kind.map((kind) => [kind, emptyReport(kind)]));
const begin = performance.now();
await Promise.all(Array.from({ length: availableParallelism() }, (_, i) => worker(i)));
const seconds = (performance.now() - begin) / 1000;
const all = [...reports.values()];
const total = { ...all.reduce(merge), kind: "all" };
stdout.write(`${table([...all, total])}\nseed ${seed}, ${seconds.toFixed(0)} s\n`);
if (total.failures > 0) {
  stderr.write(`${total.failures} cases failed; their files are in ${folder}\n`);
  exit(1);
}

async function worker(index: number): Promise<void> {
  const progress = join(folder, `progress-${index}`);
  for (let batch = batches.shift(); batch !== undefined; batch = batches.shift()) {
    let rest: Batch | undefined = batch;
    while (rest !== undefined && rest.count > 0) rest = await run(rest, progress);
    stdout.write(`${batch.kind} ${batch.first + batch.count}/${perKind}\n`);
  }
}

/** Runs a batch; if its process dies, gives what is left of it. */
async function run(batch: Batch, progress: string): Promise<Batch | undefined> {
  const { kind, first, count } = batch;
  writeFileSync(progress, String(first));
  const script = new URL("batch.ts", import.meta.url).pathname;
  const flags = [`--max-old-space-size=${HEAP_MIB}`, "--min-semi-space-size=32"];
  flags.push("--max-semi-space-size=64", "--expose-gc", "--import", "tsx");
  const args = [kind, seed, String(first), String(count), progress];
  const child = spawn(execPath, [...flags, script, ...args], { stdio: ["ignore", "pipe", "pipe"] });
  let errors = "";
  child.stderr.on("data", (data: Buffer) => (errors = (errors + data.toString()).slice(-2000)));
  let report: BatchReport | undefined;
  const lines = createInterface({ input: child.stdout });
  lines.on("line", (line) => {
    const said = JSON.parse(line) as { failure?: FailureReport; report?: BatchReport };
    if (said.failure !== undefined) fail(said.failure);
    report = said.report;
  });
  const stopWatching = watch(progress, () => child.kill("SIGKILL"));
  const code = await new Promise<string>((resolve) =>
    child.on("close", (exitCode, signal) => resolve(signal ?? String(exitCode))),
  );
  stopWatching();
  if (report !== undefined) {
    reports.set(kind, merge(reports.get(kind)!, report));
    return undefined;
  }
  const index = Number(readFileSync(progress, "utf8"));
  const drawn = drawCase(KINDS[kind]!, await KINDS[kind]!.corpus(), [seed, kind, index]);
  const bytes = Buffer.from(damagedFiles(drawn).get(drawn.target)!).toString("base64");
  const message = `its process ended with ${code}: ${errors}`;
  const changes = drawn.changes.map(({ name }) => name);
  fail({ kind, index, target: drawn.target, changes, message, bytes });
  const counted = reports.get(kind)!;
  counted.cases += index - first; // what they gave is lost, but none of them failed
  counted.failures += 1;
  return { kind, first: index + 1, count: first + count - index - 1 };
}

/** Calls back once the same case has run for too long. */
function watch(progress: string, onHang: () => void): () => void {
  let [last, since] = ["", performance.now()];
  const timer = setInterval(() => {
    const now = readFileSync(progress, "utf8");
    if (now !== last) [last, since] = [now, performance.now()];
    else if (performance.now() - since > HANG_MS) onHang();
  }, 1000);
  return () => clearInterval(timer);
}

/** Tells of a failure, and keeps its file. */
function fail({ kind, index, target, changes, message, bytes }: FailureReport): void {
  const file = join(folder, `${kind}-${index}-${target}`);
  writeFileSync(file, Buffer.from(bytes, "base64"));
  stderr.write(
    `FAILED ${kind} case ${index} (${changes.join(", ")}): ${message}\n  ${file}\n` +
      `  again: npm run fuzz -- --seed ${seed} --kind ${kind} --case ${index}\n`,
  );
}
