import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { decodeRecord, encodeRecord, modelId } from "../../web/store/model_record.ts";
import { requestPersistence } from "../../web/store/persist.ts";
import { sha256Of, textBytes } from "./model_files.ts";

const files = fc.array(
  fc
    .tuple(fc.string({ minLength: 1, unit: "grapheme" }), fc.nat(), fc.string())
    .map(([path, bytes, text]) => ({ path, bytes, sha256: sha256Of(textBytes(text)) })),
  { minLength: 1, maxLength: 5 },
);

const infos = fc.tuple(fc.string({ unit: "grapheme" }), files).map(([name, listed]) => ({
  id: modelId(listed),
  name,
  bytes: listed.reduce((sum, { bytes }) => sum + bytes, 0),
  savedAt: "2026-11-23T12:00:00.000Z",
  files: listed,
}));

test("a record reads back as it was written", () => {
  fc.assert(fc.property(infos, (info) => assert.deepEqual(decodeRecord(encodeRecord(info)), info)));
});

test("a record of which bytes were changed is refused, or tells the same files", () => {
  fc.assert(
    fc.property(infos, fc.nat(), fc.integer({ min: 1, max: 255 }), (info, at, flip) => {
      const bytes = encodeRecord(info);
      bytes[at % bytes.length]! ^= flip;
      let read: typeof info | undefined;
      try {
        read = decodeRecord(bytes) as typeof info;
      } catch (error) {
        assert.ok(error instanceof SyntaxError, String(error));
        return;
      }
      // Its name and its date are not part of what it is.
      assert.deepEqual([read.id, read.files], [info.id, info.files]);
    }),
  );
});

test("a model's id is that of its content, in any order", () => {
  fc.assert(
    fc.property(files, (listed) => {
      assert.equal(modelId(listed), modelId(listed.toReversed()));
      const [first, ...rest] = listed;
      const longer = [{ ...first!, bytes: first!.bytes + 1 }, ...rest];
      assert.notEqual(modelId(listed), modelId(longer));
    }),
  );
});

test("the browser is asked to keep models only if it does not already", async () => {
  const asked: string[] = [];
  const storage = (isPersisted: boolean, isGranted: boolean) => ({
    persisted: async () => isPersisted,
    persist: async () => {
      asked.push("persist");
      return isGranted;
    },
  });
  assert.equal(await requestPersistence(storage(true, false)), "persistent");
  assert.deepEqual(asked, []);
  assert.equal(await requestPersistence(storage(false, true)), "persistent");
  assert.equal(await requestPersistence(storage(false, false)), "best-effort");
  assert.equal(await requestPersistence({}), "unknown");
  const refusing = { persist: () => Promise.reject(new TypeError("not here")) };
  assert.equal(await requestPersistence(refusing), "unknown");
});
