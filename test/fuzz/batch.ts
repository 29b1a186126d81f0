/**
 * Runs a stretch of cases of a kind in a process of its own, which may crash without harm:
 *
 *     node --expose-gc --import tsx test/fuzz/batch.ts KIND SEED FIRST COUNT PROGRESS
 *
 * Writes the index of each case to the file PROGRESS before it begins, and prints a line of JSON
 * for each failure, then one of the whole stretch.
 */
import { closeSync, openSync, writeSync } from "node:fs";
import { argv, memoryUsage, resourceUsage, stdout } from "node:process";
import type { Files } from "../checkpoint/memory_files.ts";
import { damagedFiles, drawCase, FuzzFailure, judge, measure, type Outcome } from "./fuzz_case.ts";
import { KINDS } from "./kinds.ts";
import { minimize } from "./minimize.ts";
import { type BatchReport, type FailureReport, emptyReport, addOutcome } from "./report.ts";

/** Garbage that may gather before it is collected between two cases, lest it be within one. */
const MOST_GARBAGE = 2 ** 24;

const [kindName = "", seed = "", first = "", count = "", progressFile = ""] = argv.slice(2);
const kind = KINDS[kindName];
if (kind === undefined)
  throw new RangeError(`Cannot fuzz "${kindName}": it must be a kind of file`);
const corpus = await kind.corpus();
const intactBytes = new Map<Files, number>();
const progress = openSync(progressFile, "w");
const report: BatchReport = emptyReport(kindName);
let collectedAt = 0;

const end = Number(first) + Number(count);
for (let index = Number(first); index < end; index++) {
  writeSync(progress, String(index).padEnd(16), 0);
  const drawn = drawCase(kind, corpus, [seed, kindName, index]);
  const files = damagedFiles(drawn);
  collect();
  try {
    const allowed = await bytesOfIntact(drawn.files);
    addOutcome(report, { index, ...(await judgeTwice(files, allowed)) });
  } catch (error) {
    if (!(error instanceof FuzzFailure)) throw error;
    const allowed = await bytesOfIntact(drawn.files);
    const fails = async (changed: Files) => {
      collect(true);
      const outcome = judge(kind.load, changed, allowed);
      return outcome.then(
        () => false,
        (other: unknown) => sameFailure(error, other),
      );
    };
    const bytes = await minimize(drawn, fails);
    const failure: FailureReport = {
      kind: kindName,
      index,
      target: drawn.target,
      changes: drawn.changes.map(({ name }) => name),
      message: error.message,
      bytes: Buffer.from(bytes).toString("base64"),
    };
    stdout.write(`${JSON.stringify({ failure })}\n`);
    report.failures += 1;
  }
}
closeSync(progress);
report.maxRssBytes = 1024 * resourceUsage().maxRSS;
stdout.write(`${JSON.stringify({ report })}\n`);

/** A case beyond a bound of time or memory is judged anew, since others share the machine. */
async function judgeTwice(files: Files, allowed: number): Promise<Outcome> {
  try {
    return await judge(kind!.load, files, allowed);
  } catch (error) {
    if (!(error instanceof FuzzFailure)) throw error;
    collect(true);
    return judge(kind!.load, files, allowed);
  }
}

/** Bytes that loading intact files takes, the second time. */
async function bytesOfIntact(files: Files): Promise<number> {
  const known = intactBytes.get(files);
  if (known !== undefined) return known;
  let bytes = 0;
  for (let time = 0; time < 2; time++) {
    collect(true);
    bytes = (await measure(kind!.load, files)).outcome.allocated;
  }
  intactBytes.set(files, bytes);
  collect(true);
  return bytes;
}

/** Collects garbage if much has gathered. */
function collect(always = false): void {
  const { heapUsed, external } = memoryUsage();
  if (!always && heapUsed + external - collectedAt < MOST_GARBAGE) return;
  globalThis.gc?.();
  const now = memoryUsage();
  collectedAt = now.heapUsed + now.external;
}

/** Whether two failures are of one kind: numbers and addresses in them may differ. */
function sameFailure(a: Error, b: unknown): boolean {
  const shape = ({ message }: Error) => message.split("\n", 1)[0]!.replaceAll(/\d+/g, "0");
  return b instanceof FuzzFailure && shape(a) === shape(b);
}
