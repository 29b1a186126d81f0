import assert from "node:assert/strict";
import { test } from "node:test";
import { gzipSync, strToU8 } from "fflate";
import { gunzipped, streamOfChunks } from "../../../data/archive/mod.ts";

const BYTES = strToU8(Array.from({ length: 40_000 }, (_, i) => `${i % 977},`).join(""));
const PACKED = gzipSync(BYTES);

const pause = () => new Promise((resolve) => setTimeout(resolve, 5));

/** Bytes as a stream of chunks of some size, and whether it was let go of. */
function inChunks(bytes: Uint8Array, size: number, closed?: { value: boolean }) {
  return streamOfChunks(
    (async function* () {
      try {
        for (let at = 0; at < bytes.length; at += size) yield bytes.slice(at, at + size);
      } finally {
        if (closed !== undefined) closed.value = true;
      }
    })(),
  );
}

/** Fails unless a source is let go of before long: streams end one after the other. */
async function assertClosed(source: { readonly value: boolean }, what: string): Promise<void> {
  for (let i = 0; i < 400 && !source.value; i++) await pause();
  assert.ok(source.value, `the source is closed ${what}`);
}

async function bytesOf(stream: ReadableStream<Uint8Array>): Promise<Uint8Array> {
  const chunks: number[] = [];
  for await (const chunk of stream) for (const byte of chunk) chunks.push(byte);
  return Uint8Array.from(chunks);
}

test("gunzipped() unfolds chunks of any size", async () => {
  for (const size of [1 << 20, 1000, 37]) {
    assert.deepEqual(await bytesOf(gunzipped(inChunks(PACKED, size))), BYTES, `${size} bytes`);
  }
  assert.deepEqual(await bytesOf(gunzipped(inChunks(gzipSync(new Uint8Array()), 9))), strToU8(""));
});

test("gunzipped() can be canceled at any moment, and lets go of its source", async () => {
  for (let numChunks = 0; numChunks < 6; numChunks++) {
    for (const isAsking of [false, true]) {
      const closed = { value: false };
      const reader = gunzipped(inChunks(PACKED, 1 << 16, closed)).getReader();
      for (let i = 0; i < numChunks; i++) await reader.read();
      await pause(); // more is waiting to come out
      if (isAsking) void reader.read();
      await reader.cancel();
      await pause(); // what is thrown late fails the test as well
      if (numChunks > 0) await assertClosed(closed, `after ${numChunks} chunks`);
    }
  }
});

test("gunzipped() is let go of by a stream that has had enough", async () => {
  for (let wanted = 0; wanted < BYTES.length; wanted += BYTES.length / 8) {
    let left = wanted;
    const limit = new TransformStream<Uint8Array, Uint8Array>({
      transform: (chunk, controller) => {
        if ((left -= chunk.length) >= 0) controller.enqueue(chunk);
        else controller.error(new RangeError("too long"));
      },
    });
    const closed = { value: false };
    const stream = gunzipped(inChunks(PACKED, 1 << 16, closed)).pipeThrough(limit);
    await assert.rejects(bytesOf(stream), /too long/, `${wanted} bytes`);
    await assertClosed(closed, `after ${wanted} bytes`);
  }
});

test("gunzipped() fails as its source does, and on what is not whole", async () => {
  const broken = streamOfChunks(
    (async function* () {
      yield PACKED.slice(0, 100);
      throw new Error("the disk is gone");
    })(),
  );
  await assert.rejects(bytesOf(gunzipped(broken)), /the disk is gone/);
  for (const bytes of [PACKED.slice(0, -9), strToU8("plain"), PACKED.map((byte) => byte ^ 1)]) {
    const closed = { value: false };
    await assert.rejects(bytesOf(gunzipped(inChunks(bytes, 50, closed))), `${bytes.length} bytes`);
    await assertClosed(closed, "after the error");
  }
  const locked = inChunks(PACKED, 50);
  locked.getReader();
  await assert.rejects(bytesOf(gunzipped(locked)), TypeError);
});
