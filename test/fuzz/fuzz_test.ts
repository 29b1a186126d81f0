import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { test } from "node:test";
import { applyChanges, drawChanges, HEADER_TEXT, WHOLE_TEXT } from "./changes.ts";
import { damagedFiles, drawCase, FuzzFailure, judge, MOST_MS } from "./fuzz_case.ts";
import { type Corpus, KINDS, type Load } from "./kinds.ts";
import { minimize } from "./minimize.ts";
import { randomOf } from "./random.ts";

const NUM_CASES = 60;

const one = new Map([["a.bin", Uint8Array.from({ length: 2000 }, (_, i) => i % 251)]]);

for (const [name, kind] of Object.entries(KINDS)) {
  test(`intact files of ${name} load, and damaged ones load or are refused`, async () => {
    const { small } = await kind.corpus();
    for (const files of small) assert.equal((await judge(kind.load, files)).result, "loaded");
    const results = new Set<string>();
    for (let index = 0; index < NUM_CASES; index++) {
      const files = damagedFiles(drawCase(kind, { small, large: [] }, ["test", name, index]));
      results.add((await judge(kind.load, files)).result);
    }
    assert.ok(results.has("loaded") && results.has("SyntaxError"), [...results].join());
  });
}

test("a case is the same whenever it is drawn, and others are others", () => {
  const corpus: Corpus = { small: [one], large: [] };
  const bytes = (index: number) => {
    const drawn = drawCase({}, corpus, [7, "any", index]);
    return Buffer.from(damagedFiles(drawn).get("a.bin")!).toString("base64");
  };
  assert.equal(bytes(3), bytes(3));
  const different = new Set(Array.from({ length: 200 }, (_, index) => bytes(index)));
  assert.ok(different.size > 150, `${different.size}`);
  assert.equal(one.get("a.bin")!.length, 2000);
});

test("changes of text keep the length before a header true", () => {
  const json = Buffer.from('{"a":{"shape":[1,2]},"b":3}');
  const file = new Uint8Array(8 + json.length + 4);
  new DataView(file.buffer).setBigUint64(0, BigInt(json.length), true);
  file.set(json, 8);
  const random = randomOf("headers");
  let numChanged = 0;
  for (let i = 0; i < 300; i++) {
    const changes = drawChanges(random, HEADER_TEXT).filter(({ name }) =>
      / (token|key)/.test(name),
    );
    const changed = applyChanges(file, changes);
    const length = Number(new DataView(changed.buffer).getBigUint64(0, true));
    assert.equal(changed.length, 8 + length + 4);
    if (changes.length > 0) numChanged++;
  }
  assert.ok(numChanged > 30);
});

test("changes of text reach what JSON readers must refuse", () => {
  const file = Uint8Array.from(Buffer.from('{"a":[1,2,{"b":"c"}],"d":null}'));
  const random = randomOf("json");
  const texts = Array.from({ length: 3000 }, () =>
    Buffer.from(applyChanges(file, drawChanges(random, WHOLE_TEXT))).toString("latin1"),
  );
  for (const wanted of ["__proto__", "[[[[[[[[", "9007199254740993", "\\ud800"]) {
    assert.ok(
      texts.some((text) => text.includes(wanted)),
      wanted,
    );
  }
  const keysTwice = texts.filter((text) => /"d":[^,]+,"d":/.test(text));
  assert.ok(keysTwice.length > 5);
});

test("a case fails that throws anything but a typed error", async () => {
  const errors = [
    new Error("Cannot read"),
    new TypeError("x is undefined"),
    new RangeError("Array"),
  ];
  for (const error of errors) {
    await assert.rejects(
      judge(() => Promise.reject(error), one),
      FuzzFailure,
    );
  }
  const typed: Load = () => Promise.reject(new SyntaxError('Cannot read "a": …, got b'));
  assert.equal((await judge(typed, one)).result, "SyntaxError");
});

test("a case fails that takes too long, too much memory or too many reads", async () => {
  const slow: Load = () => {
    const begin = process.cpuUsage().user; // what counts, however busy the machine is
    while (process.cpuUsage().user - begin < MOST_MS * 1500);
    return Promise.resolve();
  };
  await assert.rejects(judge(slow, one), /it took \d+ ms/);
  const held: Uint8Array[] = [];
  const large: Load = () => Promise.resolve(void held.push(new Uint8Array(2 ** 23).fill(1)));
  await assert.rejects(judge(large, one), /it allocated \d+ bytes for files of 2000/);
  assert.equal((await judge(large, one, 2 ** 23)).result, "loaded"); // as much as intact
  const again: Load = async (folder) => {
    const source = (await folder.open("a.bin"))!;
    for (let i = 0; i < 4; i++) await source.read(0, source.size);
  };
  await assert.rejects(judge(again, one), /it read 8000 bytes of files of 2000/);
});

test("minimize() leaves the byte that matters", async () => {
  const drawn = {
    files: one,
    target: "a.bin",
    changes: [
      { name: "harmless", apply: (bytes: Uint8Array<ArrayBuffer>) => bytes.map((b) => b ^ 1) },
      { name: "wrong", apply: (bytes: Uint8Array<ArrayBuffer>) => bytes.fill(255, 700, 701) },
    ],
  };
  const bytes = await minimize(drawn, async (files) => files.get("a.bin")!.includes(255));
  assert.deepEqual([...bytes], [255]);
});

test("npm run fuzz prints a table, and refuses kinds that it does not know", () => {
  const run = (...args: string[]) =>
    execFileSync(process.execPath, ["--import", "tsx", "test/fuzz/main.ts", ...args], {
      encoding: "utf8",
      stdio: ["ignore", "pipe", "pipe"],
    });
  const output = run("--runs", "30", "--kind", "llama2c", "--seed", "5");
  assert.match(output, /^llama2c +30 +0 /m);
  assert.throws(() => run("--kind", "exe"), /Cannot fuzz "exe"/);
});
