import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { hash32, Random } from "../../data/mod.ts";

test("hash32() is MurmurHash3", () => {
  const vectors: readonly (readonly [string, number, number])[] = [
    ["", 0, 0],
    ["", 1, 0x514e28b7],
    ["", 0xffffffff, 0x81f16f39],
    ["abc", 0, 0xb3dd93fa],
    ["aaaa", 0x9747b28c, 0x5a97808a],
    ["test", 0, 0xba6bd213],
    ["Hello, world!", 0, 0xc0363e43],
    ["The quick brown fox jumps over the lazy dog", 0, 0x2e4ff723],
  ];
  for (const [text, seed, hash] of vectors) assert.equal(hash32(text, seed), hash, text);
});

test("Random is xoshiro128** as its authors define it, in 64-bit integers", () => {
  const mask = 0xffffffffn;
  const rotl = (x: bigint, k: bigint): bigint => ((x << k) | (x >> (32n - k))) & mask;
  fc.assert(
    fc.property(
      fc.array(fc.nat({ max: 0xffffffff }), { minLength: 4, maxLength: 4 }),
      ([a = 0, b = 0, c = 0, d = 0]) => {
        const random = new Random([a, b, c, d | 1]);
        let [s0, s1, s2, s3] = [BigInt(a), BigInt(b), BigInt(c), BigInt((d | 1) >>> 0)];
        for (let i = 0; i < 50; i++) {
          const expected = (rotl((s1 * 5n) & mask, 7n) * 9n) & mask;
          const t = (s1 << 9n) & mask;
          s2 ^= s0;
          s3 ^= s1;
          s1 ^= s2;
          s0 ^= s3;
          s2 ^= t;
          s3 = rotl(s3, 11n);
          assert.equal(random.uint32(), Number(expected));
        }
      },
    ),
  );
});

test("a stored state continues the stream, and keys name independent streams", () => {
  const random = Random.from(7, "a");
  random.uint32();
  const copy = new Random(random.state);
  assert.deepEqual([copy.uint32(), copy.uint32()], [random.uint32(), random.uint32()]);
  const first = [Random.from(7), Random.from(8), Random.from(7, 0), Random.from("7")];
  assert.equal(new Set(first.map((each) => each.uint32())).size, first.length);
  assert.throws(() => new Random([0, 0, 0, 0]), RangeError);
});

test("below() and uniform() stay in range and are even", () => {
  const random = Random.from(1);
  const counts = [0, 0, 0, 0, 0, 0];
  let sum = 0;
  for (let i = 0; i < 60_000; i++) {
    counts[random.below(6)]!++;
    const u = random.uniform();
    assert.ok(u >= 0 && u < 1);
    sum += u;
  }
  for (const count of counts) assert.ok(Math.abs(count - 10_000) < 500, String(counts)); // 5.5 sd
  assert.ok(Math.abs(sum / 60_000 - 0.5) < 0.007); // 6 sd
  for (const bound of [0, -1, 1.5, Number.NaN, 2 ** 33]) {
    assert.throws(() => random.below(bound), RangeError);
  }
});

test("shuffle() keeps the items and reaches every order equally often", () => {
  const random = Random.from(3);
  const counts = new Map<string, number>();
  for (let i = 0; i < 6000; i++) {
    const order = random.shuffle(["a", "b", "c"]).join("");
    counts.set(order, (counts.get(order) ?? 0) + 1);
  }
  assert.equal(counts.size, 6);
  for (const count of counts.values()) assert.ok(Math.abs(count - 1000) < 160); // 5.5 sd
});
