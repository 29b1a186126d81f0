import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { cellText, numberText } from "../../cli/report/cells.ts";
import type { Cell, Table } from "../../cli/report/document.ts";
import { tableToCsv, tableToLatex, tableToMarkdown } from "../../cli/report/table_text.ts";
import { anyText, checkLatex, parseCsv } from "./report_support.ts";

const table: Table = {
  id: "perplexity",
  title: "Perplexity & more",
  columns: [{ label: "Model" }, { label: "NLSY79" }, { label: "People", digits: 0 }],
  rows: [
    ["CAREER | pretrained", { value: 8.609, error: 0.157 }, 12479],
    ["<b>FT_7B</b>", { value: 8.39, error: 0.148, best: true }, null],
    ["=cmd()", { value: -1.25 }, NaN],
  ],
  note: "Errors in brackets, 95%.",
};

test("numbers have fixed digits, a real minus, and thousands apart from five digits on", () => {
  assert.equal(numberText(1979, 0), "1979");
  assert.equal(numberText(313622, 0), "313,622");
  assert.equal(numberText(1234567.891, 2), "1,234,567.89");
  assert.equal(numberText(-0.25, 3), "−0.250");
  assert.equal(numberText(-0.0001, 2), "0.00");
  assert.equal(numberText(-0, 1), "0.0");
  assert.equal(numberText(2.5e20, 1), "2.5e+20");
  assert.deepEqual(
    [NaN, Infinity, -Infinity].map((value) => numberText(value, 2)),
    ["n/a", "∞", "−∞"],
  );
});

test("a cell without a number has no error either", () => {
  const column = { label: "x" };
  assert.deepEqual(cellText({ value: NaN, error: 1 }, column), { text: "n/a", isBest: false });
  assert.deepEqual(cellText({ value: 1, error: 0.5, best: true }, column), {
    text: "1.000",
    error: "0.500",
    isBest: true,
  });
});

test("CSV has full precision, errors in a column of their own, and no formulas", () => {
  assert.deepEqual(parseCsv(tableToCsv(table)), [
    ["Model", "NLSY79", "NLSY79 (standard error)", "People"],
    ["CAREER | pretrained", "8.609", "0.157", "12479"],
    ["<b>FT_7B</b>", "8.39", "0.148", ""],
    ["'=cmd()", "-1.25", "", "NaN"],
  ]);
});

test("Markdown has one line a row, numbers to the right, the best in bold", () => {
  const lines = tableToMarkdown(table).split("\n");
  assert.deepEqual(lines, [
    "**Perplexity &amp; more**",
    "",
    "| Model | NLSY79 | People |",
    "| :-- | --: | --: |",
    "| CAREER \\| pretrained | 8.609 (0.157) | 12,479 |",
    "| &lt;b&gt;FT\\_7B&lt;/b&gt; | **8.390** (0.148) | – |",
    "| \\=cmd() | −1.250 | n/a |",
    "",
    "Errors in brackets, 95%.",
    "",
  ]);
});

test("LaTeX is a float with booktabs rules", () => {
  const text = tableToLatex(table);
  for (const part of [
    "\\begin{tabular}{lrr}",
    "\\caption{Perplexity \\& more}",
    "\\label{tab:perplexity}",
    "CAREER \\textbar{} pretrained & 8.609 {\\footnotesize (0.157)} & 12,479 \\\\",
    "& \\textbf{8.390} {\\footnotesize (0.148)} & – \\\\",
    "& $-$1.250 & n/a \\\\",
    "Errors in brackets, 95\\%.",
  ]) {
    assert.ok(text.includes(part), part);
  }
  const at = ["\\toprule", "\\midrule", "\\bottomrule"].map((rule) => text.indexOf(rule));
  assert.deepEqual(
    at,
    at.toSorted((a, b) => a - b),
  );
  assert.ok(at[0]! > 0);
});

const anyCell: fc.Arbitrary<Cell> = fc.oneof(
  anyText,
  fc.double(),
  fc.constant(null),
  fc.record({ value: fc.double(), error: fc.double(), best: fc.boolean() }),
);

const anyTable = fc
  .tuple(fc.integer({ min: 1, max: 5 }), fc.integer({ min: 0, max: 5 }))
  .chain(([width, height]) =>
    fc.record({
      id: fc.constant("any"),
      title: anyText,
      columns: fc.array(fc.record({ label: anyText }), { minLength: width, maxLength: width }),
      rows: fc.array(fc.array(anyCell, { minLength: width, maxLength: width }), {
        minLength: height,
        maxLength: height,
      }),
    }),
  );

test("tables of any text and numbers keep their shape in each language", () => {
  fc.assert(
    fc.property(anyTable, (any) => {
      const width = any.columns.length;
      const csv = parseCsv(tableToCsv(any));
      assert.equal(csv.length, 1 + any.rows.length);
      assert.equal(new Set(csv.map((row) => row.length)).size, 1);
      const lines = tableToMarkdown(any).trimEnd().split("\n").slice(2);
      assert.equal(lines.length, 2 + any.rows.length);
      for (const line of lines) {
        assert.equal(line.replaceAll(/\\[!-/:-@[-`{-~]/g, "").split("|").length, width + 2);
      }
      const latex = tableToLatex(any).split("\n");
      const first = latex.indexOf("    \\midrule") + 1;
      const rows = latex.slice(first, latex.indexOf("    \\bottomrule"));
      assert.equal(rows.length, any.rows.length);
      for (const row of rows) {
        assert.ok(row.startsWith("    "));
        const cells = row
          .slice(4)
          .replace(/ \\\\$/, "")
          .split(" & ");
        assert.ok(cells.length >= width);
        const bare = row
          .slice(4)
          .replace(/ \\\\$/, "")
          .replaceAll(/\\textbf\{([^}]*)\}|\{\\footnotesize \(([^)]*)\)\}/g, "$1$2");
        checkLatex(bare.replaceAll(" & ", ""));
      }
    }),
  );
});

test("a ragged table and an id that is no file name are refused", () => {
  const ragged = { ...table, rows: [["alone"]] };
  for (const write of [tableToCsv, tableToMarkdown, tableToLatex]) {
    assert.throws(() => write(ragged), /"perplexity": each row must have 3 cells.* got 1 in row 1/);
    for (const id of ["", "../up", "a/b", "A", "a--b", "-a", "a b", "con", "a".repeat(101)]) {
      assert.throws(() => write({ ...table, id }), RangeError, id);
    }
  }
});
