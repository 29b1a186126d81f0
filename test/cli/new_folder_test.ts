import assert from "node:assert/strict";
import { mkdirSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { EXIT } from "../../cli/platform/errors.ts";
import { writeFolder } from "../../cli/platform/new_folder.ts";
import { type Files, filesOf } from "../checkpoint/memory_files.ts";
import { GPT2, LLAMA } from "../checkpoint/arbitrary_model.ts";
import { exportQuietly, readFiles, writeFiles } from "./export_support.ts";
import { losePower, withFaults } from "./fault_injection.ts";
import { temporaryFolder } from "./run_support.ts";

const folder = temporaryFolder();
const model = writeFiles(join(folder, "model"), await filesOf(LLAMA));
const other = writeFiles(join(folder, "other"), await filesOf(GPT2));

const OPTIONS = { overwrite: true, isReplaceable: (name: string) => /^[ab]$/.test(name) };
const file = (name: string, ...pieces: string[]) => ({ name, chunks: pieces });

test("a folder is replaced only if asked, and only if nothing else is in it", async () => {
  const out = join(folder, "out");
  await exportQuietly({ model, folder: out });
  const before = readFiles(out);
  await assert.rejects(exportQuietly({ model: other, folder: out }), {
    exitCode: EXIT.usage,
    message: `Cannot write "${out}": the folder must be new or empty, got 2 files in it; replace them with --overwrite`,
  });
  assert.deepEqual(readFiles(out), before);
  await exportQuietly({ model: other, folder: out, overwrite: true });
  assert.notDeepEqual(readFiles(out), before);
  writeFileSync(join(out, "thesis.tex"), "");
  await assert.rejects(exportQuietly({ model, folder: out, overwrite: true }), {
    exitCode: EXIT.usage,
    message: /or hold an earlier export alone, got "thesis.tex" in it$/,
  });
  assert.ok(readdirSync(out).includes("thesis.tex"));
  const path = join(out, "thesis.tex");
  await assert.rejects(exportQuietly({ model, folder: path, overwrite: true }), {
    exitCode: EXIT.usage,
    message: /^Cannot write ".*thesis.tex"/,
  });
});

test("what was stopped, or failed on the way, leaves nothing behind", async () => {
  const parent = join(folder, "parent");
  mkdirSync(parent);
  const controller = new AbortController();
  controller.abort();
  const stopped = exportQuietly({ model, folder: join(parent, "x"), signal: controller.signal });
  await assert.rejects(stopped, { name: "AbortError" });
  async function* failing(): AsyncGenerator<string> {
    yield "half of it";
    throw new RangeError("too large");
  }
  const files = [file("a", "whole"), { name: "b", chunks: failing() }];
  await assert.rejects(writeFolder(join(parent, "x"), files, OPTIONS), { message: "too large" });
  assert.deepEqual(readdirSync(parent), []);
});

test("whenever the disk fails or the process dies, the old files or the new ones are whole", async () => {
  const parent = join(folder, "faults");
  const out = join(parent, "out");
  const old: Files = new Map([["a", new TextEncoder().encode("old")]]);
  const written = [file("a", "new ", "and longer"), file("b", "another")];
  const fresh: Files = new Map(
    written.map(({ name, chunks }) => [name, new TextEncoder().encode(chunks.join(""))]),
  );
  for (const kind of ["death", "ENOSPC"] as const) {
    for (let at = 0, isOver = false; !isOver; at++) {
      rmSync(parent, { recursive: true, force: true });
      writeFiles(out, old);
      const report = await withFaults(() => writeFolder(out, written, OPTIONS), {
        at,
        kind,
        share: 0.5,
      });
      isOver = at >= report.operations.length;
      losePower(parent, report);
      const names = readdirSync(parent);
      // Between two renames, the old files are whole under a hidden name.
      const at0 = names.includes("out") ? "out" : names.find((name) => name.endsWith(".old"))!;
      const found = readFiles(join(parent, at0));
      const isOld = found.get("a")!.length === 3;
      assert.deepEqual(found, isOld ? old : fresh, `${kind} at ${report.operations[at]}`);
      if (report.error === undefined) assert.equal(isOld, false);
      // A process that lives on leaves nothing else, unless removing is what failed, or the new
      // files may not be durable yet: then the old ones stay, too.
      const operation = report.operations[at];
      const mayLeave = operation?.startsWith("remove") === true || operation === `sync ${parent}`;
      if (kind !== "death" && !mayLeave) assert.deepEqual(names, ["out"], `at ${operation}`);
    }
  }
});
