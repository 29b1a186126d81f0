// What the tests of the store use in a browser's worker.
import { openModelStore } from "../../web/store/model_store.ts";

/** tsx keeps the names of functions by a helper that is not there in a browser. */
const keepName = <T>(value: T): T => value;

Object.assign(globalThis, { openModelStore, __name: keepName });
