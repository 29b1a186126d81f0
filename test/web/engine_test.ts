import assert from "node:assert/strict";
import { test } from "node:test";
import { CallQueue } from "../../web/engine/call_queue.ts";
import { engineError } from "../../web/engine/explain.ts";
import type { Activity } from "../../web/engine/explain.ts";
import { openOwnAdapter } from "../../web/engine/device.ts";
import type { EngineErrorKind } from "../../web/engine/errors.ts";
import { openTestAdapter } from "../support.ts";
import { engineCases, failing } from "./engine_cases.ts";
import {
  CAREER,
  CAREERS,
  careerFiles,
  chosen,
  collect,
  crampedAdapter,
  localEngine,
} from "./engine_support.ts";
import { FileServer } from "./file_server.ts";

engineCases("in this thread", localEngine);

test("without WebGPU, an adapter or a device, an engine says which, and what to do", async () => {
  const remedies = new Set<string>();
  const refuse = async (openAdapter: () => Promise<GPUAdapter | null>, message: RegExp) => {
    const error: unknown = await localEngine({ openAdapter })
      .device()
      .catch((e: unknown) => e);
    failing("no-webgpu", message)(error as never);
    remedies.add((error as { remedy: string }).remedy);
  };
  if (globalThis.navigator?.gpu === undefined) await refuse(openOwnAdapter, /has no WebGPU/);
  await refuse(() => Promise.resolve(null), /no graphics adapter/);
  await refuse(() => Promise.reject(new Error("blocked")), /blocked/);
  await refuse(async () => {
    const adapter = await openTestAdapter();
    adapter.requestDevice = () => Promise.reject(new Error("too many devices"));
    return adapter;
  }, /too many devices/);
  assert.ok(remedies.size >= 3);
});

test("a device whose adapter does not come back is lost for good, until it does", async () => {
  let isThere = true;
  const openAdapter = () => (isThere ? openTestAdapter() : Promise.resolve(null));
  const engine = localEngine({ openAdapter });
  await engine.load(chosen(await careerFiles()));
  const { probabilities } = await engine.predict(CAREER);
  isThere = false;
  await engine.loseDevice();
  await assert.rejects(engine.predict(CAREER), failing("device-lost", /could not be opened/));
  isThere = true;
  await engine.device();
  assert.deepEqual((await engine.predict(CAREER)).probabilities, probabilities);
});

test("a device that is lost twice at the same work is not asked a third time", async () => {
  const engine = localEngine();
  await engine.load(chosen(await careerFiles()));
  let numAsked = 0;
  const onProgress = () => {
    numAsked += 1;
    void engine.loseDevice();
  };
  const asked = engine.predict(CAREER, { onProgress });
  await assert.rejects(asked, failing("device-lost", /twice/));
  assert.equal(numAsked, 2);
  await engine.predict(CAREER);
});

test("a load that began on a lost device leaves the one that was begun anew alone", async () => {
  const files = await careerFiles();
  const at = Object.fromEntries(Array.from(files, ([name, bytes]) => [`m/${name}`, bytes]));
  await using server = await FileServer.start(at);
  let numLoads = 0;
  const openAdapter = async () => {
    const adapter = await openTestAdapter();
    const open = adapter.requestDevice.bind(adapter);
    adapter.requestDevice = async (descriptor) => {
      const device = await open(descriptor);
      const create = device.createBuffer.bind(device);
      device.createBuffer = (buffer) => {
        if (buffer.label === "model.embed_tokens.weight") numLoads += 1;
        return create(buffer);
      };
      return device;
    };
    return adapter;
  };
  const engine = localEngine({ openAdapter });
  let goOn: () => void = () => undefined;
  let isGivenUp = false;
  const isHeld = new Promise<void>((resolve) => {
    server.fault = ({ path }, response, bytes) => {
      if (path !== "m/model.safetensors") return false;
      server.fault = undefined;
      goOn = () => response.end(bytes);
      response.on("close", () => (isGivenUp = !response.writableFinished));
      resolve();
      return true;
    };
  });
  const loading = engine.load({ kind: "url", url: `${server.url}m/` });
  await isHeld;
  await engine.loseDevice();
  await loading;
  assert.ok(isGivenUp, "its download is ended");
  goOn();
  await new Promise((resolve) => setTimeout(resolve, 300));
  await engine.predict(CAREER);
  assert.equal(numLoads, 1);
});

test("an engine that is destroyed ends its download, and begins none anew", async () => {
  await using server = await FileServer.start({ "m/config.json": new Uint8Array(2) });
  const engine = localEngine();
  await engine.device();
  const isEnded = new Promise<void>((resolve) => {
    server.fault = (_, response) => {
      response.on("close", resolve);
      engine.destroy();
      return true;
    };
  });
  const loading = engine.load({ kind: "url", url: `${server.url}m/` });
  await assert.rejects(loading, failing("aborted", /destroyed/));
  await isEnded;
  await new Promise((resolve) => setTimeout(resolve, 100));
  assert.equal(server.requests.length, 1);
});

test("weights that do not fit are told apart from damaged ones, and smaller ones load", async () => {
  const openAdapter = crampedAdapter(
    ({ label, size }) => label === "model.embed_tokens.weight" && size > 20_000,
  );
  const engine = localEngine({ openAdapter });
  const source = chosen(await careerFiles());
  await assert.rejects(engine.load(source), failing("out-of-memory", /no memory left/));
  assert.equal(await engine.model(), undefined);
  assert.equal((await engine.load(source, { dtype: "int8" })).dtype, "int8");
});

test("whatever does not fit once is made again when there is room, and nothing is left", async () => {
  let [left, numMade] = [Infinity, 0];
  const openAdapter = crampedAdapter(() => {
    numMade += 1;
    return left-- === 0;
  });
  const engine = localEngine({ openAdapter });
  const source = chosen(await careerFiles());
  const { deviceBytes } = await engine.load(source);
  const works: readonly [string, () => Promise<unknown>][] = [
    ["load", () => engine.load(source)],
    ["predict", () => engine.predict(CAREER)],
    ["predict within a tolerance", () => engine.predict(CAREER, { tolerance: 0.01 })],
    ["generate", () => collect(engine.generate("x", { maxNewTokens: 2, ignoreEnd: true }))],
    ["fine-tune", () => collect(engine.fineTune(CAREERS, { steps: 1, batchTokens: 256 }))],
  ];
  for (const [what, work] of works) {
    await work(); // what is kept for all time, such as a buffer to read back, is made now
    await engine.load(source);
    numMade = 0;
    await work();
    const total = numMade;
    assert.ok(total > 4, what);
    for (const share of [0, 0.3, 0.6, 1]) {
      await engine.load(source);
      left = Math.round(share * (total - 1));
      await assert.rejects(work(), failing("out-of-memory", /no memory left/), `${what}, ${share}`);
      left = Infinity;
      await work();
      assert.equal((await engine.load(source)).deviceBytes, deviceBytes, `${what}, ${share}`);
    }
  }
});

test("errors of the core become kinds by what was going on", () => {
  const named = (name: string) => Object.assign(new Error("x"), { name });
  const cases: readonly [unknown, Activity, EngineErrorKind][] = [
    [new SyntaxError("Cannot read"), "load", "corrupt"],
    [new RangeError("Cannot read"), "load", "corrupt"],
    [new TypeError("weights must be floats"), "load", "unsupported"],
    [new RangeError("Cannot render"), "ask", "bad-input"],
    [new TypeError("x is not a function"), "ask", "internal"],
    [new RangeError("Array buffer allocation failed"), "load", "out-of-memory"],
    [new RangeError('Cannot hold the weights of "x"'), "load", "out-of-memory"],
    [
      new RangeError('Cannot allocate "x": a buffer of this device holds at most 4 bytes, got 8'),
      "load",
      "limits",
    ],
    [new RangeError("Cannot tell occupations apart: …"), "ask", "unsupported"],
    [named("QuotaExceededError"), "store", "quota"],
    [named("AbortError"), "ask", "aborted"],
    [named("NotReadableError"), "load", "corrupt"],
    [named("NotFiniteError"), "tune", "bad-input"],
    ["thrown text", "bench", "internal"],
  ];
  for (const [error, activity, kind] of cases) {
    failing(kind)(engineError(error, activity));
  }
});

test("calls of a queue go one by one, in order, whatever becomes of those before", async () => {
  const queue = new CallQueue();
  const log: string[] = [];
  const slow = (name: string, ms: number) => async () => {
    log.push(`${name} begins`);
    await new Promise((resolve) => setTimeout(resolve, ms));
    log.push(`${name} ends`);
    return name;
  };
  const controller = new AbortController();
  const first = queue.run(slow("a", 30), controller.signal);
  const second = queue.run(() => Promise.reject(new Error("b fails")));
  const third = queue.run(slow("c", 1));
  await new Promise((resolve) => setTimeout(resolve, 5));
  controller.abort();
  await assert.rejects(first, failing("aborted"));
  assert.deepEqual(log, ["a begins"], "the caller is told before the work is done");
  await assert.rejects(second, /b fails/);
  assert.equal(await third, "c");
  assert.deepEqual(log, ["a begins", "a ends", "c begins", "c ends"]);
});

test("a call that is ended just when its turn comes does no work, and nothing is left unheard", async () => {
  const unheard: unknown[] = [];
  const hear = (error: unknown) => unheard.push(error);
  process.on("unhandledRejection", hear);
  try {
    for (let ticks = 0; ticks < 12; ticks++) {
      const queue = new CallQueue();
      const controller = new AbortController();
      const failed = queue.run(() => Promise.reject(new Error("it fails")), controller.signal);
      const settled = failed.catch((error: unknown) => error);
      for (let tick = 0; tick < ticks; tick++) await Promise.resolve();
      controller.abort();
      assert.ok((await settled) instanceof Error);
      assert.equal(await queue.run(() => Promise.resolve("the next")), "the next");
    }
    await new Promise((resolve) => setTimeout(resolve, 5));
  } finally {
    process.off("unhandledRejection", hear);
  }
  assert.deepEqual(unheard, []);
});
