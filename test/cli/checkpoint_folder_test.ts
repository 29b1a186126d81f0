import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { latestCheckpoint, saveCheckpoint } from "../../cli/platform/checkpoints.ts";
import { type Checkpoint, encodeCheckpoint } from "../../model/checkpoint/checkpoint.ts";
import { type ExportedFile, fileOf } from "../../model/checkpoint/exported_file.ts";
import { countingWeights, LLAMA } from "../checkpoint/arbitrary_model.ts";
import { temporaryFolder } from "./run_support.ts";

const root = temporaryFolder();

let numFolders = 0;

const emptyFolder = () => join(root, `run-${numFolders++}`);

const CHECKPOINT: Checkpoint = {
  config: LLAMA,
  weights: countingWeights(LLAMA),
  trainer: {
    step: 3,
    state: { seed: 3 },
    optimizer: { m: countingWeights(LLAMA), v: countingWeights(LLAMA) },
  },
};

/** Files of the checkpoint, without the manifest, which saving adds. */
async function files(): Promise<ExportedFile[]> {
  const content = await encodeCheckpoint(CHECKPOINT);
  return Array.from(content, ([name, bytes]) => fileOf(name, bytes)).slice(0, -1);
}

test("saveCheckpoint() refuses a manifest of others, names with folders, and a wrong length", async () => {
  const own = await files();
  const manifest = fileOf("MANIFEST.json", new Uint8Array(2));
  await assert.rejects(saveCheckpoint(root, "checkpoint-1", [...own, manifest]), TypeError);
  await assert.rejects(saveCheckpoint(root, "../checkpoint-1", own), TypeError);
  const folder = emptyFolder();
  const short = { ...fileOf("config.json", new Uint8Array(2)), size: 3 };
  await assert.rejects(saveCheckpoint(folder, "checkpoint-1", [short]), {
    name: "RangeError",
    message: 'Cannot write "config.json": it must have 3 bytes, got 2',
  });
  assert.deepEqual(readdirSync(folder), []);
});

test("saveCheckpoint() writes what encodeCheckpoint() has, in pieces of any size", async () => {
  const path = await saveCheckpoint(emptyFolder(), "checkpoint-3", await files());
  const whole = await encodeCheckpoint(CHECKPOINT);
  assert.deepEqual(readdirSync(path).toSorted(), [...whole.keys()].toSorted());
  for (const [name, bytes] of whole) {
    assert.deepEqual(new Uint8Array(readFileSync(join(path, name))), bytes, name);
  }
  // Pieces below, at and above what is gathered.
  const sizes = [1, 5, 4 << 20, 7, (4 << 20) + 1, 9 << 20, 3, 0, 4 << 20];
  const pieces = sizes.map((size, i) => new Uint8Array(size).fill(i + 1));
  const large: ExportedFile = {
    name: "large.bin",
    size: sizes.reduce((sum, size) => sum + size, 0),
    chunks: (async function* () {
      yield* pieces;
    })(),
  };
  const saved = await saveCheckpoint(emptyFolder(), "checkpoint-1", [large]);
  assert.ok(Buffer.concat(pieces).equals(readFileSync(join(saved, "large.bin"))));
  assert.equal((await latestCheckpoint(join(saved, "..")))!.step, 1);
});
