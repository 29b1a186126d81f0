import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import {
  cpSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  truncateSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import {
  checkpointName,
  latestCheckpoint,
  listCheckpoints,
  loadCheckpoint,
  pruneCheckpoints,
  removeCheckpoint,
  saveCheckpoint,
  setAsideAfter,
} from "../../cli/platform/checkpoints.ts";
import { CliError, EXIT } from "../../cli/platform/errors.ts";
import { type ExportedFile, fileOf } from "../../model/checkpoint/exported_file.ts";
import { countingWeights, LLAMA } from "../checkpoint/arbitrary_model.ts";
import { type Checkpoint, encodeCheckpoint, valuesOf } from "../checkpoint/whole_checkpoint.ts";
import { type Fault, type FaultReport, losePower, withFaults } from "./fault_injection.ts";

const root = mkdtempSync(join(tmpdir(), "tenure-checkpoints-"));
after(() => rmSync(root, { recursive: true }));

let numFolders = 0;

function emptyFolder(): string {
  const folder = join(root, `run-${numFolders++}`);
  mkdirSync(folder);
  return folder;
}

/** A checkpoint of a step; its first weight tells it from all others. */
function checkpointOf(step: number, mark = step, best?: number): Checkpoint {
  const weights = countingWeights(LLAMA);
  weights.get("model.embed_tokens.weight")![0] = mark;
  return {
    config: LLAMA,
    weights,
    trainer: {
      step,
      epoch: 0,
      log: [],
      ...(best === undefined ? {} : { best: { metric: 1, checkpoint: checkpointName(best) } }),
      state: { seed: 3 },
      optimizer: { m: countingWeights(LLAMA), v: countingWeights(LLAMA) },
    },
  };
}

/** Files of a checkpoint. */
async function filesOf(checkpoint: Checkpoint): Promise<ExportedFile[]> {
  const files = await encodeCheckpoint(checkpoint);
  return Array.from(files, ([name, bytes]) => fileOf(name, bytes));
}

async function save(folder: string, step: number, mark = step, best?: number): Promise<string> {
  const files = await filesOf(checkpointOf(step, mark, best));
  return saveCheckpoint(folder, checkpointName(step), files);
}

/** Reads all of a checkpoint. */
async function load(path: string): Promise<Checkpoint> {
  const { model, trainer } = await loadCheckpoint(path);
  const weights = await valuesOf(model);
  const { moment, ...record } = trainer!;
  const optimizer = { m: new Map(weights), v: new Map(weights) };
  for (const label of weights.keys()) {
    optimizer.m.set(label, await moment(label, "m"));
    optimizer.v.set(label, await moment(label, "v"));
  }
  return { config: model.config, weights, trainer: { ...record, optimizer } };
}

function markOf({ weights }: Checkpoint): number {
  return weights.get("model.embed_tokens.weight")![0]!;
}

/** The mark of the checkpoint that a run would go on from, all of which is checked. */
async function latestMark(folder: string): Promise<number> {
  const latest = await latestCheckpoint(folder);
  const checkpoint = await load(latest!.path);
  assert.deepEqual(checkpoint, checkpointOf(latest!.step, markOf(checkpoint)));
  return markOf(checkpoint);
}

function hiddenIn(folder: string): string[] {
  return readdirSync(folder).filter((name) => name.startsWith("."));
}

test("loadCheckpoint() gives back what saveCheckpoint() was given", async () => {
  const folder = join(emptyFolder(), "not", "made", "yet");
  const path = await save(folder, 40, 5);
  assert.equal(path, join(folder, "checkpoint-40"));
  assert.deepEqual(readdirSync(folder), ["checkpoint-40"]);
  assert.deepEqual(await load(path), checkpointOf(40, 5));
  assert.equal((await loadCheckpoint(path, { trainer: false })).trainer, undefined);
});

test("latestCheckpoint() is the highest step by number, and none in an empty or missing folder", async () => {
  const folder = emptyFolder();
  assert.equal(await latestCheckpoint(folder), undefined);
  assert.equal(await latestCheckpoint(join(folder, "none")), undefined);
  for (const step of [9, 100, 20]) await save(folder, step);
  mkdirSync(join(folder, "checkpoint-999x"));
  assert.deepEqual(await latestCheckpoint(folder), {
    path: join(folder, "checkpoint-100"),
    step: 100,
    skipped: [],
  });
  assert.deepEqual(
    await listCheckpoints(folder),
    [100, 20, 9].map((step) => join(folder, `checkpoint-${step}`)),
  );
});

/** Damage to a checkpoint, and what is said of it. */
const DAMAGE: readonly (readonly [string, (path: string) => void, RegExp])[] = [
  [
    "a flipped bit",
    (path) => {
      const file = join(path, "optimizer.safetensors");
      const bytes = readFileSync(file);
      bytes[bytes.length - 1]! ^= 1;
      writeFileSync(file, bytes);
    },
    /optimizer\.safetensors" must have the SHA-256 it was saved with, got another$/,
  ],
  [
    "a shortened file",
    (path) => truncateSync(join(path, "model.safetensors"), 99),
    /model\.safetensors" must have \d+ bytes, got 99$/,
  ],
  ["a missing file", (path) => rmSync(join(path, "config.json")), /config\.json/],
  ["no manifest", (path) => rmSync(join(path, "MANIFEST.json")), /MANIFEST\.json": the file must/],
  [
    "half a manifest",
    (path) => truncateSync(join(path, "MANIFEST.json"), 50),
    /MANIFEST\.json": it must be JSON, got /,
  ],
];

for (const [what, damage, message] of DAMAGE) {
  test(`latestCheckpoint() passes over a checkpoint with ${what}, and says so`, async () => {
    const folder = emptyFolder();
    await save(folder, 1);
    damage(await save(folder, 2));
    const { step, skipped } = (await latestCheckpoint(folder))!;
    assert.equal(step, 1);
    assert.equal(skipped.length, 1);
    assert.match(skipped[0]!, message);
    await removeCheckpoint(join(folder, "checkpoint-1"));
    await assert.rejects(latestCheckpoint(folder), {
      exitCode: EXIT.checkpoint,
      message: /^Cannot go on from ".*": a checkpoint must be whole, got none; /,
    });
  });
}

/** Dies at every operation of `work` in a copy of `folder`, in several ways, and checks each. */
async function dieEverywhere(
  folder: string,
  work: (copy: string) => Promise<unknown>,
  check: (copy: string, report: FaultReport, fault: Fault) => Promise<void>,
  kinds: readonly Fault["kind"][] = ["death"],
): Promise<number> {
  const copyOf = () => {
    const copy = emptyFolder();
    cpSync(folder, copy, { recursive: true });
    return copy;
  };
  const whole = await withFaults(() => work(copyOf()));
  assert.equal(whole.error, undefined);
  const numOperations = whole.operations.length;
  for (const kind of kinds) {
    for (let at = 0; at < numOperations; at++) {
      for (const share of kind === "death" ? [0, 0.5, 1] : [0.5]) {
        const copy = copyOf();
        const report = await withFaults(() => work(copy), { at, share, kind });
        assert.ok(report.operations.length > at);
        if (kind === "death") losePower(copy, report);
        await check(copy, report, { at, share, kind });
        rmSync(copy, { recursive: true });
      }
    }
  }
  return numOperations;
}

test("death at any write, flush or rename of a save leaves a whole checkpoint", async () => {
  const folder = emptyFolder();
  await save(folder, 10);
  const marks = new Set<number>();
  const numOperations = await dieEverywhere(
    folder,
    (copy) => save(copy, 20),
    async (copy, { operations }) => {
      marks.add(
        await latestMark(copy).catch((error: unknown) => {
          throw new Error(`after death in: ${operations.at(-1)}`, { cause: error });
        }),
      );
      await save(copy, 30); // whoever comes next finds its way, and cleans up
      assert.equal(await latestMark(copy), 30);
      assert.deepEqual(hiddenIn(copy), []);
    },
  );
  assert.deepEqual(marks, new Set([10, 20]));
  assert.ok(numOperations > 25, `only ${numOperations} operations were seen`);
});

test("death while replacing the only checkpoint leaves the old one or the new one", async () => {
  const folder = emptyFolder();
  await save(folder, 20, 1);
  const marks = new Set<number>();
  await dieEverywhere(
    folder,
    (copy) => save(copy, 20, 2),
    async (copy, { operations }) => {
      const path = join(copy, "checkpoint-20");
      marks.add(
        await latestMark(copy).catch((error: unknown) => {
          throw new Error(`after death in: ${operations.at(-1)}`, { cause: error });
        }),
      );
      assert.equal(markOf(await load(path)), await latestMark(copy));
      await save(copy, 20, 3);
      assert.deepEqual([await latestMark(copy), readdirSync(copy)], [3, ["checkpoint-20"]]);
    },
  );
  assert.deepEqual(marks, new Set([1, 2]));
});

test("a disk that refuses any one operation of a save leaves the old checkpoint, and says so", async () => {
  const folder = emptyFolder();
  await save(folder, 20, 1);
  await dieEverywhere(
    folder,
    (copy) => save(copy, 20, 2),
    async (copy, { error }) => {
      const mark = await latestMark(copy);
      if (error === undefined) assert.equal(mark, 2);
      else {
        assert.ok(error instanceof CliError);
        assert.match(error.message, /^Cannot write ".*": the (disk must|system must)/);
        assert.equal(error.exitCode, EXIT.failure);
      }
      assert.equal(markOf(await load(join(copy, "checkpoint-20"))), mark);
      await save(copy, 20, 3);
      assert.deepEqual([await latestMark(copy), readdirSync(copy)], [3, ["checkpoint-20"]]);
    },
    ["ENOSPC", "EIO", "EROFS"],
  );
});

test("death while old checkpoints are removed leaves each of them whole or gone", async () => {
  const folder = emptyFolder();
  for (const step of [1, 2, 3]) await save(folder, step);
  await dieEverywhere(
    folder,
    (copy) => pruneCheckpoints(copy, 1),
    async (copy) => {
      assert.equal(await latestMark(copy), 3);
      for (const path of await listCheckpoints(copy)) await loadCheckpoint(path);
      await pruneCheckpoints(copy, 1);
      await save(copy, 4);
      assert.deepEqual(readdirSync(copy).toSorted(), ["checkpoint-3", "checkpoint-4"]);
    },
  );
});

test("kill -9 at any moment leaves a whole checkpoint", async () => {
  const folder = emptyFolder();
  await save(folder, 0);
  const program = `
    import { saveCheckpoint } from "./cli/platform/checkpoints.ts";
    import { encodeCheckpoint } from "./test/checkpoint/whole_checkpoint.ts";
    import { fileOf } from "./model/checkpoint/exported_file.ts";
    import { countingWeights, LLAMA } from "./test/checkpoint/arbitrary_model.ts";
    const config = { ...LLAMA, vocabSize: 20000 };
    const content = await encodeCheckpoint({ config, weights: countingWeights(config) });
    for (let step = Number(process.argv[1]); ; step++) {
      const files = Array.from(content, ([name, bytes]) => fileOf(name, bytes));
      await saveCheckpoint(process.argv[2], "checkpoint-" + step, files);
      process.stdout.write(step + "\\n");
    }`;
  let next = 1;
  for (const delayMs of [0, 3, 7, 12]) {
    const child = spawn(
      process.execPath,
      ["--import", "tsx", "--input-type=module", "-e", program, String(next), folder],
      { stdio: ["ignore", "pipe", "inherit"] },
    );
    const ended = once(child, "exit");
    let output = "";
    child.stdout.setEncoding("utf8").on("data", (text: string) => (output += text));
    await Promise.race([once(child.stdout, "data"), ended]);
    await new Promise((resolve) => setTimeout(resolve, delayMs));
    child.kill("SIGKILL");
    await ended;
    const reported = Number(output.trim().split("\n").at(-1));
    assert.ok(reported >= next, "the child saved nothing");
    const { step, path, skipped } = (await latestCheckpoint(folder))!;
    assert.ok(step >= reported, `saved ${reported}, found ${step}`);
    assert.deepEqual(skipped, []);
    await loadCheckpoint(path);
    next = step + 1;
  }
  await save(folder, next);
  assert.deepEqual(hiddenIn(folder), []);
});

test("pruneCheckpoints() keeps the newest few and the best", async () => {
  const folder = emptyFolder();
  for (const step of [10, 20, 30, 40]) await save(folder, step);
  await save(folder, 50, 50, 20);
  assert.deepEqual(await pruneCheckpoints(folder, 5), []);
  assert.deepEqual(
    await pruneCheckpoints(folder, 2),
    [30, 10].map((step) => join(folder, `checkpoint-${step}`)),
  );
  const left = ["checkpoint-20", "checkpoint-40", "checkpoint-50"];
  assert.deepEqual(readdirSync(folder).toSorted(), left);
  await assert.rejects(pruneCheckpoints(folder, 0), /at least 1 must be kept, got 0$/);
});

test("pruneCheckpoints() does not count damaged checkpoints", async () => {
  const folder = emptyFolder();
  for (const step of [1, 2, 3]) await save(folder, step);
  truncateSync(join(folder, "checkpoint-3", "model.safetensors"), 10);
  await pruneCheckpoints(folder, 1);
  assert.deepEqual(readdirSync(folder).toSorted(), ["checkpoint-2", "checkpoint-3"]);
});

test("pruneCheckpoints() keeps the one just written, and the best by it, below later ones", async () => {
  const folder = emptyFolder();
  await save(folder, 10);
  await save(folder, 15);
  await save(folder, 30, 30, 30);
  await save(folder, 40, 40, 30);
  const written = await save(folder, 20, 20, 10);
  assert.deepEqual(await pruneCheckpoints(folder, 1, written), [
    join(folder, "checkpoint-30"),
    join(folder, "checkpoint-15"),
  ]);
});

test("setAsideAfter() leaves checkpoints up to the step, and loses none behind it", async () => {
  const folder = emptyFolder();
  assert.deepEqual(await setAsideAfter(join(folder, "none"), 1), []);
  for (const step of [1, 2, 3]) await save(folder, step);
  renameSync(join(folder, "checkpoint-3"), join(folder, ".checkpoint-3.old"));
  const aside = (name: string) => join(folder, `set-aside-checkpoint-${name}`);
  assert.deepEqual(await setAsideAfter(folder, 1), [aside("3"), aside("2")]);
  assert.equal(await latestMark(folder), 1);
  await save(folder, 2, 22);
  assert.deepEqual(await setAsideAfter(folder, 1), [aside("2-2")]);
  assert.deepEqual(
    await Promise.all(["3", "2", "2-2"].map(async (name) => markOf(await load(aside(name))))),
    [3, 2, 22],
  );
  assert.equal(await latestMark(folder), 1);
});

test("loadCheckpoint() says what is wrong with a path, and exits with the checkpoints' code", async () => {
  const folder = emptyFolder();
  const path = await save(folder, 1);
  const rejects = async (wrong: string, message: RegExp) =>
    assert.rejects(loadCheckpoint(wrong), { name: "CliError", exitCode: EXIT.checkpoint, message });
  await rejects(
    join(folder, "none"),
    /^Cannot read ".*none": .* must be a folder that exists, got no such folder$/,
  );
  await rejects(join(path, "config.json"), /got no folder to list$/);
  await rejects(folder, /got the folder of a run; name a checkpoint, as in ".*checkpoint-1"$/);
  await rejects(emptyFolder(), /config\.json must be there, got none$/);
  renameSync(join(path, "model.safetensors"), join(path, "pytorch_model.bin"));
  await rejects(path, /weights must be in model\.safetensors, got pytorch_model\.bin$/);
});

test("loadCheckpoint() of a damaged file names it with its folder", async () => {
  const path = await save(emptyFolder(), 1);
  writeFileSync(join(path, "config.json"), "{}");
  await assert.rejects(loadCheckpoint(path), {
    exitCode: EXIT.checkpoint,
    message: new RegExp(`^Cannot read "${path}/config\\.json": it must have \\d+ bytes as when`),
  });
});
