import assert from "node:assert/strict";
import { test } from "node:test";
import { Tokenizer } from "../../data/tokenizer/tokenizer.ts";
import type { Engine, Progress, StoreState, TrainedStep } from "../../web/engine/api.ts";
import type { EngineOptions, EngineStore } from "../../web/engine/engine.ts";
import type { EngineError, EngineErrorKind } from "../../web/engine/errors.ts";
import type { Files } from "../checkpoint/memory_files.ts";
import { folderOf } from "../checkpoint/memory_files.ts";
import { assertClose } from "../support.ts";
import { CAREER, CAREERS, careerFiles, chosen, collect, WORDING } from "./engine_support.ts";

/** The same kernels on the same device. */
export const SAME = { rtol: 1e-6, atol: 1e-9 };
/** Pruning shares a mass of this size differently. */
const PRUNED = { rtol: 0, atol: 0.05 };

const files = await careerFiles();
const source = chosen(files);
const tokenizer = Tokenizer.fromJson(
  JSON.parse(new TextDecoder().decode(files.get("tokenizer.json"))),
);

/** What a rejection must be. */
export const failing =
  (kind: EngineErrorKind, message: RegExp = /./) =>
  (error: EngineError) => {
    assert.equal(error.name, "EngineError", String(error.stack));
    assert.equal(error.kind, kind, `${error.kind}: ${error.message}`);
    assert.match(error.message, message);
    assert.match(error.remedy, /^[A-Z].*\.$/, "a remedy is a sentence");
    return true;
  };

/** Every method of an engine, wherever it is. */
export function engineCases(where: string, make: (options?: EngineOptions) => Engine): void {
  const named = (name: string) => `${name} (${where})`;
  const engine = make();

  test(named("a device says its name and limits"), async () => {
    const { name, isSoftware, maxBindingBytes, limitations } = await engine.device();
    assert.notEqual(name, "");
    assert.ok(maxBindingBytes >= 2 ** 27);
    assert.equal(
      limitations.some((one) => one.includes("processor")),
      isSoftware,
    );
  });

  test(named("a model must be loaded before it is asked"), async () => {
    assert.equal(await engine.model(), undefined);
    await assert.rejects(engine.predict(CAREER), failing("bad-input", /must be loaded/));
    await assert.rejects(collect(engine.generate("x")), failing("bad-input", /must be loaded/));
  });

  test(named("a model that is loaded says what it is, and is unloaded"), async () => {
    const seen: Progress[] = [];
    const info = await engine.load(source, { onProgress: (progress) => seen.push(progress) });
    const { name, dtype, maxSeqLen, wording, isWordingKnown, numParameters } = info;
    assert.equal(name, "careers");
    assert.deepEqual(
      { dtype, maxSeqLen, wording },
      { dtype: "f32", maxSeqLen: 512, wording: WORDING },
    );
    assert.ok(isWordingKnown && numParameters > 1000);
    const last = seen.at(-1)!;
    assert.equal(last.phase, "load");
    assert.equal(last.done, last.total);
    assert.deepEqual((await engine.model())?.wording, WORDING);
    await engine.unload();
    assert.equal(await engine.model(), undefined);
    const bare = new Map([...files].filter(([path]) => path !== "tenure.json"));
    const other = await engine.load(chosen(bare), { dtype: "int8", wording: { titleSeed: 7 } });
    assert.deepEqual([other.dtype, other.isWordingKnown], ["int8", false]);
    assert.deepEqual(other.wording, {
      dataset: "NLSY97",
      birthYear: true,
      titles: "authentic",
      titleSeed: 7,
      lastRows: 0,
    });
    await engine.load(source);
  });

  test(named("a prediction tells years before the one in question, and no others"), async () => {
    const next = await engine.predict(CAREER);
    const years = CAREER.observations.map(({ year }) => year);
    assert.equal(next.year, years.at(-1)! + 1);
    assertClose([next.probabilities.reduce((sum, p) => sum + p, 0)], [1], { what: "sum", ...SAME });
    for (const year of years) assert.match(next.prompt, new RegExp(`^${year} \\(`, "m"));
    assert.match(next.prompt, /SYNTHETIC[^]*job_\d\d\d/);
    assert.equal(next.numTokens, tokenizer.encode(next.prompt).length);
    const past = await engine.predict(CAREER, { year: years[1]!, education: "college" });
    assert.ok(past.prompt.endsWith(`${years[1]} (college):`));
    assert.doesNotMatch(past.prompt, new RegExp(`^${years[2]} `, "m"));
    assert.equal(past.last, CAREER.observations[0]!.occupation);
    const first = await engine.predict(CAREER, { year: years[0]! });
    assert.deepEqual([first.last, first.stay], [undefined, undefined]);
    const pruned = await engine.predict(CAREER, { tolerance: 0.05 });
    const { probabilities } = next;
    assertClose(pruned.probabilities, probabilities, { what: "pruned", ...PRUNED });
  });

  test(named("what cannot be asked is refused, and the next question answered"), async () => {
    const [first] = CAREER.observations;
    const twice = { ...CAREER, observations: [first!, first!] };
    await assert.rejects(engine.predict(twice), failing("bad-input", /ascend/));
    const none = { ...CAREER, observations: [] };
    await assert.rejects(engine.predict(none), failing("bad-input", /at least one year/));
    const odd = engine.predict(CAREER, { tolerance: 1 });
    await assert.rejects(odd, failing("bad-input", /tolerance/));
    await assert.rejects(engine.sampleFuture(CAREER, { years: 0 }), failing("bad-input", /years/));
    const empty = collect(engine.fineTune([], { steps: 1 }));
    await assert.rejects(empty, failing("bad-input", /careers/));
    assert.equal((await engine.predict(CAREER)).probabilities.length, 335);
  });

  test(named("the same seed draws the same future, another another"), async () => {
    const seen: Progress[] = [];
    const options = { years: 4, seed: 5, education: "college" } as const;
    const future = await engine.sampleFuture(CAREER, {
      ...options,
      onProgress: (progress) => seen.push(progress),
    });
    const begin = CAREER.observations.at(-1)!.year + 1;
    assert.deepEqual(
      future.map(({ year, education }) => [year, education]),
      [0, 1, 2, 3].map((i) => [begin + i, "college"]),
    );
    assert.deepEqual(
      seen.filter(({ phase }) => phase === "sample").map(({ done }) => done),
      [1, 2, 3, 4],
    );
    assert.deepEqual(await engine.sampleFuture(CAREER, options), future);
    assert.notDeepEqual(await engine.sampleFuture(CAREER, { ...options, seed: 6 }), future);
  });

  test(named("text comes in pieces until it is long enough, or nobody listens"), async () => {
    const options = { maxNewTokens: 12, temperature: 1, seed: 3, ignoreEnd: true };
    const pieces = await collect(engine.generate("<A worker", options));
    assert.ok(pieces.length > 1);
    assert.deepEqual(await collect(engine.generate("<A worker", options)), pieces);
    for await (const piece of engine.generate("<A worker", options)) {
      assert.equal(piece, pieces[0]);
      break;
    }
    await engine.predict(CAREER);
  });

  test(named("calls wait for each other, and end when they are aborted"), async () => {
    const stream = engine.generate("x", { maxNewTokens: 4, temperature: 1, ignoreEnd: true });
    const items = stream[Symbol.asyncIterator]();
    await items.next(); // the device is taken until the stream ends
    const controller = new AbortController();
    const { signal } = controller;
    const waiting = engine.predict(CAREER, { signal });
    const follower = engine.predict(CAREER);
    controller.abort();
    await assert.rejects(waiting, failing("aborted"));
    await assert.rejects(engine.predict(CAREER, { signal }), failing("aborted"));
    await items.return!();
    assert.equal((await follower).probabilities.length, 335);

    const second = new AbortController();
    const text = collect(
      (async function* () {
        const options = { maxNewTokens: 400, temperature: 1, ignoreEnd: true };
        for await (const piece of engine.generate("x", { ...options, signal: second.signal })) {
          second.abort();
          yield piece;
        }
      })(),
    );
    await assert.rejects(text, failing("aborted"));
    await engine.predict(CAREER);
  });

  test(
    named("fine-tuning learns, the same from the same seed, until the model is loaded again"),
    async () => {
      const before = await engine.predict(CAREER);
      const options = { steps: 6, learningRate: 1e-2, batchTokens: 256, seed: 2 };
      const tune = () => collect(engine.fineTune(CAREERS, options));
      const steps = await tune();
      assert.deepEqual(
        steps.map(({ step }) => step),
        [1, 2, 3, 4, 5, 6],
      );
      const lossesOf = (some: readonly TrainedStep[]) => some.map(({ loss }) => loss);
      assert.ok(steps.at(-1)!.loss < steps[0]!.loss);
      const after = await engine.predict(CAREER);
      assert.ok(after.probabilities.some((p, i) => Math.abs(p - before.probabilities[i]!) > 1e-3));
      const onwards = await tune();
      assert.ok(onwards[0]!.loss < steps[0]!.loss, "it goes on from what it has learned");
      await engine.load(source);
      const again = await engine.predict(CAREER);
      assertClose(again.probabilities, before.probabilities, { what: "as before", ...SAME });
      assertClose(lossesOf(await tune()), lossesOf(steps), { what: "losses", ...SAME });
      await engine.load(source);
    },
  );

  test(
    named("a device that is lost amid a call is opened again, and the call repeated"),
    async () => {
      const expected = await engine.predict(CAREER);
      const told: string[] = [];
      const stop = engine.onRecovered((reason) => told.push(reason));
      const losses: Promise<void>[] = [];
      const lose = () => {
        if (losses.length === 0) losses.push(engine.loseDevice());
      };
      await engine.predict(CAREER, { tolerance: 0.01, onProgress: lose });
      await Promise.all(losses);
      assert.equal(losses.length, 1);
      assert.equal(told.length, 1);
      const actual = await engine.predict(CAREER);
      assertClose(actual.probabilities, expected.probabilities, { what: "probabilities", ...SAME });

      const options = { steps: 3, batchTokens: 256 };
      const whole = await collect(engine.fineTune(CAREERS, options));
      await engine.load(source);
      const steps: TrainedStep[] = [];
      for await (const step of engine.fineTune(CAREERS, options)) {
        if (steps.push(step) === 2) await engine.loseDevice();
      }
      assertClose(
        steps.map(({ loss }) => loss),
        whole.map(({ loss }) => loss),
        { what: "losses over a loss", ...SAME },
      );
      await engine.loseDevice();
      const { probabilities } = await engine.predict(CAREER);
      assertClose(probabilities, expected.probabilities, { what: "untuned", ...SAME });
      assert.equal(told.length, 3);
      assert.match(told[2]!, /before it was fine-tuned/);
      stop();
      await engine.loseDevice();
      await engine.predict(CAREER);
      assert.equal(told.length, 3, "who has stopped listening hears nothing");
    },
  );

  test(named("what earlier tuning learned cannot be repeated"), async () => {
    await collect(engine.fineTune(CAREERS, { steps: 1, batchTokens: 256 }));
    const lost = (async () => {
      for await (const _ of engine.fineTune(CAREERS, { steps: 3, batchTokens: 256 })) {
        await engine.loseDevice();
      }
    })();
    await assert.rejects(lost, failing("device-lost", /earlier fine-tuning/));
    await engine.load(source);
  });

  test(named("damaged and foreign files are told apart, and the model before stays"), async () => {
    const changed = (changes: Record<string, Uint8Array<ArrayBuffer> | undefined>): Files => {
      const all = new Map(files);
      for (const [name, bytes] of Object.entries(changes)) {
        if (bytes === undefined) all.delete(name);
        else all.set(name, bytes);
      }
      return all;
    };
    const text = (json: string) => new TextEncoder().encode(json);
    const weights = files.get("model.safetensors")!;
    const cases: readonly [EngineErrorKind, RegExp, Files][] = [
      ["corrupt", /config\.json/, changed({ "config.json": text("{") })],
      ["corrupt", /model\.safetensors/, changed({ "model.safetensors": weights.slice(0, -9) })],
      ["corrupt", /tenure\.json/, changed({ "tenure.json": text("{}") })],
      ["unsupported", /model_type/, changed({ "config.json": text('{"model_type":"bert"}') })],
      ["unsupported", /tokenizer/, changed({ "tokenizer.json": undefined })],
      ["unsupported", /config\.json/, new Map([["notes.txt", text("x")]])],
      ["unsupported", /pickle/, new Map([["pytorch_model.bin", text("x")]])],
      ["unsupported", /adapter/, new Map([["adapter_config.json", text("{}")]])],
    ];
    for (const [kind, message, some] of cases) {
      await assert.rejects(engine.load(chosen(some)), failing(kind, message));
    }
    await assert.rejects(
      engine.load({ kind: "files", files: [] }),
      failing("unsupported", /no files/),
    );
    await assert.rejects(
      engine.load({ kind: "url", url: "http://127.0.0.1:9/" }),
      failing("network"),
    );
    await assert.rejects(engine.load({ kind: "url", url: "http://" }), failing("bad-input"));
    assert.equal((await engine.model())?.name, "careers");
    await engine.predict(CAREER);
  });

  test(named("the store is asked without the device"), async () => {
    const calls: unknown[] = [];
    const state: StoreState = {
      usage: 5,
      models: [
        {
          id: "m1",
          name: "Kept",
          bytes: 9,
          savedAt: "2026-01-01T00:00:00Z",
          files: Array.from(files, ([path, { length: bytes }]) => ({ path, bytes, sha256: "" })),
        },
      ],
    };
    let numReleased = 0;
    const store: EngineStore = {
      list: () => Promise.resolve(state),
      files: () => Promise.resolve({ ...folderOf(files), release: () => (numReleased += 1) }),
      save: (from, options) => {
        calls.push([from.kind, options?.name, options?.signal instanceof AbortSignal]);
        options?.onProgress?.({ phase: "download", what: "x", done: 1, unit: "bytes" });
        return Promise.resolve(state.models[0]!);
      },
      remove: (id) => Promise.reject(Object.assign(new Error(`in use: ${id}`), { name: "Busy" })),
    };
    const keeper = make({ store, openAdapter: () => Promise.resolve(null) });
    assert.deepEqual(await keeper.stored(), state);
    const seen: Progress[] = [];
    const { signal } = new AbortController();
    const onProgress = (progress: Progress) => seen.push(progress);
    const saved = await keeper.save(source, { name: "Kept", signal, onProgress });
    assert.equal(saved.id, "m1");
    assert.deepEqual(calls, [["files", "Kept", true]]);
    assert.equal(seen.length, 1);
    await assert.rejects(keeper.remove("m1"), failing("internal", /in use: m1/));
    await assert.rejects(keeper.device(), failing("no-webgpu"));
    await assert.rejects(keeper.load(source), failing("no-webgpu"));

    const reader = make({ store });
    assert.equal((await reader.load({ kind: "stored", id: "m1" })).name, "Kept");
    await assert.rejects(reader.load({ kind: "stored", id: "m2" }), failing("bad-input", /m2/));
    assert.equal(numReleased, 0, "files are held while they may be read again");
    await reader.unload();
    assert.equal(numReleased, 1);
  });

  test(named("an engine that is destroyed rejects what is under way, and what comes"), async () => {
    const ended = make();
    await ended.load(source);
    const asked = ended.predict(CAREER);
    const queued = ended.predict(CAREER);
    ended.destroy();
    await assert.rejects(asked, failing("aborted", /destroyed/));
    await assert.rejects(queued, failing("aborted", /destroyed/));
    await assert.rejects(ended.device(), failing("aborted", /destroyed/));
    await assert.rejects(collect(ended.generate("x")), failing("aborted", /destroyed/));
    ended.destroy();
  });
}
