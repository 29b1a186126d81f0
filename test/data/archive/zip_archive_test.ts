import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { gzipSync, strToU8, zipSync } from "fflate";
import { openInflated, openZip, singleFile, streamOfChunks } from "../../../data/archive/mod.ts";
import { buildZip, inMemory, joined, textOf, type ZipPart } from "./build_zip.ts";

/** Opens a zip of parts, and reads one of them. */
async function readPart(parts: readonly ZipPart[], name = parts[0]!.name): Promise<string> {
  const zip = await openZip(inMemory(buildZip(parts)));
  return textOf(zip.open(name));
}

test("openZip() lists and reads what another program has packed, folders passed over", async () => {
  const content = "R0000100,R0214800\n1,2\n".repeat(1000);
  const zip = await openZip(
    inMemory(
      zipSync({
        "a.csv": strToU8(content),
        extract: { "b.csv": strToU8("x"), "empty.txt": new Uint8Array() },
      }),
    ),
  );
  assert.deepEqual(zip.entries, [
    { name: "a.csv", size: content.length },
    { name: "extract/b.csv", size: 1 },
    { name: "extract/empty.txt", size: 0 },
  ]);
  assert.equal(await textOf(zip.open("a.csv")), content);
  assert.equal(await textOf(zip.open("extract/empty.txt")), "");
  assert.throws(() => zip.open("c.csv"), /"download.zip": the file must be in it, got "c.csv"/);
});

test("openZip() reads stored files, and archives with a comment", async () => {
  const bytes = buildZip([{ name: "a.txt", content: "stored", stored: true }], "a comment");
  const zip = await openZip(inMemory(bytes));
  assert.equal(await textOf(zip.open("a.txt")), "stored");
});

const REFUSED_NAMES: readonly (readonly [string, RegExp])[] = [
  ["../a.csv", /must not lead out of its folder, got "\.\.\/a\.csv"$/],
  ["a/../../b.csv", /must not lead out/],
  ["./a.csv", /must not lead out/],
  ["a//b.csv", /must not lead out/],
  ["/etc/passwd", /must be relative/],
  ["C:/a.csv", /must not begin with a drive/],
  ["a\\b.csv", /separated by "\/"/],
  ["__proto__", /must be a file's/],
  ["a/__proto__/b", /must be a file's/],
  ["a\n.csv", /no control characters/],
  ["a\u202Evsc.csv", /no control characters/],
  ["", /must not be empty/],
];

for (const [name, message] of REFUSED_NAMES) {
  test(`openZip() refuses a file named ${JSON.stringify(name)}`, async () => {
    await assert.rejects(openZip(inMemory(buildZip([{ name }]))), {
      name: "SyntaxError",
      message,
    });
  });
}

const REFUSED_PARTS: readonly (readonly [string, readonly ZipPart[], RegExp])[] = [
  ["one name twice", [{ name: "a" }, { name: "a" }], /once, whatever its case.*twice$/],
  ["names that differ by case", [{ name: "a.csv" }, { name: "A.CSV" }], /whatever its case/],
  ["a folder and a file of one name", [{ name: "a/" }, { name: "a" }], /whatever its case/],
  ["a link", [{ name: "a", content: "/etc/passwd", mode: 0o120777 }], /got a link or a device/],
  ["a device", [{ name: "a", mode: 0o020666 }], /got a link or a device/],
  ["an encrypted file", [{ name: "a", lies: { flags: 1 } }], /must not be encrypted/],
  ["an unknown method", [{ name: "a", lies: { method: 12 } }], /got method 12/],
  ["a stored file of two sizes", [{ name: "a", stored: true, lies: { size: 9 } }], /one size/],
  ["the 64-bit form", [{ name: "a", lies: { size: 0xffffffff } }], /less than 4 GiB/],
  [
    "files that share bytes",
    [
      { name: "a", content: "x".repeat(99) },
      { name: "b", lies: { offset: 0 } },
    ],
    /apart from the next/,
  ],
];

for (const [what, parts, message] of REFUSED_PARTS) {
  test(`openZip() refuses ${what}, naming archive and file`, async () => {
    await assert.rejects(openZip(inMemory(buildZip(parts))), {
      name: "SyntaxError",
      message: new RegExp(`^Cannot read "download.zip" \\("[^"]+"\\): .*${message.source}`),
    });
  });
}

const LYING_PARTS: readonly (readonly [string, ZipPart, RegExp])[] = [
  ["more bytes than it says", { name: "a", content: "abcdef", lies: { size: 3 } }, /got more/],
  ["fewer bytes than it says", { name: "a", content: "abc", lies: { size: 9 } }, /9 bytes, got 3/],
  ["another sum", { name: "a", content: "abc", lies: { crc32: 1 } }, /its sum must be/],
  ["another name in its header", { name: "a", localName: "b" }, /must name the file/],
  [
    "compressed bytes that are cut off",
    { name: "a", content: "abcdefghijklmnop", lies: { compressedSize: 5 } },
    /must be whole, got|bytes, got/,
  ],
];

for (const [what, part, message] of LYING_PARTS) {
  test(`a file of a zip with ${what} fails as it is read`, async () => {
    await assert.rejects(readPart([part]), {
      name: "SyntaxError",
      message: new RegExp(`^Cannot read "download.zip" \\("a"\\): .*(${message.source})`),
    });
  });
}

test("a bomb is refused by its list, and one that lies about its size while it is read", async () => {
  const zeros = new Uint8Array(2 ** 25);
  await assert.rejects(openZip(inMemory(buildZip([{ name: "bomb", content: zeros }]))), {
    name: "RangeError",
    message: /^Cannot read "download.zip" \("bomb"\): it must unfold to at most 250 bytes for each/,
  });
  await assert.rejects(readPart([{ name: "bomb", content: zeros, lies: { size: 1000 } }]), {
    message: /must have 1000 bytes, got more|must unfold to at most 250/,
  });
});

test("budgets of one file, of all files and of their number are kept", async () => {
  const parts = ["a", "b"].map((name) => ({ name, content: "0123456789", stored: true }));
  const bytes = buildZip(parts);
  await assert.rejects(openZip(inMemory(bytes), { maxEntryBytes: 9 }), /a file at most 9 bytes/);
  await assert.rejects(openZip(inMemory(bytes), { maxEntries: 1 }), /at most 1 files, got 2$/);
  const zip = await openZip(inMemory(bytes), { maxTotalBytes: 15 });
  assert.equal(await textOf(zip.open("a")), "0123456789");
  await assert.rejects(textOf(zip.open("b")), /all files together at most 15 bytes/);
});

test("a zip that is cut off anywhere is refused", async () => {
  const bytes = buildZip([{ name: "a.csv", content: "1,2,3\n".repeat(50) }]);
  for (let length = 0; length < bytes.length; length += 7) {
    await assert.rejects(openZip(inMemory(bytes.slice(0, length))), {
      name: "SyntaxError",
      message: /must be a whole zip, got none or the beginning/,
    });
  }
});

test("a zip is read in small parts, never whole", async () => {
  let state = 1;
  const content = Uint8Array.from(
    { length: 2 ** 20 },
    () => (state = (state * 48271) % 2147483647),
  );
  const bytes = buildZip([{ name: "a", content }]);
  const source = inMemory(bytes);
  let largest = 0;
  const zip = await openZip({
    ...source,
    read(begin, end) {
      largest = Math.max(largest, end - begin);
      return source.read(begin, end);
    },
  });
  let length = 0;
  for await (const chunk of zip.open("a")) length += chunk.length;
  assert.equal(length, content.length);
  assert.ok(largest < bytes.length / 4, `${largest} of ${bytes.length} bytes at once`);
});

test("openInflated() opens a gzipped file of a zip, and gives others as they are", async () => {
  const text = "id\n1\n2\n";
  const zip = await openZip(
    inMemory(
      buildZip([
        { name: "a.csv.gz", content: gzipSync(strToU8(text)) },
        { name: "b.csv", content: text },
        { name: "empty", content: "" },
      ]),
    ),
  );
  assert.equal(await textOf(openInflated(zip, "a.csv.gz")), text);
  assert.equal(await textOf(openInflated(zip, "b.csv")), text);
  assert.equal(await textOf(openInflated(zip, "empty")), "");
});

test("openInflated() refuses gzip bombs and gzip that is cut off, naming the file", async () => {
  const single = (bytes: Uint8Array) =>
    singleFile("a.csv.gz", () =>
      streamOfChunks(
        (async function* () {
          yield bytes;
        })(),
      ),
    );
  const bomb = gzipSync(new Uint8Array(2 ** 24));
  await assert.rejects(textOf(openInflated(single(bomb), "a.csv.gz")), {
    name: "RangeError",
    message: /^Cannot read "a.csv.gz": it must unfold to at most 250 bytes/,
  });
  const whole = gzipSync(strToU8("1,2,3\n".repeat(99)));
  await assert.rejects(textOf(openInflated(single(whole.slice(0, -9)), "a.csv.gz")), {
    name: "SyntaxError",
    message: /^Cannot read "a.csv.gz": its gzip data must be whole, got .*download it again/,
  });
});

test("a zip with any bytes changed either reads or gives a typed error", async () => {
  const original = buildZip([
    { name: "a.csv", content: "R0000100,R0214800\n1,2\n2,1\n" },
    { name: "b/c.csv.gz", content: gzipSync(strToU8("x\n")) },
  ]);
  const change = fc.record({
    at: fc.nat(original.length - 1),
    to: fc.integer({ min: 0, max: 255 }),
    cut: fc.integer({ min: 0, max: 20 }),
  });
  await fc.assert(
    fc.asyncProperty(fc.array(change, { minLength: 1, maxLength: 4 }), async (changes) => {
      let bytes = original.slice();
      for (const { at, to, cut } of changes) {
        bytes[at % bytes.length] = to;
        if (cut === 1) bytes = joined([bytes.slice(0, at), bytes.slice(at + 1)]);
      }
      try {
        const zip = await openZip(inMemory(bytes));
        for (const { name } of zip.entries) await textOf(openInflated(zip, name));
      } catch (error) {
        assert.ok(error instanceof SyntaxError || error instanceof RangeError, String(error));
        assert.match(error.message, /^Cannot read "download.zip"/);
      }
    }),
    { numRuns: 500, seed: 5 },
  );
});
