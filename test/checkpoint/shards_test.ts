import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { encodeSafetensors, type StoredTensor } from "../../model/checkpoint/safetensors.ts";
import { openWeights } from "../../model/checkpoint/shards.ts";
import type { JsonObject } from "../../model/checkpoint/strict_json.ts";
import { type Files, folderOf, jsonBytes } from "./memory_files.ts";

const INDEX = "model.safetensors.index.json";
const ONE = "model-00001-of-00002.safetensors";
const TWO = "model-00002-of-00002.safetensors";

function tensor(value: number): StoredTensor {
  return { dtype: "BF16", shape: [2], bytes: new Uint8Array(4).fill(value) };
}

const CONTENTS: readonly (readonly [string, ReadonlyMap<string, StoredTensor>])[] = [
  [
    ONE,
    new Map([
      ["a", tensor(1)],
      ["b", tensor(2)],
    ]),
  ],
  [TWO, new Map([["c", tensor(3)]])],
];

const MAP: JsonObject = { a: ONE, b: ONE, c: TWO };

/** Two shards and an index. */
function filesWith(index: JsonObject, map: JsonObject = MAP): Files {
  const files: Files = new Map(
    CONTENTS.map(([name, tensors]) => [name, encodeSafetensors(tensors)]),
  );
  return files.set(INDEX, jsonBytes({ weight_map: map, ...index }));
}

const WHOLE = filesWith({ metadata: { total_size: 12 } });

test("openWeights() finds every tensor in its shard", async () => {
  const { name, tensors } = await openWeights(folderOf(WHOLE));
  assert.equal(name, INDEX);
  const list = await Promise.all(
    Array.from(tensors, async ([key, found]) => [key, found.file, (await found.read())[0]]),
  );
  assert.deepEqual(list, [
    ["a", ONE, 1],
    ["b", ONE, 2],
    ["c", TWO, 3],
  ]);
});

test("openWeights() takes an index whatever it says of the total size, as headers prove it", async () => {
  for (const metadata of [{}, null, { total_size: 13 }, { total_size: "12" }, { total_size: -1 }]) {
    const { tensors } = await openWeights(folderOf(filesWith({ metadata })));
    assert.equal(tensors.size, 3, JSON.stringify(metadata));
  }
  assert.equal((await openWeights(folderOf(filesWith({})))).tensors.size, 3);
});

test("openWeights() takes one file before an index", async () => {
  const both = new Map(WHOLE).set("model.safetensors", WHOLE.get(TWO)!);
  assert.deepEqual([...(await openWeights(folderOf(both))).tensors.keys()], ["c"]);
});

/** What is wrong with the files, and what the error must say. */
const REFUSED: readonly (readonly [string, Files, RegExp])[] = [
  ["no map", filesWith({ weight_map: null }), /weight_map must be an object, got null$/],
  ["a list as the map", filesWith({ weight_map: [] }), /weight_map must be an object, got \[\]$/],
  ...["../model.safetensors", "/etc/a.safetensors", "x/a.safetensors", "x\\a.safetensors"].map(
    (name): [string, Files, RegExp] => [
      `a shard named ${name}`,
      filesWith({}, { ...MAP, c: name }),
      /be plain, without folders, got .* for tensor "c"$/,
    ],
  ),
  ...["..", "", ".safetensors", "a.bin", "a.safetensors/", "a\0.safetensors", 3, null].map(
    (name): [string, Files, RegExp] => [
      `a shard named ${JSON.stringify(name)}`,
      filesWith({}, { ...MAP, c: name }),
      /names of shards must end in \.safetensors and be plain/,
    ],
  ),
  [
    "a missing shard",
    new Map([...WHOLE].filter(([name]) => name !== TWO)),
    /shard "model-00002-of-00002\.safetensors" must be beside it, got no such file$/,
  ],
  [
    "a tensor that is not in its shard",
    filesWith({}, { ...MAP, d: TWO }),
    /tensor "d" must be in "model-00002-of-00002\.safetensors", got none$/,
  ],
  [
    "a tensor that is listed in another shard",
    filesWith({}, { a: ONE, b: TWO, c: TWO }),
    /tensor "b" must be only where it is listed, model-00002\S*, got one in "model-00001/,
  ],
  [
    "a tensor that is not listed",
    filesWith({}, { a: ONE, c: TWO }),
    /tensor "b" must be only where it is listed, nowhere, got one in "model-00001/,
  ],
  [
    "a tensor in two shards",
    new Map(WHOLE).set(TWO, encodeSafetensors(new Map([...CONTENTS[1]![1], ["a", tensor(9)]]))),
    /tensor "a" must be only where it is listed, model-00001\S*, got one in "model-00002/,
  ],
  [
    "a tensor listed twice",
    new Map(WHOLE).set(INDEX, new TextEncoder().encode(`{"weight_map":{"a":"${ONE}","a":"x"}}`)),
    /keys must be unique, got "a"$/,
  ],
];

for (const [what, files, message] of REFUSED) {
  test(`openWeights() refuses ${what}`, async () => {
    const folder = folderOf(files);
    await assert.rejects(openWeights(folder), (error) => {
      assert.ok(error instanceof SyntaxError);
      assert.match(error.message, /^Cannot read "model\.safetensors\.index\.json": /);
      assert.match(error.message, message);
      return true;
    });
  });
}

test("openWeights() of a broken shard names the shard", async () => {
  const files = new Map(WHOLE).set(TWO, new Uint8Array(3));
  await assert.rejects(openWeights(folderOf(files)), {
    name: "SyntaxError",
    message: `Cannot read "${TWO}": a safetensors file has at least 8 bytes, got 3`,
  });
});

test("openWeights() of an index beyond 100 MB reads none of it", async () => {
  const folder = folderOf(WHOLE);
  const huge = {
    name: "folder",
    async open(name: string) {
      const source = await folder.open(name);
      return source && { ...source, size: 100_000_001 };
    },
  };
  await assert.rejects(openWeights(huge), /at most 100000000 bytes, got 100000001$/);
  assert.deepEqual(folder.reads, []);
});

test("openWeights() of files with changed bytes is a typed error or tensors within them", async () => {
  const names = [...WHOLE.keys()];
  let numRead = 0;
  await fc.assert(
    fc.asyncProperty(fc.constantFrom(...names), fc.nat(), fc.nat(255), async (name, at, byte) => {
      const bytes = WHOLE.get(name)!.slice();
      bytes[at % bytes.length] = byte;
      const files = new Map(WHOLE).set(name, bytes);
      try {
        const { tensors } = await openWeights(folderOf(files));
        for (const part of tensors.values()) assert.equal((await part.read()).length, part.size);
        numRead++;
      } catch (error) {
        assert.ok(error instanceof SyntaxError, String(error));
        assert.match(error.message, /^Cannot read "/);
      }
    }),
    { numRuns: 2000 },
  );
  assert.ok(numRead > 20 && numRead < 1980, `${numRead} of 2000 were read`);
});
