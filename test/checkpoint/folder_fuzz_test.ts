import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { storedHuggingFaceModel } from "../../model/checkpoint/stored_hugging_face.ts";
import { weightShapes } from "../../model/transformer/weight_shapes.ts";
import { GPT2, LLAMA } from "./arbitrary_model.ts";
import { type Files, filesOf, folderOf, readAll } from "./memory_files.ts";

test("a folder with changed bytes is a typed error, or a model whose weights are whole", async () => {
  const tokenizer = { model: { vocab: { a: 0 } }, added_tokens: [] };
  const generation = { beginToken: 1, endTokens: [2] };
  const folders = await Promise.all(
    [GPT2, { ...LLAMA, qkNorm: true, slidingWindow: 3 }].map((config) =>
      filesOf(config, { dtype: "BF16", maxShardBytes: 500, tokenizer, generation }),
    ),
  );
  const text = fc.constantFrom(
    "0",
    "1",
    "-1",
    "1e9",
    "null",
    "{}",
    "[",
    '"',
    "true",
    "9007199254740993",
  );
  let numRead = 0;
  await fc.assert(
    fc.asyncProperty(
      fc.constantFrom(...folders),
      fc.nat(),
      fc.nat(),
      text,
      async (files, which, at, put) => {
        const name = [...files.keys()][which % files.size]!;
        const bytes = files.get(name)!.slice();
        // Within the first bytes, where the header of weights is.
        bytes.set(new TextEncoder().encode(put).subarray(0, 1), at % Math.min(bytes.length, 2000));
        const changed = new Map(files).set(
          name,
          at % 2 === 0 ? bytes : replaceNumber(files, name, { at, put }),
        );
        try {
          const model = await storedHuggingFaceModel(folderOf(changed));
          const shapes = [...weightShapes(model.config)];
          const read = await readAll(model);
          assert.deepEqual(
            read.map(([label, { shape }]) => ({ label, shape })),
            shapes,
          );
          for (const [, { shape, bytes: values, dtype }] of read) {
            const width = dtype === "F32" ? 4 : 2;
            assert.equal(
              values.length,
              shape.reduce((product, n) => product * n, width),
            );
          }
          numRead++;
        } catch (error) {
          const isTyped = [SyntaxError, RangeError, TypeError].some(
            (kind) => error instanceof kind,
          );
          assert.ok(isTyped, String(error));
          assert.match((error as Error).message, /^Cannot read "/);
        }
      },
    ),
    { numRuns: 1500 },
  );
  assert.ok(numRead > 100 && numRead < 1400, `${numRead} of 1500 were read`);
});

/** A file with one of its numbers replaced by a text. */
function replaceNumber(
  files: Files,
  name: string,
  { at, put }: { readonly at: number; readonly put: string },
): Uint8Array<ArrayBuffer> {
  const latin = Array.from(files.get(name)!, (byte) => String.fromCharCode(byte)).join("");
  const places = [...latin.matchAll(/\d+/g)];
  const place = places[at % places.length];
  if (place === undefined) return files.get(name)!;
  const changed = latin.slice(0, place.index) + put + latin.slice(place.index + place[0].length);
  return Uint8Array.from(changed, (character) => character.charCodeAt(0));
}
