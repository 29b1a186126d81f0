import type { Files } from "../checkpoint/memory_files.ts";
import { applyChanges, type Bytes } from "./changes.ts";
import type { FuzzCase } from "./fuzz_case.ts";

/** Trials that a failing file is made smaller in. */
const MOST_TRIALS = 300;

/**
 * Makes a failing file smaller: changes that do not matter are undone, then stretches that do not
 * matter are cut out, ever shorter ones.
 *
 * @param fails Whether files fail as the case did.
 * @returns The damaged file.
 */
export async function minimize(
  { files, target, changes }: FuzzCase,
  fails: (files: Files) => Promise<boolean>,
): Promise<Bytes> {
  const intact = files.get(target)!;
  const isWrong = (bytes: Bytes) => fails(new Map(files).set(target, bytes));
  let needed = [...changes];
  for (const change of changes) {
    const others = needed.filter((one) => one !== change);
    if (await isWrong(applyChanges(intact, others))) needed = others;
  }
  let bytes = applyChanges(intact, needed);
  let trials = 0;
  for (let stretch = bytes.length >> 1; stretch >= 1 && trials < MOST_TRIALS; stretch >>= 1) {
    for (let at = 0; at < bytes.length && trials < MOST_TRIALS; trials++) {
      const shorter = new Uint8Array(Math.max(0, bytes.length - stretch));
      shorter.set(bytes.subarray(0, Math.min(at, shorter.length)));
      shorter.set(bytes.subarray(at + stretch), Math.min(at, shorter.length));
      if (shorter.length < bytes.length && (await isWrong(shorter))) bytes = shorter;
      else at += stretch;
    }
  }
  return bytes;
}
