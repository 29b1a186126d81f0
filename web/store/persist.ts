/** Whether the browser keeps what this origin stores until a person removes it. */
export type Persistence =
  /** It does. */
  | "persistent"
  /** It may remove it when disk space runs short. */
  | "best-effort"
  /** It does not say. */
  | "unknown";

/**
 * Asks the browser not to remove stored models by itself when disk space runs short. Only a window
 * can ask, and the browser may ask the person in turn: do it when somebody saves a model, not
 * before.
 *
 * @param storage Stands in for `navigator.storage`.
 * @see https://storage.spec.whatwg.org/#dom-storagemanager-persist
 */
export async function requestPersistence(
  storage: Partial<Pick<StorageManager, "persist" | "persisted">> | undefined = navigator.storage,
): Promise<Persistence> {
  try {
    if ((await storage?.persisted?.()) === true) return "persistent";
    const granted = await storage?.persist?.();
    return granted === undefined ? "unknown" : granted ? "persistent" : "best-effort";
  } catch {
    return "unknown"; // Nothing is lost: the models are kept as long as there is room.
  }
}
