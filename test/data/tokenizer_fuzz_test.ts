import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { Tokenizer, tokenizerJsonOfVocabulary } from "../../data/mod.ts";
import { own, wordPiece } from "./tokenizer_files.ts";

const llamaLike = tokenizerJsonOfVocabulary({
  model: "llama",
  tokens: ["<unk>", "<s>", "</s>", "▁", "a", "▁a", "b", "ab"],
  scores: Float32Array.of(0, 0, 0, -3, -4, -1, -5, -2),
  tokenTypes: [2, 3, 3, 1, 1, 1, 1, 1],
  bosId: 1,
  eosId: 2,
  unkId: 0,
});

const unigramLike = tokenizerJsonOfVocabulary({
  model: "t5",
  tokens: ["<pad>", "</s>", "<unk>", "▁", "a", "▁the", "b", "ab"],
  scores: Float32Array.of(0, 0, 0, -3, -4, -1, -5, -2),
  tokenTypes: [3, 3, 2, 1, 1, 1, 1, 1],
  eosId: 1,
  unkId: 2,
  removeExtraSpaces: true,
});

/** Replaces, removes or repeats one value anywhere in a JSON text. */
function mutateJson(source: string, { at, value }: { at: number; value: string }): string {
  let count = 0;
  const walk = (change?: number) =>
    JSON.parse(source, (_, node: unknown) => {
      if (count++ !== change) return node;
      if (value === "remove") return undefined;
      if (value === "double" && Array.isArray(node)) return [...node, ...node];
      return value === "double" ? [node, node] : JSON.parse(value);
    }) as unknown;
  walk();
  const target = Math.floor(at * count);
  count = 0;
  return JSON.stringify(walk(target)) ?? "null";
}

test("mutated tokenizer.json loads or ends in a typed error", () => {
  const values = ["null", "true", "0", "-1", "1.5", "1e9", '""', '"a"', '"Sequence"', "[]", "{}"];
  values.push('"BPE"', '"Unigram"', '"Replace"', '{"type":"NFKC"}', "[1]", "remove", "double");
  const edit = fc.record({
    // Even over [0, 1), which `fc.double()` is not.
    at: fc.nat({ max: 2 ** 20 - 1 }).map((n) => n / 2 ** 20),
    value: fc.constantFrom(...values),
  });
  const sources = [llamaLike, wordPiece, own, unigramLike].map((json) => JSON.stringify(json));
  let [loaded, refused] = [0, 0];
  fc.assert(
    fc.property(
      fc.constantFrom(...sources),
      fc.array(edit, { minLength: 1, maxLength: 3 }),
      (source, edits) => {
        const json: unknown = JSON.parse(edits.reduce(mutateJson, source));
        if (typeof json !== "object" || json === null) return;
        try {
          const tokenizer = Tokenizer.fromJson(json);
          const ids = tokenizer.encode("the cat, ab\n漢", { addSpecialTokens: true });
          for (const id of ids) assert.ok(id < tokenizer.vocabSize);
          tokenizer.decode(ids);
          loaded++;
        } catch (error) {
          assert.ok(error instanceof SyntaxError || error instanceof RangeError, String(error));
          assert.match(error.message, /^Cannot /);
          refused++;
        }
      },
    ),
    { numRuns: 4000, seed: 12 },
  );
  assert.ok(loaded > 500 && refused > 500, `${loaded} loaded, ${refused} refused`);
});
