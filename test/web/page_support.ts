import { parseHTML } from "linkedom";
import type {
  DeviceInfo,
  Engine,
  LoadOptions,
  ModelInfo,
  ModelSource,
  StoredModelInfo,
} from "../../web/engine/api.ts";

/** Puts a document in place of the browser's, for parts of the page. @returns Its window. */
export function openDocument(hash = ""): Window & typeof globalThis {
  const window = parseHTML("<!doctype html><html><body></body></html>");
  const listeners = new EventTarget();
  Object.assign(globalThis, {
    document: window.document,
    location: { hash, href: "http://127.0.0.1/" },
    addEventListener: listeners.addEventListener.bind(listeners),
    dispatchEvent: listeners.dispatchEvent.bind(listeners),
  });
  return window;
}

/** Goes to an address behind `#`, as a link does. */
export function goTo(hash: string): void {
  location.hash = hash;
  dispatchEvent(new Event("hashchange"));
}

/** Waits until promises that are settled by now have been followed. */
export function settled(): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, 5));
}

/** Presses a key on an element. */
export function press(element: Element, key: string): void {
  send(element, "keydown", { key });
}

/** Sends an event with what it carries. @returns It. */
export function send(element: Element, type: string, detail: object = {}): Event {
  // Of the document's own kind: it refuses those of the runtime.
  const event = element.ownerDocument.createEvent("Event");
  event.initEvent(type, true, true);
  element.dispatchEvent(Object.assign(event, detail));
  return event;
}

/** The first element below that says this. */
export function bySaying<K extends keyof HTMLElementTagNameMap>(
  root: Element,
  tag: K,
  words: RegExp,
): HTMLElementTagNameMap[K] {
  const found = [...root.querySelectorAll(tag)].find(({ textContent }) =>
    words.test(textContent ?? ""),
  );
  if (found === undefined) throw new Error(`There is no ${tag} that says ${String(words)}`);
  return found;
}

/** A model as an engine tells of it. */
export function modelInfo(some: Partial<ModelInfo> = {}): ModelInfo {
  return {
    name: "small",
    numParameters: 912_345,
    dtype: "f32",
    maxSeqLen: 1024,
    wording: {
      dataset: "NLSY97",
      birthYear: true,
      titles: "authentic",
      titleSeed: 0,
      lastRows: 0,
    },
    isWordingKnown: true,
    deviceBytes: 3_600_000,
    loadMs: 41,
    ...some,
  };
}

/** A device as an engine tells of it. */
export function deviceInfo(some: Partial<DeviceInfo> = {}): DeviceInfo {
  return {
    name: "test device",
    isSoftware: false,
    hasFloat16: true,
    subgroupSize: 32,
    maxBindingBytes: 2 ** 27,
    maxBufferBytes: 2 ** 31,
    limitations: [],
    ...some,
  };
}

/** What an engine was asked, in order. */
export type Asked = [string, ...unknown[]];

/** As much of an engine as the model panel asks, with a store in memory, that notes what it is asked. */
export function panelEngine(): {
  readonly engine: Engine;
  readonly asked: Asked[];
  readonly stored: StoredModelInfo[];
  /** Thrown by the next load. */
  failure: Error | undefined;
  info: ModelInfo;
} {
  const asked: Asked[] = [];
  const stored: StoredModelInfo[] = [];
  let model: ModelInfo | undefined;
  const self = {
    asked,
    stored,
    failure: undefined as Error | undefined,
    info: modelInfo(),
    engine: {
      async load(source: ModelSource, { dtype = "f32", wording }: LoadOptions = {}) {
        asked.push(["load", source, dtype, ...(wording === undefined ? [] : [wording])]);
        model = undefined;
        if (self.failure !== undefined) throw self.failure;
        model = { ...self.info, dtype };
        return model;
      },
      async model() {
        return model;
      },
      async unload() {
        asked.push(["unload"]);
        model = undefined;
      },
      async stored() {
        return { models: [...stored], usage: 30, quota: 100, isPersistent: false };
      },
      async save(source: ModelSource, { name = "", sha256 }: { name?: string; sha256?: object }) {
        asked.push(["save", source, name, ...(sha256 === undefined ? [] : [sha256])]);
        const files = [{ path: "model.gguf", bytes: 30, sha256: "ab".repeat(32) }];
        const info = {
          id: `id of ${name}`,
          name,
          bytes: 30,
          savedAt: "2026-01-02T03:04:05Z",
          files,
        };
        stored.push(info);
        return info;
      },
      async remove(id: string) {
        asked.push(["remove", id]);
        stored.splice(
          stored.findIndex((one) => one.id === id),
          1,
        );
      },
    } as unknown as Engine,
  };
  return self;
}

/** Storage in memory, in place of the browser's. */
export function openLocalStorage(): Map<string, string> {
  const values = new Map<string, string>();
  Object.assign(globalThis, {
    localStorage: {
      getItem: (key: string) => values.get(key) ?? null,
      setItem: (key: string, value: string) => void values.set(key, value),
      removeItem: (key: string) => void values.delete(key),
    },
  });
  return values;
}
