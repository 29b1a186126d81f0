import { cpus } from "node:os";
import { platform } from "node:process";
import { openAdapter } from "../../cli/platform/dawn.ts";

/**
 * Gives a library written for browsers what it expects: `navigator.gpu` on the adapter that tenure
 * would use, waiting without spinning as tenure does.
 */
export async function providePlatform(): Promise<void> {
  const { adapter } = await openAdapter();
  const gpu = { requestAdapter: async () => adapter, getPreferredCanvasFormat: () => "bgra8unorm" };
  Object.defineProperty(globalThis, "navigator", {
    value: {
      gpu,
      userAgent: "Node.js",
      hardwareConcurrency: cpus().length,
      platform,
      language: "en",
    },
    configurable: true,
  });
  provideIteratorHelpers();
}

/** Iterator helpers and other globals that Node 22 has and Node 20 lacks. */
function provideIteratorHelpers(): void {
  const prototype = Object.getPrototypeOf(Object.getPrototypeOf([][Symbol.iterator]())) as object;
  const define = (name: string, value: unknown) => {
    if (!(name in prototype)) Object.defineProperty(prototype, name, { value, configurable: true });
  };
  define("toArray", function (this: Iterable<unknown>) {
    return [...this];
  });
  define("map", function* (this: Iterable<unknown>, f: (item: unknown, i: number) => unknown) {
    let index = 0;
    for (const item of this) yield f(item, index++);
  });
  define("filter", function* (this: Iterable<unknown>, f: (item: unknown, i: number) => boolean) {
    let index = 0;
    for (const item of this) if (f(item, index++)) yield item;
  });
  define(
    "flatMap",
    function* (this: Iterable<unknown>, f: (item: unknown, i: number) => Iterable<unknown>) {
      let index = 0;
      for (const item of this) yield* f(item, index++);
    },
  );
  define("forEach", function (this: Iterable<unknown>, f: (item: unknown, i: number) => void) {
    let index = 0;
    for (const item of this) f(item, index++);
  });
  define("some", function (this: Iterable<unknown>, f: (item: unknown) => boolean) {
    return [...this].some((item) => f(item));
  });
  define("every", function (this: Iterable<unknown>, f: (item: unknown) => boolean) {
    return [...this].every((item) => f(item));
  });
  define("find", function (this: Iterable<unknown>, f: (item: unknown) => boolean) {
    return [...this].find((item) => f(item));
  });
}
