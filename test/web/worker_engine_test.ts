import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import type { Career } from "../../data/career.ts";
import type { ModelFile } from "../../web/engine/api.ts";
import { serveEngine } from "../../web/engine/serve_engine.ts";
import { createWorkerEngine } from "../../web/engine/worker_engine.ts";
import { expectedStory, missing } from "../pretrained/stories.ts";
import { assertClose, openTestAdapter } from "../support.ts";
import { engineCases, failing, SAME } from "./engine_cases.ts";
import {
  CAREER,
  CAREERS,
  careerFiles,
  chosen,
  collect,
  localEngine,
  remoteEngine,
} from "./engine_support.ts";

engineCases("in a worker", (options) => remoteEngine(options).engine);

const source = chosen(await careerFiles());

test("an engine in a worker gives the numbers of one in this thread", async () => {
  const engines = [localEngine(), remoteEngine().engine];
  const [here, there] = await Promise.all(
    engines.map(async (engine) => {
      await engine.load(source);
      const { ms: _, ...prediction } = await engine.predict(CAREER, { education: "college" });
      const future = await engine.sampleFuture(CAREER, { years: 3, seed: 4 });
      const text = await collect(engine.generate("<A", { maxNewTokens: 8, ignoreEnd: true }));
      const options = { steps: 3, batchTokens: 256, seed: 1 };
      const losses = (await collect(engine.fineTune(CAREERS, options))).map(({ loss }) => loss);
      const tuned = (await engine.predict(CAREER)).probabilities;
      return { prediction, future, text, losses, tuned };
    }),
  );
  const { losses, tuned, ...same } = here!;
  const { losses: otherLosses, tuned: otherTuned, ...others } = there!;
  assert.deepEqual(others, same);
  assertClose(otherLosses, losses, { what: "losses", ...SAME });
  assertClose(otherTuned, tuned, { what: "tuned probabilities", ...SAME });
});

test("200 greedy steps through a worker print the expected story", { skip: missing }, async () => {
  const folder = new URL("../../../shared/fixtures/stories260K/", import.meta.url);
  const files = ["stories260K.bin", "tok512.bin"].map((path): ModelFile => {
    return { path, blob: new Blob([readFileSync(new URL(path, folder))]) };
  });
  const { engine } = remoteEngine();
  const info = await engine.load({ kind: "files", files });
  assert.deepEqual([info.name, info.isWordingKnown], ["stories260K.bin", false]);
  const options = { maxNewTokens: 200, temperature: 0, ignoreEnd: true };
  assert.equal((await collect(engine.generate("", options))).join(""), await expectedStory());
  const { probabilities, prompt } = await engine.predict(CAREER);
  assertClose([probabilities.reduce((sum, p) => sum + p, 0)], [1], { what: "sum", ...SAME });
  assert.match(prompt, /NLSY97/);
});

test("a worker that stops rejects what is under way, and what comes", async () => {
  for (const type of ["error", "messageerror"]) {
    const { port1: page, port2: worker } = new MessageChannel();
    const engine = createWorkerEngine(page);
    const [asked, streamed] = [engine.device(), collect(engine.generate("x"))];
    const both = Promise.allSettled([asked, streamed]);
    page.dispatchEvent(Object.assign(new Event(type), { message: "no such script" }));
    for (const outcome of await both) {
      assert.equal(outcome.status, "rejected");
      failing("internal", /worker of the engine stopped/)(outcome.reason as never);
    }
    await assert.rejects(engine.predict(CAREER), failing("internal", /stopped/));
    engine.destroy();
    page.close();
    worker.close();
  }
});

test("a port that closes at the other end rejects what is under way", async () => {
  const { engine, worker } = remoteEngine();
  const asked = engine.device();
  worker.close();
  await assert.rejects(asked, failing("internal", /closed/));
});

test("what cannot be cloned is refused, and messages of others are left alone", async () => {
  const { engine, page, worker } = remoteEngine();
  page.postMessage({ kind: "call", id: 1, method: "destroy" }, []);
  page.postMessage("hello", []);
  const opened = engine.device();
  const forged = { kind: "value", id: 1, value: "forged" };
  for (const data of [forged, { message: forged }, { tag: "other", message: forged }]) {
    worker.postMessage(data, []);
  }
  assert.notEqual(await opened, "forged");
  const odd = { ...CAREER, extra: () => 1 } as Career;
  await assert.rejects(engine.predict(odd), failing("bad-input", /worker/));
});

test("an abort crosses while the worker is at work, with its reason", async () => {
  const { engine } = remoteEngine();
  await engine.load(source);
  const controller = new AbortController();
  const asked = engine.sampleFuture(CAREER, {
    years: 50,
    signal: controller.signal,
    onProgress: ({ phase }) => {
      if (phase === "sample") controller.abort(new Error("the visitor went on"));
    },
  });
  await assert.rejects(asked, failing("aborted", /the visitor went on/));
  await engine.predict(CAREER);
});

test("no item of a stream is made before it is asked for", async () => {
  const { port1: page, port2: worker } = new MessageChannel();
  const close = serveEngine(worker, { openAdapter: openTestAdapter });
  const engine = createWorkerEngine(page);
  await engine.load(source);
  let numProgress = 0;
  const onProgress = ({ phase }: { phase: string }) => (numProgress += +(phase === "train"));
  const options = { steps: 50, batchTokens: 128, onProgress };
  for await (const { step } of engine.fineTune(CAREERS, options)) {
    assert.equal(numProgress, step);
    await new Promise((resolve) => setTimeout(resolve, 20));
    assert.equal(numProgress, step);
    if (step === 3) break;
  }
  await engine.predict(CAREER);
  engine.destroy();
  close();
  page.close();
  worker.close();
});
