import assert from "node:assert/strict";
import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import fc from "fast-check";
import {
  latestCheckpoint,
  loadCheckpoint,
  saveCheckpoint,
} from "../../cli/platform/checkpoints.ts";
import { CliError, EXIT } from "../../cli/platform/errors.ts";
import { type ExportedFile, fileOf } from "../../model/checkpoint/exported_file.ts";
import { countingWeights, LLAMA } from "../checkpoint/arbitrary_model.ts";
import { type Checkpoint, encodeCheckpoint, valuesOf } from "../checkpoint/whole_checkpoint.ts";
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

/** Files of the checkpoint. */
async function files(): Promise<ExportedFile[]> {
  const content = await encodeCheckpoint(CHECKPOINT);
  return Array.from(content, ([name, bytes]) => fileOf(name, bytes));
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

test("saveCheckpoint() writes what it is given and a manifest, in pieces of any size", async () => {
  const path = await saveCheckpoint(emptyFolder(), "checkpoint-3", await files());
  const whole = await encodeCheckpoint(CHECKPOINT);
  assert.deepEqual(readdirSync(path).toSorted(), ["MANIFEST.json", ...whole.keys()].toSorted());
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

test("loadCheckpoint() names the file in which any one bit has changed", async () => {
  const path = await saveCheckpoint(emptyFolder(), "checkpoint-3", await files());
  const names = readdirSync(path).filter((name) => name !== "MANIFEST.json");
  await fc.assert(
    fc.asyncProperty(fc.constantFrom(...names), fc.nat(), fc.nat(7), async (name, at, bit) => {
      const file = join(path, name);
      const content = readFileSync(file);
      const changed = Uint8Array.from(content);
      changed[at % content.length]! ^= 1 << bit;
      writeFileSync(file, changed);
      try {
        await assert.rejects(loadCheckpoint(path), {
          message: `Cannot read "${file}": its SHA-256 must be the one it was saved with, got another; the file is damaged`,
        });
      } finally {
        writeFileSync(file, content);
      }
    }),
  );
});

test("loadCheckpoint() with a changed manifest fails, or reads the same", async () => {
  const path = await saveCheckpoint(emptyFolder(), "checkpoint-3", await files());
  const manifest = readFileSync(join(path, "MANIFEST.json"));
  await fc.assert(
    fc.asyncProperty(fc.nat(manifest.length - 1), fc.nat(255), async (at, byte) => {
      const content = Uint8Array.from(manifest);
      content[at] = byte;
      writeFileSync(join(path, "MANIFEST.json"), content);
      try {
        const { model } = await loadCheckpoint(path);
        assert.deepEqual(model.config, LLAMA);
        assert.deepEqual(await valuesOf(model), CHECKPOINT.weights);
      } catch (error) {
        assert.ok(error instanceof CliError && error.exitCode === EXIT.checkpoint, String(error));
      }
    }),
  );
});

test("loadCheckpoint() refuses a shortened and an unlisted file, and a manifest's names elsewhere", async () => {
  const path = await saveCheckpoint(emptyFolder(), "checkpoint-3", await files());
  const weights = join(path, "model.safetensors");
  const content = readFileSync(weights);
  writeFileSync(weights, content.subarray(1));
  await assert.rejects(loadCheckpoint(path), {
    message: `Cannot read "${weights}": it must have ${content.length} bytes as when it was saved, got ${content.length - 1}`,
  });
  writeFileSync(weights, content);
  const tokenizer = join(path, "tokenizer.json");
  writeFileSync(tokenizer, "{}");
  await assert.rejects(loadCheckpoint(path), {
    message: `Cannot read "${tokenizer}": it must be listed in MANIFEST.json, got a file of unknown origin`,
  });
  for (const name of ["../config.json", "/etc/passwd", "a/b", ".hidden", ""]) {
    const manifest = { format: "tenure-checkpoint", files: { [name]: { bytes: 1, sha256: "" } } };
    writeFileSync(join(path, "MANIFEST.json"), JSON.stringify(manifest));
    await assert.rejects(loadCheckpoint(path), /names of files must be plain, without folders/);
  }
});
