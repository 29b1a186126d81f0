import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { readFixedWidth } from "../../../../data/survey/setup_files/fixed_width.ts";
import type { Layout } from "../../../../data/survey/setup_files/layout.ts";
import { layoutOfVariables } from "./write_setup.ts";

const encoder = new TextEncoder();

/** The text as a stream of chunks of these lengths, over and over. */
function streamOf(
  text: string,
  lengths: readonly number[] = [1 << 16],
): ReadableStream<Uint8Array> {
  const bytes = encoder.encode(text);
  let [at, turn] = [0, 0];
  return new ReadableStream({
    pull(controller) {
      if (at >= bytes.length) return controller.close();
      const length = lengths[turn++ % lengths.length]!;
      controller.enqueue(bytes.slice(at, at + length));
      at += length;
    },
  });
}

const LAYOUT = layoutOfVariables(
  [
    { name: "A", width: 3 },
    { name: "B", width: 1 },
    { name: "C", width: 6 },
  ],
  "x.sas",
);

async function rowsOf(text: string, layout: Layout = LAYOUT, columns = [...layout.columns.keys()]) {
  const rows: (number | undefined)[][] = [];
  for await (const { line, values } of readFixedWidth(streamOf(text), {
    file: "x.txt",
    layout,
    columns,
  })) {
    assert.equal(line, rows.length + 1);
    rows.push([...values]);
  }
  return rows;
}

test("blanks are missing, points and signs are read, zeros lead or not", async () => {
  const text = ["  1 000012", "001 -12.50", "     +3.  ", "10017     ", "   9  .   ", " .  12e3.0"];
  assert.deepEqual(await rowsOf(text.slice(0, 5).join("\n")), [
    [1, undefined, 12],
    [1, undefined, -12.5],
    [undefined, undefined, 3],
    [100, 1, 7],
    [undefined, 9, undefined],
  ]);
});

test("only the columns asked for are read, in the order asked for", async () => {
  assert.deepEqual(await rowsOf("  1x    12", LAYOUT, ["C", "A"]), [[12, 1]]);
});

test("implied decimals count only where the file writes no point", async () => {
  const column = { name: "A", first: 1, last: 5, type: "number", decimals: 2 } as const;
  const layout = { file: "x.sas", recordLength: 5, columns: new Map([["A", column]]) };
  assert.deepEqual(await rowsOf("12345\n -125\n 12.5\n", layout), [[123.45], [-1.25], [12.5]]);
});

test("written numbers read back, whatever the chunks and line ends", async () => {
  const record = fc.record({
    widths: fc.array(fc.integer({ min: 1, max: 9 }), { minLength: 1, maxLength: 8 }),
    seeds: fc.array(fc.array(fc.option(fc.nat()), { minLength: 8, maxLength: 8 }), {
      minLength: 1,
      maxLength: 12,
    }),
    chunks: fc.array(fc.integer({ min: 1, max: 17 }), { minLength: 1, maxLength: 5 }),
    end: fc.constantFrom("\n", "\r\n"),
    last: fc.boolean(),
  });
  await fc.assert(
    fc.asyncProperty(record, async ({ widths, seeds, chunks, end, last }) => {
      const layout = layoutOfVariables(
        widths.map((width, i) => ({ name: `V${i}`, width })),
        "x.do",
      );
      const rows = seeds.map((seed) =>
        widths.map((width, i) => (seed[i] == null ? undefined : seed[i] % 10 ** width)),
      );
      const text = rows
        .map((row) => row.map((value, i) => String(value ?? "").padStart(widths[i]!)).join(""))
        .join(end);
      const found: unknown[] = [];
      const options = { file: "x.txt", layout, columns: [...layout.columns.keys()] };
      for await (const { values } of readFixedWidth(
        streamOf(last ? text + end : text, chunks),
        options,
      )) {
        found.push([...values]);
      }
      assert.deepEqual(found, rows);
    }),
    { numRuns: 300 },
  );
});

const REFUSED: readonly (readonly [string, string, RegExp])[] = [
  [
    "a short record",
    "  11     1\n  11    1\n",
    /x\.txt, line 2: a record must have 10 characters as x\.sas says, got 9/,
  ],
  [
    "a long record",
    "  11     1\n  11      1\n",
    /line 2: a record must have 10 characters .* got (?:11|more)/,
  ],
  ["an endless record", `  11     1\n${"1".repeat(1_000_000)}`, /line 2: .*got more than 10/],
  ["a blank line", "  11     1\n\n  11     1\n", /line 2: .*got 0/],
  [
    "a letter",
    "  11     1\n  1x     1\n",
    /line 2: "B" in columns 4 - 4 must be a number or blank, got "x"/,
  ],
  ["a blank within", "1 11     1\n", /line 1: "A" in columns 1 - 3 .* got "1 1"/],
  ["two points", "  11   1.2.\n".replace("  11   1.2.", "  11  1.2."), /"C" in columns 5 - 10/],
  ["an exponent", "  11   1e10\n".slice(0, 10) + "\n", /"C" in columns 5 - 10 .*got "   1e1"/],
  ["a tab", "  11\t    1\n", /"C"/],
  ["no record", "", /line 1: a data file must have at least one record/],
];

for (const [what, text, message] of REFUSED) {
  test(`${what} is refused by line and column`, async () => {
    await assert.rejects(rowsOf(text), (error: Error) => {
      assert.ok(error instanceof SyntaxError);
      assert.match(error.message, message);
      return true;
    });
  });
}

test("a sign of the end of the file, as Windows wrote it, is no record", async () => {
  assert.deepEqual(await rowsOf("  11     1\r\n\u001a"), [[1, 1, 1]]);
});

test("columns that are not placed, or hold text, are refused before anything is read", async () => {
  await assert.rejects(rowsOf("  11     1", LAYOUT, ["D"]), RangeError);
  const text = { name: "A", first: 1, last: 10, type: "text", decimals: 0 } as const;
  const layout = { file: "x.sas", recordLength: 10, columns: new Map([["A", text]]) };
  await assert.rejects(rowsOf("  11     1", layout), TypeError);
});

/** Browsers do not say what memory is taken. */
const noMeter =
  typeof process === "undefined" ? "needs a runtime that says what memory is taken" : false;

test("a file of 200 MB streams in little memory", { skip: noMeter }, async () => {
  const width = 1000;
  const layout = layoutOfVariables(
    [
      { name: "A", width: 8 },
      { name: "REST", width: width - 9 },
      { name: "B", width: 1 },
    ],
    "x.sas",
  );
  const record = `${"1234567".padStart(8)}${" ".repeat(width - 9)}5\n`;
  const chunk = encoder.encode(record.repeat(200));
  const numChunks = 1000;
  let [sent, cancelled] = [0, false];
  const stream = new ReadableStream<Uint8Array>(
    {
      pull: (controller) => (sent++ < numChunks ? controller.enqueue(chunk) : controller.close()),
      cancel: () => void (cancelled = true),
    },
    { highWaterMark: 1 },
  );
  globalThis.gc?.();
  const before = process.memoryUsage().arrayBuffers;
  let [count, sum, most] = [0, 0, 0];
  for await (const { values } of readFixedWidth(stream, {
    file: "x.txt",
    layout,
    columns: ["A", "B"],
  })) {
    count++;
    sum += values[1]!;
    if (count % 20_000 === 0) most = Math.max(most, process.memoryUsage().arrayBuffers - before);
  }
  assert.equal(count, 200 * numChunks);
  assert.equal(sum, 5 * count);
  assert.equal(cancelled, false);
  // The chunk is one and the same; a reader that kept what it read would hold 200 MB.
  assert.ok(most < 16 * 2 ** 20, `${most} bytes were held`);
});

test("a reader that stops early lets go of the file", async () => {
  let cancelled = false;
  const stream = new ReadableStream<Uint8Array>({
    pull: (controller) => controller.enqueue(encoder.encode("  11     1\n")),
    cancel: () => void (cancelled = true),
  });
  for await (const { line } of readFixedWidth(stream, {
    file: "x.txt",
    layout: LAYOUT,
    columns: ["A"],
  })) {
    if (line === 3) break;
  }
  assert.equal(cancelled, true);
});
