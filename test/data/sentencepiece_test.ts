import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import {
  readLlama2cVocabulary,
  readSentencePiece,
  Tokenizer,
  tokenizerJsonOfVocabulary,
} from "../../data/mod.ts";
import { fixture, noFixtures } from "./fixtures.ts";
import { type Field, message, piece, varint } from "./sentencepiece_file.ts";

const skip = noFixtures;
const PIECES = [piece("<unk>", 0, 2), piece("<s>", 0, 3), piece("</s>", 0, 3), piece("▁a", -1)];

function model(options: { trainer?: Field[]; normalizer?: Field[]; pieces?: Field[] } = {}) {
  const { trainer = [[3, 2]], normalizer = [[4, 0]], pieces = PIECES } = options;
  return Uint8Array.from(message([...pieces, [2, message(trainer)], [3, message(normalizer)]]));
}

test("readSentencePiece() reads pieces, roles and normalization", () => {
  const vocabulary = readSentencePiece(model());
  assert.deepEqual(vocabulary, {
    model: "llama",
    tokens: ["<unk>", "<s>", "</s>", "▁a"],
    scores: Float32Array.of(0, 0, 0, -1),
    tokenTypes: [2, 3, 3, 1],
    bosId: 1,
    eosId: 2,
    unkId: 0,
    addSpacePrefix: true,
    removeExtraSpaces: false,
  });
  const other = readSentencePiece(
    model({
      trainer: [
        [3, 1],
        [41, -1],
        [43, 1],
        [10_000, "unknown to us"],
        [35, 1],
      ],
      normalizer: [
        [1, "nmt_nfkc"],
        [2, [1, 2, 255]],
        [3, 0],
      ],
    }),
  );
  assert.equal(other.model, "t5");
  assert.equal(other.bosId, undefined);
  assert.equal(other.padId, 1);
  assert.equal(other.addSpacePrefix, false);
  assert.equal(other.removeExtraSpaces, true);
  assert.equal(other.charsMap, btoa("\x01\x02\xff"));
});

test("readSentencePiece() refuses what it cannot follow or that is malformed", () => {
  const good = [...model()];
  for (const [bytes, rule] of [
    [model({ trainer: [[3, 3]] }), /must be unigram or bpe, got word/],
    [model({ trainer: [[3, 4]] }), /must be unigram or bpe, got char/],
    [model({ trainer: [[24, 1]] }), /spaces must begin words/],
    [model({ trainer: [[41, 9]] }), /bosId must be below the number of pieces, 4, got 9/],
    [model({ normalizer: [[5, 0]] }), /spaces must be escaped/],
    [
      model({
        normalizer: [
          [1, "nmt_nfkc_cf"],
          [2, [1]],
        ],
      }),
      /got "nmt_nfkc_cf"/,
    ],
    [model({ pieces: [...PIECES, piece("▁a", -2)] }), /token 4 must have a text of its own/],
    [model({ pieces: [...PIECES, piece("", -2)] }), /token 4 must have a text of its own/],
    [model({ pieces: [...PIECES, piece("b", Number.NaN)] }), /score of token 4 must be finite/],
    [model({ pieces: [...PIECES, piece("b", 0, 7)] }), /type must be from 1 to 6, got 7/],
    [model({ pieces: [] }), /must be below the number of pieces/],
    [model({ pieces: [[1, 5]] }), /field 1 must be bytes, got varint/],
    [model({ pieces: [[1, message([[1, 5]])]] }), /field 1 must be bytes, got varint/],
    [model({ pieces: [[1, message([[2, 5]])]] }), /field 2 must be a 32-bit float, got varint/],
    [model({ pieces: [[1, message([[1, [0xff]]])]] }), /must be UTF-8/],
    [Uint8Array.from([...good, 0x0a, 0x7f]), /must end within its message, 0 bytes on, got 127/],
    [Uint8Array.from([...good, 0x0a, ...varint(2 ** 40)]), /must end within its message/],
    [Uint8Array.from([...good, 0x0a, ...varint(-1)]), /must end within its message/],
    [Uint8Array.from([...good, 0x0b]), /wire type 0, 1, 2 or 5, got type 3/],
    [Uint8Array.from([...good, 0x00, 0x00]), /numbered from 1/],
    [Uint8Array.from([...good, 0x80]), /an integer must end within its message/],
    [Uint8Array.from([...good, ...Array.from({ length: 11 }, () => 0x80)]), /at most 10 bytes/],
  ] as const) {
    assert.throws(
      () => readSentencePiece(bytes, "my.model"),
      (error) =>
        error instanceof SyntaxError &&
        error.message.startsWith('Cannot read "my.model": ') &&
        rule.test(error.message),
      String(rule),
    );
  }
});

test("readLlama2cVocabulary() refuses files that do not fit together", { skip }, () => {
  const good = fixture("stories260K/tok512.bin");
  assert.equal(readLlama2cVocabulary(good, { vocabSize: 512 }).tokens.length, 512);
  const changed = (at: number, ...values: number[]) => {
    const bytes = good.slice();
    bytes.set(values, at);
    return bytes;
  };
  for (const [bytes, rule] of [
    [good.subarray(0, 3), /must end within the file/],
    [good.subarray(0, -1), /must end within the file, got its end in 511/],
    [good.subarray(0, 100), /must end within the file|token \d+ must be/],
    [changed(0, 0, 0, 0, 0), /token 0 must have 1 to 0 bytes/],
    [changed(8, 0xff, 0xff, 0xff, 0xff), /token 0 must have 1 to \d+ bytes, got -1/],
    [changed(8, 0xff, 0xff, 0xff, 0x7f), /token 0 must have 1 to \d+ bytes/],
    [changed(4, 0, 0, 0xc0, 0x7f), /score of token 0 must be finite/],
    [changed(12, 0xff), /token 0 must be UTF-8/],
  ] as const) {
    assert.throws(
      () => readLlama2cVocabulary(bytes),
      (error) => error instanceof SyntaxError && rule.test(error.message),
      String(rule),
    );
  }
  assert.throws(
    () => readLlama2cVocabulary(good, { vocabSize: 500 }),
    /must be 500 tokens, got 512/,
  );
});

/** Even over [0, 1), which `fc.double()` is not. */
const fraction = fc.nat({ max: 2 ** 20 - 1 }).map((n) => n / 2 ** 20);

/** Bytes with a few changed, inserted, or cut off. */
const mutations = fc.record({
  edits: fc.array(fc.record({ at: fraction, byte: fc.nat(255) }), { minLength: 1, maxLength: 3 }),
  keep: fc.oneof(fc.constant(1), fraction),
  doubled: fc.boolean(),
});

type Mutation = typeof mutations extends fc.Arbitrary<infer T> ? T : never;

function mutate(good: Uint8Array, { edits, keep, doubled }: Mutation): Uint8Array {
  const bytes = good.slice(0, Math.round(good.length * keep));
  for (const { at, byte } of edits) {
    const i = Math.floor(at * bytes.length);
    if (i < bytes.length) bytes[i] = byte;
  }
  return doubled ? Uint8Array.from([...bytes, ...bytes]) : bytes;
}

function checkTypedOrLoads(load: () => Parameters<typeof tokenizerJsonOfVocabulary>[0]): boolean {
  try {
    const tokenizer = Tokenizer.fromJson(tokenizerJsonOfVocabulary(load()));
    const ids = tokenizer.encode("The cat, a b\n漢", { addSpecialTokens: true });
    for (const id of ids) assert.ok(id < tokenizer.vocabSize);
    tokenizer.decode(ids);
    return true;
  } catch (error) {
    assert.ok(
      error instanceof SyntaxError || error instanceof RangeError || error instanceof TypeError,
      String(error),
    );
    assert.match(error.message, /^Cannot /);
    return false;
  }
}

test("mutated tokenizer.model and tokenizer.bin load or end in a typed error", { skip }, () => {
  const pieces = Array.from({ length: 40 }, (_, i) =>
    piece(`▁${"abc"[i % 3]!.repeat(1 + i / 3)}`, -i),
  );
  const small = model({ pieces: [...PIECES.slice(0, 3), ...pieces] });
  const bin = fixture("stories260K/tok512.bin");
  let loaded = 0;
  assert.ok(checkTypedOrLoads(() => readSentencePiece(small)));
  fc.assert(
    fc.property(mutations, (mutation) => {
      loaded += Number(checkTypedOrLoads(() => readSentencePiece(mutate(small, mutation))));
    }),
    { numRuns: 1500, seed: 6 },
  );
  assert.ok(loaded > 20);
  loaded = 0;
  fc.assert(
    fc.property(mutations, (mutation) => {
      loaded += Number(checkTypedOrLoads(() => readLlama2cVocabulary(mutate(bin, mutation))));
    }),
    { numRuns: 600, seed: 7 },
  );
  assert.ok(loaded > 20);
});
