import { readdir, rename } from "node:fs/promises";
import { basename, join } from "node:path";
import { decodeRunJson, TRAINER_FILE } from "../../model/checkpoint/run_state.ts";
import { readWhole, removeCheckpoint } from "./checkpoint_folder.ts";
import { checkWhole, isCheckpointFolder } from "./checkpoint_sums.ts";
import { CliError, EXIT, failingAs } from "./errors.ts";
import { fileError, syncFolder } from "./files.ts";

export {
  type CheckpointFolder,
  loadCheckpoint,
  openCheckpoint,
  removeCheckpoint,
  saveCheckpoint,
} from "./checkpoint_folder.ts";
export { isCheckpointFolder };

/** A checkpoint to go on from. */
export interface LatestCheckpoint {
  readonly path: string;
  readonly step: number;
  /** Newer ones that are damaged, and why; tell the user. */
  readonly skipped: readonly string[];
}

/** A folder of a run that a checkpoint may lie in. */
interface Candidate {
  readonly path: string;
  readonly step: number;
}

/** Name of the checkpoint of a step. */
export function checkpointName(step: number): string {
  return `checkpoint-${step}`;
}

/**
 * Paths of a run's checkpoints, whole or not, the highest step first; none if there is no folder.
 *
 * @throws {CliError} If the folder cannot be read.
 */
export async function listCheckpoints(runFolder: string): Promise<string[]> {
  return (await checkpointsOf(runFolder)).map(({ path }) => path);
}

/**
 * Finds the checkpoint of a run with the highest step that is whole: every file that its manifest
 * lists is there with the SHA-256 it was saved with. What was left unfinished is ignored.
 *
 * @param runFolder Folder of the run.
 * @returns Nothing if there are no checkpoints, or no folder.
 * @throws {CliError} With the code of checkpoints, if there are some but none is whole.
 */
export async function latestCheckpoint(runFolder: string): Promise<LatestCheckpoint | undefined> {
  const candidates = await checkpointsOf(runFolder);
  const skipped: string[] = [];
  for (const { path, step } of candidates) {
    const damage = await damageOf(path, { isThorough: true });
    if (damage === undefined) return { path, step, skipped };
    skipped.push(damage);
  }
  if (skipped.length === 0) return undefined;
  throw new CliError(
    EXIT.checkpoint,
    `Cannot go on from "${runFolder}": a checkpoint must be whole, got none; ${skipped[0]}`,
  );
}

/**
 * Folder of the best checkpoint of a run that is still there, or of the latest.
 *
 * @throws {CliError} With exit code 5 if there is none.
 */
export async function bestCheckpoint(runFolder: string): Promise<string> {
  const latest = await latestCheckpoint(runFolder);
  if (latest === undefined) {
    throw new CliError(
      EXIT.checkpoint,
      `Cannot read "${runFolder}": it must be a checkpoint or the folder of a run, got neither`,
    );
  }
  const best = await bestOf(latest.path);
  const path = join(runFolder, best ?? basename(latest.path));
  return (await isCheckpointFolder(path)) ? path : latest.path;
}

/**
 * Removes old checkpoints of a run: all but the newest few, the best one, and any that is damaged,
 * which are left for a look.
 *
 * @param runFolder Folder of the run.
 * @param keep How many of the newest to keep, at least 1.
 * @param written The one just written, which stays and says which is best; by default the newest.
 * @returns Paths of those removed.
 * @throws {CliError} If one cannot be removed, or the one just written does not say which is best.
 */
export async function pruneCheckpoints(
  runFolder: string,
  keep: number,
  written?: string,
): Promise<string[]> {
  if (!Number.isInteger(keep) || keep < 1) {
    throw new RangeError(`Cannot remove checkpoints: at least 1 must be kept, got ${keep}`);
  }
  const whole: Candidate[] = [];
  for (const candidate of await checkpointsOf(runFolder)) {
    // Their lengths will do: reading every checkpoint at every save would cost more than saving.
    if ((await damageOf(candidate.path, { isThorough: false })) === undefined) {
      whole.push(candidate);
    }
  }
  const [newest] = whole;
  if (newest === undefined || whole.length <= keep) return [];
  const kept = written ?? newest.path;
  const best = await bestOf(kept);
  const removed = whole
    .slice(keep)
    .map(({ path }) => path)
    .filter((path) => path !== kept && basename(path) !== best);
  for (const path of removed) await removeCheckpoint(path);
  return removed;
}

/**
 * Sets aside the checkpoints of a run behind a step that it goes back to, whole or not: under
 * names of their own, they are neither gone on from, nor removed to make room, nor the best.
 *
 * @param runFolder Folder of the run, or none.
 * @param step Step that the run goes on from; its checkpoint and those before stay.
 * @returns Paths where they lie now, the highest step first.
 * @throws {CliError} If the system does not allow it.
 */
export async function setAsideAfter(runFolder: string, step: number): Promise<string[]> {
  const later = (await checkpointsOf(runFolder)).filter((candidate) => candidate.step > step);
  const moved: string[] = [];
  // The highest first: if the process dies meanwhile, what is left is an earlier state of the run.
  for (const candidate of later) {
    const names = await readdir(runFolder);
    const name = `set-aside-${checkpointName(candidate.step)}`;
    let path = join(runFolder, name);
    for (let i = 2; names.includes(basename(path)); i++) path = join(runFolder, `${name}-${i}`);
    try {
      await rename(candidate.path, path);
    } catch (error) {
      throw fileError("write", path, { error, exitCode: EXIT.failure });
    }
    moved.push(path);
  }
  if (moved.length > 0) await syncFolder(runFolder);
  return moved;
}

/** Checkpoints by name alone, the highest step first. */
async function checkpointsOf(runFolder: string): Promise<Candidate[]> {
  const names = await readdir(runFolder).catch((error: unknown) => {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return [];
    throw fileError("read", runFolder, { error, exitCode: EXIT.checkpoint });
  });
  return names
    .flatMap((name): Candidate[] => {
      // One whose process died while replacing it still has its name in part.
      const step = /^(?:checkpoint-(\d+)|\.checkpoint-(\d+)\.old)$/.exec(name);
      const path = join(runFolder, name);
      return step === null ? [] : [{ path, step: Number(step[1] ?? step[2]) }];
    })
    .toSorted((a, b) => b.step - a.step || basename(b.path).localeCompare(basename(a.path)));
}

/** What keeps a checkpoint from being whole, in a sentence; nothing if it is. */
async function damageOf(
  path: string,
  options: { readonly isThorough: boolean },
): Promise<string | undefined> {
  try {
    await checkWhole(path, options);
    return undefined;
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  }
}

/** Name of the best checkpoint, as one of them remembers it. */
async function bestOf(path: string): Promise<string | undefined> {
  const file = join(path, TRAINER_FILE);
  return failingAs(EXIT.checkpoint, async () => {
    const { best } = decodeRunJson(await readWhole(file));
    // Other programs write a path here.
    return best === undefined ? undefined : basename(best.checkpoint);
  });
}
