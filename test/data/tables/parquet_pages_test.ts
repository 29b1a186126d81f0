import assert from "node:assert/strict";
import { test } from "node:test";
import { checkPages } from "../../../data/tables/parquet_pages.ts";

/** A number as Thrift's compact protocol writes it. */
function varint(number: number): number[] {
  const bytes: number[] = [];
  let rest = number;
  for (; rest > 127; rest = Math.floor(rest / 128)) bytes.push((rest % 128) + 128);
  return [...bytes, rest];
}

const zigzag = (number: number): number[] => varint(number < 0 ? -2 * number - 1 : 2 * number);

interface Page {
  /** Of the values. @default {8}, indices of a dictionary */
  readonly encoding?: number;
  readonly count: number;
  readonly body: readonly number[];
  /** Bytes that the page says it has. */
  readonly packed?: number;
  readonly unpacked?: number;
}

/** A data page of dictionary indices: kind, sizes, and a record of count and encodings. */
function page(given: Page): number[] {
  const { count, body, packed = body.length, unpacked = body.length, encoding = 8 } = given;
  const fields = [
    0x15,
    ...zigzag(count),
    0x15,
    ...zigzag(encoding),
    0x15,
    ...zigzag(3),
    0x15,
    ...zigzag(3),
    0,
  ];
  return [
    0x15,
    ...zigzag(0),
    0x15,
    ...zigzag(unpacked),
    0x15,
    ...zigzag(packed),
    0x2c,
    ...fields,
    0,
    ...body,
  ];
}

function check(bytes: readonly number[], numRows: number): void {
  checkPages(new Uint8Array(bytes), {
    numRows,
    isOptional: false,
    isBoolean: false,
    codec: "UNCOMPRESSED",
    compressors: {},
    maxPageBytes: 1000,
  });
}

/** Width of one bit, then a run of `length` ones. */
const run = (length: number): number[] => [1, ...varint(2 * length), 1];

test("pages that add up pass, with runs of one value and of eight side by side", () => {
  check(page({ count: 5, body: run(5) }), 5);
  check([...page({ count: 5, body: run(5) }), ...page({ count: 3, body: [1, 3, 0b101] })], 8);
});

test("no run is longer than its page", () => {
  for (const length of [6, 2 ** 20, 2 ** 31, 2 ** 40]) {
    assert.throws(() => check(page({ count: 5, body: run(length) }), 5), {
      name: "RangeError",
      message: `values of a run must be from 0 to 5, got ${length}`,
    });
  }
  const eights = [1, ...varint(2 * 2 ** 28 + 1), 0];
  assert.throws(() => check(page({ count: 5, body: eights }), 5), /values of a run .* to 12, got/);
});

test("no page has more values than rows are left, or fewer", () => {
  assert.throws(
    () => check(page({ count: 2 ** 31, body: run(5) }), 5),
    /values of a page must be from 0 to 5/,
  );
  assert.throws(() => check(page({ count: -1, body: run(5) }), 5), /values of a page .* got -1$/);
  assert.throws(
    () => check(page({ count: 4, body: run(4) }), 5),
    /pages must have 5 values, got 4$/,
  );
});

test("no page is larger than its column, or than the budget once unpacked", () => {
  assert.throws(
    () => check(page({ count: 5, body: run(5), packed: 99 }), 5),
    /bytes of a page .* got 99$/,
  );
  assert.throws(
    () => check(page({ count: 5, body: run(5), unpacked: 1001 }), 5),
    /to 1000, got 1001$/,
  );
});

test("headers that end early, nest without end or have unknown fields are refused", () => {
  const whole = page({ count: 5, body: run(5) });
  for (let end = 1; end < whole.length - 3; end++) {
    assert.throws(() => check(whole.slice(0, end), 5), RangeError);
  }
  assert.throws(
    () =>
      check(
        Array.from({ length: 50 }, () => 0x1c),
        5,
      ),
    /records may be 8 deep/,
  );
  assert.throws(() => check([0x1d, 0], 5), /kinds of fields must be known, got 13$/);
});

test("differences that a decoder would follow without end, or unfold without bound, are refused", () => {
  const differences = (encoding: number, block: number, parts: number): number[] =>
    page({ count: 5, encoding, body: [...varint(block), ...varint(parts), 5, 0] });
  for (const encoding of [5, 6]) {
    check(differences(encoding, 128, 4), 5);
    for (const parts of [0, 3, 2 ** 31, 2 ** 32 - 5]) {
      assert.throws(
        () => check(differences(encoding, 128, parts), 5),
        /must divide its 128 values/,
      );
    }
    assert.throws(() => check(differences(encoding, 2 ** 31, 1), 5), /values of a block/);
  }
  assert.throws(() => check(differences(7, 128, 4), 5), /texts must be plain or in a dictionary/);
});
