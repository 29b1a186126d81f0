import assert from "node:assert/strict";
import { after, test } from "node:test";
import fc from "fast-check";
import {
  identityOf,
  isSameAdapter,
  isSameDevice,
  tuningKeyOf,
} from "../../engine/tuning/device_identity.ts";
import { sourceHash } from "../../engine/tuning/source_hash.ts";
import { loadTuning, saveTuning, storageStore } from "../../engine/tuning/store.ts";
import {
  mergeTuning,
  parseTuning,
  type StoredChoice,
  storedChoice,
  TunedChoices,
  tuningToText,
} from "../../engine/tuning/stored_choices.ts";
import { tune } from "../../engine/tuning/tune.ts";
import { choose, type Tunable } from "../../engine/tuning/tunable.ts";
import { openGpu } from "../support.ts";
import { ask, fakeTimer, lanesOf, squares, type SquaresProblem } from "./tuning_case.ts";

const gpu = await openGpu();
after(() => gpu.destroy());
const device = identityOf(gpu);

/** What a browser's storage does. */
function memoryStorage() {
  const items = new Map<string, string>();
  return {
    items,
    getItem: (key: string) => items.get(key) ?? null,
    setItem: (key: string, value: string) => void items.set(key, value),
  };
}

async function measured(
  tunable: Tunable<SquaresProblem>,
  { length = 100, date = 0, best = 32 } = {},
): Promise<Readonly<Record<string, StoredChoice>>> {
  const timer = fakeTimer({ 8: 4, [best]: 0.5 });
  const { results } = await tune(gpu, [ask(tunable, length)], { timer });
  return Object.fromEntries(results.map((each) => [each.key, storedChoice(each, new Date(date))]));
}

function chosenLanes(choices: TunedChoices, tunable: Tunable<SquaresProblem>, length: number) {
  const { variant, subgroupSize, traits } = gpu;
  return lanesOf(choose({ variant, subgroupSize, traits, choices }, tunable, { length }));
}

test("what was measured comes back from a store, for all problems of its bucket", async () => {
  const storage = memoryStorage();
  const choices = await measured(squares());
  await saveTuning(storageStore(storage), { device, choices });
  assert.deepEqual([...storage.items.keys()], [`tenure-tuning/${tuningKeyOf(device)}`]);
  const loaded = await loadTuning(storageStore(storage), device);
  assert.deepEqual(loaded, { device: JSON.parse(JSON.stringify(device)), choices });
  const tuned = new TunedChoices(loaded);
  const lanes = [100, 128, 129].map((length) => chosenLanes(tuned, squares(), length));
  assert.deepEqual(lanes, [32, 32, 8]);
  assert.deepEqual([...tuned.followed], [["squares n128", { lanes: 32 }]]);
});

test("a changed kernel makes its own choices stale, and no others", async () => {
  const [one, two] = [squares({ name: "one" }), squares({ name: "two" })];
  const tuned = new TunedChoices({
    choices: { ...(await measured(one)), ...(await measured(two)) },
  });
  const changed = squares({ name: "one", comment: "another way" });
  assert.equal(chosenLanes(tuned, changed, 100), 8);
  assert.equal(chosenLanes(tuned, two, 100), 32);
  assert.deepEqual([[...tuned.stale], [...tuned.followed.keys()]], [["one n128"], ["two n128"]]);
});

test("the hash sees every candidate's source, and the same sources alike", () => {
  const hash = (changes: Parameters<typeof squares>[0]) =>
    sourceHash(gpu, ask(squares(changes), 100));
  assert.equal(hash({}), hash({}));
  assert.notEqual(hash({}), hash({ faults: { 64: "wrong" } }));
  assert.notEqual(hash({}), hash({ lanes: [8, 16, 32] }));
});

test("a choice whose problem no longer records is stale, not an error", async () => {
  const [stored] = Object.values(await measured(squares()));
  const choices = { "squares n128": { ...stored!, problem: { size: 1 } } };
  const failing = squares();
  const record: typeof failing.record = (tape, problem, make) => {
    if (problem.length === undefined) throw new TypeError("no length");
    failing.record(tape, problem, make);
  };
  assert.equal(chosenLanes(new TunedChoices({ choices }), { ...failing, record }, 100), 8);
});

test("merging keeps what either has, and the later measurement of what both have", async () => {
  const [old, late] = [
    { date: 1, best: 16 },
    { date: 2, best: 64 },
  ];
  const first = { device, choices: await measured(squares(), old) };
  const second = { device, choices: await measured(squares(), late) };
  const other = { device, choices: await measured(squares({ name: "other" })) };
  for (const merged of [
    mergeTuning(mergeTuning(first, second), other),
    mergeTuning(mergeTuning(other, second), first),
  ]) {
    assert.deepEqual(Object.keys(merged.choices).toSorted(), ["other n128", "squares n128"]);
    assert.deepEqual(merged.choices["squares n128"]!.choice, { lanes: 64 });
  }
});

test("a damaged text is told of, counts as absent, and is replaced", async () => {
  const storage = memoryStorage();
  const store = storageStore(storage);
  const choices = await measured(squares());
  const text = tuningToText({ device, choices });
  const warnings: string[] = [];
  const warn = (message: string) => void warnings.push(message);
  for (const damaged of [
    "",
    "{",
    "[]",
    "null",
    text.slice(0, -9),
    text.replace('"version": 1', '"version": 2'),
  ]) {
    storage.setItem(`tenure-tuning/${tuningKeyOf(device)}`, damaged);
    assert.deepEqual(await loadTuning(store, device, warn), { device, choices: {} });
  }
  assert.equal(warnings.length, 6);
  assert.match(warnings[0]!, /^Cannot read ".*": it must be JSON, got .*; delete it/);
  await saveTuning(store, { device, choices });
  assert.deepEqual((await loadTuning(store, device, assert.fail)).choices, choices);
});

test("no text makes parseTuning() fail in another way than it says", () => {
  const json = fc.jsonValue().map((value) => JSON.stringify(value));
  const nearly = fc
    .record({ choice: fc.jsonValue(), source: fc.string(), ms: fc.jsonValue() })
    .map((stored) =>
      JSON.stringify({
        format: "tenure-tuning",
        version: 1,
        device: { vendor: "x" },
        choices: { "squares n8": stored },
      }),
    );
  fc.assert(
    fc.property(fc.oneof(fc.string(), json, nearly), (text) => {
      assert.throws(() => parseTuning(text, "a file"), SyntaxError);
    }),
  );
});

test("devices that differ in anything that matters have keys of their own", () => {
  const keys = [
    device,
    { ...device, driver: "another" },
    { ...device, toggles: ["skip_validation"] },
    { ...device, variant: "tiled" },
    { ...device, subgroupSize: 99 },
    { ...device, traits: { ...device.traits, hasFloat16: !device.traits.hasFloat16 } },
  ].map(tuningKeyOf);
  assert.equal(new Set(keys).size, keys.length);
  for (const key of keys) assert.match(key, /^[a-z0-9-]+$/);
  const copy = JSON.parse(JSON.stringify(device)) as typeof device;
  assert.equal(tuningKeyOf(copy), tuningKeyOf(device));
  assert.ok(isSameDevice(copy, device));
  assert.ok(isSameAdapter({ ...copy, driver: "newer" }, device));
  assert.ok(!isSameDevice({ ...copy, driver: "newer" }, device));
  assert.ok(!isSameAdapter({ ...copy, vendor: "nvidia" }, device));
});
