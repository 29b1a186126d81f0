import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { mkdirSync, readdirSync, readFileSync, utimesSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { pathToFileURL } from "node:url";
import { promisify } from "node:util";
import { EXIT } from "../../cli/platform/errors.ts";
import {
  FileTuningStore,
  FolderTuningStore,
  tuningFolder,
} from "../../cli/platform/tuning_store.ts";
import { choicesToGoOnWith, followedChoices, tunedChoices } from "../../cli/run/tuning.ts";
import { identityOf, tuningKeyOf } from "../../engine/tuning/device_identity.ts";
import { loadTuning, saveTuning } from "../../engine/tuning/store.ts";
import { type StoredChoice, storedChoice } from "../../engine/tuning/stored_choices.ts";
import { tune } from "../../engine/tuning/tune.ts";
import { choose } from "../../engine/tuning/tunable.ts";
import { ask, fakeTimer, squares } from "../engine/tuning_case.ts";
import { openGpu } from "../support.ts";
import { temporaryFolder } from "./run_support.ts";

const run = promisify(execFile);
const folder = temporaryFolder();
const gpu = await openGpu();
after(() => gpu.destroy());
const device = identityOf(gpu);
const key = tuningKeyOf(device);
let choices: Readonly<Record<string, StoredChoice>> = {};

before(async () => {
  const { results } = await tune(gpu, [ask(squares(), 100)], { timer: fakeTimer({ 32: 0.5 }) });
  choices = Object.fromEntries(results.map((each) => [each.key, storedChoice(each, new Date(0))]));
});

test("the cache lies where this system keeps such things", () => {
  assert.equal(tuningFolder({ XDG_CACHE_HOME: "/x" }), join("/x", "tenure", "tuning"));
  if (process.platform === "linux") {
    assert.equal(tuningFolder({ HOME: "/home/ada" }), "/home/ada/.cache/tenure/tuning");
  }
});

test("what was measured comes back from a folder that was not there", async () => {
  const store = new FolderTuningStore(join(folder, "new", "tuning"));
  assert.deepEqual(await loadTuning(store, device), { device, choices: {} });
  await saveTuning(store, { device, choices });
  assert.deepEqual((await loadTuning(store, device)).choices, choices);
  assert.deepEqual(readdirSync(store.folder), [`${key}.json`]);
  assert.deepEqual(await store.list(), [store.pathOf(key)]);
});

test("processes that write at once lose nothing", async () => {
  const shared = join(folder, "shared");
  const [numProcesses, numEach] = [3, 8];
  const url = (path: string) => JSON.stringify(pathToFileURL(path).href);
  const script = (name: number) => `
    import { FolderTuningStore } from ${url("cli/platform/tuning_store.ts")};
    import { saveTuning } from ${url("engine/tuning/store.ts")};
    const store = new FolderTuningStore(${JSON.stringify(shared)});
    const { device, stored } = ${JSON.stringify({ device, stored: choices["squares n128"] })};
    for (let i = 0; i < ${numEach}; i++) {
      await saveTuning(store, { device, choices: { ["${name} " + i]: stored } });
    }`;
  await Promise.all(
    Array.from({ length: numProcesses }, (_, name) =>
      run(process.execPath, ["--import", "tsx", "--input-type=module", "-e", script(name)]),
    ),
  );
  const loaded = await loadTuning(new FolderTuningStore(shared), device, assert.fail);
  assert.equal(Object.keys(loaded.choices).length, numProcesses * numEach);
  assert.deepEqual(readdirSync(shared), [`${key}.json`]);
});

test("the lock of a process that died is taken over", async () => {
  const store = new FolderTuningStore(join(folder, "stale"));
  mkdirSync(store.folder);
  const lock = `${store.pathOf(key)}.lock`;
  writeFileSync(lock, "");
  utimesSync(lock, new Date(0), new Date(0));
  await saveTuning(store, { device, choices });
  assert.deepEqual(readdirSync(store.folder), [`${key}.json`]);
});

test("a damaged file is told of, and defaults hold", async (t) => {
  const path = join(folder, "damaged.json");
  writeFileSync(path, readWhole().slice(0, -20));
  const write = t.mock.method(process.stderr, "write", () => true);
  assert.equal(await tunedChoices(device, path), undefined);
  assert.match(String(write.mock.calls[0]!.arguments[0]), /^Cannot read ".*": it must be JSON/);
});

test("choices of another device are never mixed into a file", async () => {
  const path = join(folder, "mixed.json");
  writeFileSync(path, readWhole());
  const tuning = { device: { ...device, driver: "newer" }, choices };
  await assert.rejects(saveTuning(new FileTuningStore(path), tuning), {
    name: "TypeError",
    message: /Cannot keep what was measured in ".*mixed.json": it must hold choices of this device/,
  });
  assert.equal(readFileSync(path, "utf8"), readWhole());
});

test("a damaged file of the cache is told of by its path", async () => {
  const store = new FolderTuningStore(join(folder, "cache"));
  await saveTuning(store, { device, choices });
  writeFileSync(store.pathOf(key), "{");
  const lines: string[] = [];
  await loadTuning(store, device, (line) => void lines.push(line));
  assert.ok(lines[0]!.startsWith(`Cannot read "${store.pathOf(key)}": it must be JSON`));
});

test("a file of another device is not followed, and says why", async (t) => {
  const path = join(folder, "other.json");
  const other = JSON.parse(readWhole());
  writeFileSync(path, JSON.stringify({ ...other, device: { ...device, driver: "older" } }));
  const write = t.mock.method(process.stderr, "write", () => true);
  assert.equal(await tunedChoices(device, path), undefined);
  assert.match(String(write.mock.calls[0]!.arguments[0]), /not followed: its driver was "older"/);
});

test("--tuning takes a file, nothing, or what is there", async () => {
  const path = join(folder, "whole.json");
  writeFileSync(path, readWhole());
  const tuned = await tunedChoices(device, path);
  assert.deepEqual([...tuned!], [["squares n128", { lanes: 32 }]]);
  assert.equal(await tunedChoices(device, "off"), undefined);
  await assert.rejects(tunedChoices(device, join(folder, "absent.json")), {
    exitCode: EXIT.usage,
    message: /there must be such a file, got none; make it with: tenure tune --tuning/,
  });
});

test("a run's choices are those that were followed, and no others later", async () => {
  const path = join(folder, "followed.json");
  writeFileSync(path, readWhole());
  const other = await openGpu();
  try {
    other.choices = (await tunedChoices(device, path))!;
    assert.deepEqual(followedChoices(other), {});
    assert.deepEqual(choose(other, squares(), { length: 100 }), { lanes: 8 });
    other.choices = (await tunedChoices(device, path))!;
    assert.deepEqual(choose(other, squares(), { length: 100 }), { lanes: 32 });
    assert.deepEqual(followedChoices(other), { "squares n128": { lanes: 32 } });
    assert.deepEqual(choose(other, squares(), { length: 100 }), { lanes: 32 });
  } finally {
    other.destroy();
  }
});

test("a run goes on with its choices on its adapter, and says where bits may differ", () => {
  const record = { device, choices: { "squares n128": { lanes: 16 } } };
  const lines: string[] = [];
  const goOn = (now: typeof device) =>
    choicesToGoOnWith(record, now, (line) => void lines.push(line));
  assert.deepEqual([...goOn(device)!], [["squares n128", { lanes: 16 }]]);
  assert.equal(lines.length, 0);
  assert.equal(goOn({ ...device, driver: "newer" })!.size, 1);
  assert.equal(goOn({ ...device, toggles: ["skip_validation"] })!.size, 1);
  assert.equal(goOn({ ...device, vendor: "another" }), undefined);
  assert.match(lines[0]!, /perhaps not in every bit: its driver was ".*", and is "newer"$/);
  assert.match(lines[1]!, /Dawn's switches were none, and are skip_validation$/);
  assert.match(lines[2]!, /^The run began on another adapter/);
});

/** The text of a store with the choices. */
function readWhole(): string {
  return readFileSync(join(folder, "new", "tuning", `${key}.json`), "utf8");
}
