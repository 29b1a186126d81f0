import assert from "node:assert/strict";
import {
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  truncateSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { gzipSync } from "node:zlib";
import fc from "fast-check";
import { EXIT } from "../../cli/platform/errors.ts";
import { openFile, writeAtomically } from "../../cli/platform/files.ts";

const folder = mkdtempSync(join(tmpdir(), "tenure-files-"));
after(() => rmSync(folder, { recursive: true }));

async function collect(stream: ReadableStream<Uint8Array<ArrayBuffer>>): Promise<Buffer> {
  const chunks: Uint8Array[] = [];
  for await (const chunk of stream) chunks.push(chunk);
  return Buffer.concat(chunks);
}

// Empty; shorter than the magic bytes; text; more than one chunk of 64 KiB, and ragged.
const CONTENTS = [
  Buffer.alloc(0),
  Buffer.of(0x1f),
  Buffer.from("id\tyear\n"),
  Buffer.from("0123456789abcdef".repeat(20_000) + "end"),
];

for (const bytes of CONTENTS) {
  test(`openFile() reads ${bytes.length} bytes back, plain and gzipped`, async () => {
    const path = join(folder, `plain-${bytes.length}`);
    writeFileSync(path, bytes);
    assert.ok((await collect(await openFile(path))).equals(bytes));
    writeFileSync(path, gzipSync(bytes));
    assert.ok((await collect(await openFile(path))).equals(bytes));
  });
}

test("openFile() of truncated gzip data says so, and exits with data's code", async () => {
  const path = join(folder, "short.gz");
  writeFileSync(path, gzipSync(CONTENTS[3]!));
  truncateSync(path, 200);
  await assert.rejects(async () => collect(await openFile(path)), {
    exitCode: EXIT.data,
    message: /^Cannot read ".*short\.gz": its gzip data must be whole, got /,
  });
});

test("openFile() names a missing file, a folder and a file where a folder must be", async () => {
  const file = join(folder, "file");
  writeFileSync(file, "x");
  const cases = [
    [join(folder, "none"), "the file must exist, got no such file"],
    [folder, "it must be a file, got a folder"],
    [join(file, "x"), "each part of the path but the last must be a folder, got a file"],
  ] as const;
  for (const [path, reason] of cases) {
    await assert.rejects(openFile(path), {
      exitCode: EXIT.data,
      message: `Cannot read "${path}": ${reason}`,
    });
  }
});

test("openFile() closes the file of a stream that is canceled early", async () => {
  const path = join(folder, "large");
  writeFileSync(path, CONTENTS[3]!);
  const numOpen = (): number => readdirSync("/proc/self/fd").length;
  if (process.platform !== "linux") return;
  const before = numOpen();
  for (let i = 0; i < 20; i++) {
    const reader = (await openFile(path)).getReader();
    await reader.read();
    await reader.cancel();
  }
  assert.ok(numOpen() <= before, `expected at most ${before} open files, got ${numOpen()}`);
});

test("writeAtomically() writes what openFile() reads", async () => {
  const path = join(folder, "round-trip");
  await fc.assert(
    fc.asyncProperty(fc.array(fc.uint8Array({ maxLength: 300 })), async (chunks) => {
      await writeAtomically(path, chunks);
      const all = Buffer.concat(chunks);
      const isGzip = all[0] === 0x1f && all[1] === 0x8b;
      assert.ok(isGzip || (await collect(await openFile(path))).equals(all));
    }),
    { numRuns: 25 },
  );
});

test("writeAtomically() that fails midway keeps the old file and leaves no other", async () => {
  const path = join(mkdtempSync(join(folder, "kept-")), "weights");
  await writeAtomically(path, "old");
  async function* broken(): AsyncGenerator<string> {
    yield "new, but not wh";
    throw new RangeError("Cannot go on: the test must fail here, got there");
  }
  await assert.rejects(writeAtomically(path, broken()), RangeError);
  assert.equal(readFileSync(path, "utf8"), "old");
  assert.deepEqual(readdirSync(join(path, "..")), ["weights"]);
});

test("writeAtomically() into a missing folder names the folder", async () => {
  const path = join(folder, "none", "weights");
  await assert.rejects(writeAtomically(path, "x", EXIT.checkpoint), {
    exitCode: EXIT.checkpoint,
    message: `Cannot write "${path}": the folder must exist, got no folder "${join(folder, "none")}"`,
  });
});
