import type { StoredModelInfo } from "../engine/api.ts";
import { EngineError } from "../engine/errors.ts";

/** How the store takes part of `StorageManager`. */
export type StoreStorage = Pick<StorageManager, "estimate"> &
  Partial<Pick<StorageManager, "persisted">>;

/** What is to be saved, and what is there already. */
export interface RoomRequest {
  /** What people call the model. */
  readonly name: string;
  /** Bytes that it takes, as far as that is known before. */
  readonly bytes: number | undefined;
  readonly models: readonly StoredModelInfo[];
  readonly cause?: unknown;
}

/**
 * Checks that a model fits what the browser gives this origin.
 *
 * @throws {EngineError} `"quota"` if not: how much is needed, how much is free, what to remove.
 */
export async function checkRoom(
  storage: StoreStorage | undefined,
  request: RoomRequest,
): Promise<void> {
  const free = await freeBytes(storage);
  if (free === undefined || request.bytes === undefined || request.bytes <= free) return;
  throw noRoom(free, request);
}

/** Says that storage was full in the middle of saving. */
export async function noRoomLeft(
  storage: StoreStorage | undefined,
  request: RoomRequest,
): Promise<EngineError> {
  return noRoom(await freeBytes(storage), request);
}

/** Bytes as people read them, in decimal units. */
function formatBytes(bytes: number): string {
  const units = ["bytes", "kB", "MB", "GB", "TB"];
  const power = Math.min(Math.floor(Math.log10(Math.max(bytes, 1)) / 3), units.length - 1);
  const value = bytes / 1000 ** power;
  return `${power === 0 ? value : value.toFixed(value < 100 ? 1 : 0)} ${units[power]}`;
}

async function freeBytes(storage: StoreStorage | undefined): Promise<number | undefined> {
  const { quota, usage = 0 } = (await storage?.estimate()) ?? {};
  return quota === undefined ? undefined : Math.max(quota - usage, 0);
}

function noRoom(
  free: number | undefined,
  { name, bytes, models, cause }: RoomRequest,
): EngineError {
  const needed = bytes === undefined ? "more" : formatBytes(bytes);
  // Chromium's estimate tells nothing of the disk, so as to tell nothing of the person.
  const isTold = free !== undefined && free < (bytes ?? 0);
  const got = isTold ? formatBytes(free) : "less";
  const listed = models
    .toSorted((a, b) => b.bytes - a.bytes)
    .slice(0, 3)
    .map((model) => `"${model.name}" (${formatBytes(model.bytes)})`);
  return new EngineError({
    kind: "quota",
    message: `Cannot save "${name}": this page must have ${needed} of the browser's storage free, got ${got}`,
    remedy:
      listed.length === 0
        ? "Free disk space, or let the page keep its data, and try again; a model can also be used without saving it."
        : `Remove a stored model, such as ${listed.join(", ")}, or free disk space, and try again.`,
    cause,
  });
}
