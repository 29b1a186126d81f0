import { isSameDevice, type TuningDeviceIdentity, tuningKeyOf } from "./device_identity.ts";
import { mergeTuning, parseTuning, type StoredTuning, tuningToText } from "./stored_choices.ts";

/** Where choices are kept between runs: a few kilobytes of text by key. */
export interface TuningStore {
  /** The text of a key; undefined if there is none. */
  read(key: string): Promise<string | undefined>;
  write(key: string, text: string): Promise<void>;
  /** Where the text of a key lies, for messages. @default {the key} */
  readonly pathOf?: (key: string) => string;
  /** Does work while nobody else writes the key, where several processes may. */
  readonly exclusively?: <T>(key: string, work: () => Promise<T>) => Promise<T>;
}

/** The part of a browser's `localStorage` that a store needs. */
export interface TextStorage {
  getItem(key: string): string | null;
  setItem(key: string, value: string): void;
}

/** A store in a browser's storage, under names that begin with `tenure-tuning/`. */
export function storageStore(storage: TextStorage): TuningStore {
  const nameOf = (key: string) => `tenure-tuning/${key}`;
  return {
    read: async (key) => storage.getItem(nameOf(key)) ?? undefined,
    write: async (key, text) => storage.setItem(nameOf(key), text),
  };
}

/**
 * What a store has for a device.
 *
 * @param store Where to look.
 * @param identity Which device.
 * @param onWarning Told of a text that cannot be read, which is then as good as absent.
 */
export async function loadTuning(
  store: TuningStore,
  identity: TuningDeviceIdentity,
  onWarning: (message: string) => void = () => {},
): Promise<StoredTuning> {
  const key = tuningKeyOf(identity);
  const none = { device: identity, choices: {} };
  try {
    const text = await store.read(key);
    return text === undefined ? none : parseTuning(text, store.pathOf?.(key) ?? key);
  } catch (error) {
    onWarning((error as Error).message);
    return none;
  }
}

/**
 * Adds to what a store has for a device; what others have written meanwhile is kept.
 *
 * @param store Where to write.
 * @param tuning What was measured.
 * @param onWarning Told of a text that cannot be read, which is then replaced.
 * @throws {TypeError} If the store has choices of another device under this key.
 */
export async function saveTuning(
  store: TuningStore,
  tuning: StoredTuning,
  onWarning?: (message: string) => void,
): Promise<void> {
  const key = tuningKeyOf(tuning.device);
  const add = async () => {
    const before = await loadTuning(store, tuning.device, onWarning);
    if (!isSameDevice(before.device, tuning.device)) {
      throw new TypeError(
        `Cannot keep what was measured in "${store.pathOf?.(key) ?? key}": it must hold choices of this device, got those of another; take another file`,
      );
    }
    await store.write(key, tuningToText(mergeTuning(before, tuning)));
  };
  await (store.exclusively === undefined ? add() : store.exclusively(key, add));
}
