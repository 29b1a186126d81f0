import assert from "node:assert/strict";
import { test } from "node:test";
import { readSynonyms } from "../../../data/personal/synonyms.ts";
import { indexTitles, titleIndex } from "../../../data/personal/title_index.ts";

test("the index is built a piece at a time, and whoever needs it has it finished", () => {
  let numPieces = 0;
  let wasReady = false;
  while (numPieces < 100 && !wasReady) {
    wasReady = indexTitles(() => false);
    numPieces++;
  }
  assert.equal(wasReady, false, "there are many pieces");
  assert.equal(numPieces, 100);
  const index = titleIndex();
  assert.equal(
    indexTitles(() => false),
    true,
  );
  assert.equal(titleIndex(), index, "it is built once");
  for (const { code, text } of readSynonyms()) {
    const entry = index.entries.find(({ synonym }) => synonym === text);
    assert.equal(entry?.code, code, text);
    for (const word of entry.words) {
      const places = index.entriesOf.get(word)!;
      assert.ok(places.includes(index.entries.indexOf(entry)), `${text} is found by ${word}`);
    }
  }
});
