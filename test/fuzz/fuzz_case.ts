import { cpuUsage, memoryUsage } from "node:process";
import { type Files, folderOf } from "../checkpoint/memory_files.ts";
import { applyChanges, type Change, drawChanges } from "./changes.ts";
import { type Corpus, type Kind, type Load, textPartOf } from "./kinds.ts";
import { randomOf } from "./random.ts";

/** Longest that a case may take. */
export const MOST_MS = 1000;
/** Bytes that may be read of files, as a multiple of their size; headers are read in growing parts. */
const MOST_READS = 3;
/** Bytes that may be allocated, garbage included, as a multiple of the file's size. */
const MOST_MEMORY = 4;
/**
 * Bytes that may be allocated whatever the size: the readers' own tables and patterns, which take
 * more than any file of a few kilobytes.
 */
const ALLOWANCE = 2 ** 22;
/** The same as a multiple of what the intact file takes: vocabularies take more than 4 times theirs. */
const MOST_OF_INTACT = 1.5;
/** One of so many cases is a large file. */
const LARGE_SHARE = 1 / 100;

/** A case: files of which one is damaged. */
export interface FuzzCase {
  readonly files: Files;
  /** Name of the damaged file. */
  readonly target: string;
  readonly changes: readonly Change[];
}

/** What came of a case that went well. */
export interface Outcome {
  /** `loaded`, or the type of the error. */
  readonly result: string;
  /** Time of the clock or of the processors, whichever is less. */
  readonly ms: number;
  /** Bytes of all files. */
  readonly size: number;
  /** Bytes allocated from begin to end, on the heap and outside, garbage included. */
  readonly allocated: number;
}

/** What a case did wrong. */
export class FuzzFailure extends Error {}

/** Draws a case; the same index gives the same case. */
export function drawCase(
  kind: Pick<Kind, "isTarget">,
  { small, large }: Corpus,
  keys: readonly (string | number)[],
): FuzzCase {
  const random = randomOf(...keys);
  const isLarge = random.unit() < LARGE_SHARE && large.length > 0;
  const files = random.of(isLarge ? large : small);
  const { isTarget = () => true } = kind;
  const target = random.of([...files.keys()].filter(isTarget));
  return { files, target, changes: drawChanges(random, textPartOf(target)) };
}

/** The files of a case, one of them damaged. */
export function damagedFiles({ files, target, changes }: FuzzCase): Files {
  return new Map(files).set(target, applyChanges(files.get(target)!, changes));
}

/**
 * Loads files and judges what happens.
 *
 * @param intactBytes Bytes that loading the intact files allocates.
 * @throws {FuzzFailure} If it is not a whole load or a typed error, within time and memory.
 */
export async function judge(load: Load, files: Files, intactBytes = 0): Promise<Outcome> {
  const { outcome, bytesRead } = await measure(load, files);
  checkBounds(outcome, { bytesRead, intactBytes });
  return outcome;
}

/**
 * Loads files, whatever that takes.
 *
 * @throws {FuzzFailure} If it ends in an error that readers must not throw.
 */
export async function measure(
  load: Load,
  files: Files,
): Promise<{ outcome: Outcome; bytesRead: number }> {
  const size = Array.from(files.values(), ({ length }) => length).reduce((a, b) => a + b, 0);
  const folder = folderOf(files);
  const before = memoryUsage();
  const begin = now();
  let result = "loaded";
  try {
    await load(folder, files);
  } catch (error) {
    result = typeOf(error);
  }
  const end = now();
  const after = memoryUsage();
  const heap = after.heapUsed - before.heapUsed;
  const allocated = Math.max(0, heap + after.external - before.external);
  const bytesRead = folder.reads.reduce((sum, { bytes }) => sum + bytes, 0);
  const ms = Math.min(end.wall - begin.wall, end.cpu - begin.cpu);
  return { outcome: { result, ms, size, allocated }, bytesRead };
}

/** Time by the clock, and of all processors; a busy machine makes the first longer. */
function now(): { readonly wall: number; readonly cpu: number } {
  const { user, system } = cpuUsage();
  return { wall: performance.now(), cpu: (user + system) / 1000 };
}

function checkBounds(
  { ms, size, allocated }: Outcome,
  { bytesRead, intactBytes }: { readonly bytesRead: number; readonly intactBytes: number },
): void {
  if (ms > MOST_MS) throw new FuzzFailure(`it took ${ms.toFixed(0)} ms`);
  if (bytesRead > MOST_READS * size) {
    throw new FuzzFailure(`it read ${bytesRead} bytes of files of ${size}`);
  }
  if (allocated > Math.max(MOST_MEMORY * size, MOST_OF_INTACT * intactBytes) + ALLOWANCE) {
    throw new FuzzFailure(`it allocated ${allocated} bytes for files of ${size}`);
  }
}

/** The type of an error that readers may throw. */
function typeOf(error: unknown): string {
  for (const type of [SyntaxError, RangeError, TypeError]) {
    if (error instanceof type && error.message.startsWith("Cannot ")) return type.name;
  }
  const text = error instanceof Error ? (error.stack ?? error.message) : String(error);
  throw new FuzzFailure(`it threw ${text}`);
}
