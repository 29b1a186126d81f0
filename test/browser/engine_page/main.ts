// The engine as other people's pages have it, where tests can reach it.
import { createWorkerEngine } from "../../../web/mod.ts";
import { allowOwnScripts } from "../../../web/page/shell/own_scripts.ts";

allowOwnScripts();
const worker = new Worker(new URL("../../../web/worker.ts", import.meta.url), { type: "module" });
Object.assign(globalThis, { engine: createWorkerEngine(worker) });
