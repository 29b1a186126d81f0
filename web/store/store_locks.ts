/** How the store takes part of `LockManager`. */
export type StoreLocks = Pick<LockManager, "request">;

/** Ends the hold of a lock; a second call does nothing. */
export type Release = () => void;

const PREFIX = "tenure-store";

/** Held exclusively while a model is put in place or removed, shared while its files are in use. */
export const modelLock = (id: string): string => `${PREFIX}/model/${id}`;

/** Held while a folder is written, so that nobody takes it for one that was left unfinished. */
export const folderLock = (folder: string): string => `${PREFIX}/folder/${folder}`;

/** Held while a source is saved, so that two tabs do not do the same work. */
export const sourceLock = (key: string): string => `${PREFIX}/source/${key}`;

/**
 * Takes a lock if it is free, without waiting; a tab that closes gives back what it holds.
 *
 * @param mode Whether others may hold it, too.
 * @returns Gives it back; undefined if somebody else has it.
 * @see https://w3c.github.io/web-locks/
 */
export function tryHold(
  locks: StoreLocks,
  name: string,
  mode: LockMode,
): Promise<Release | undefined> {
  return new Promise((resolve, reject) => {
    const held = locks.request(name, { mode, ifAvailable: true }, (lock) => {
      if (lock === null) return resolve(undefined);
      return new Promise<void>((release) => resolve(release));
    });
    held.catch(reject);
  });
}
