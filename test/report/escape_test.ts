import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { parseHTML } from "linkedom";
import {
  csvField,
  csvLines,
  escapeHtml,
  escapeLatex,
  escapeMarkdown,
  plainText,
} from "../../cli/report/escape.ts";
import { anyText, checkLatex, parseCsv } from "./report_support.ts";

test("HTML gives any text back, between tags and in attributes", () => {
  fc.assert(
    fc.property(anyText, (text) => {
      const { document } = parseHTML(`<p title="${escapeHtml(text)}">${escapeHtml(text)}</p>`);
      const p = document.querySelector("p")!;
      assert.equal(document.querySelectorAll("*").length, 1);
      assert.equal(p.textContent, plainText(text));
      assert.equal(p.getAttribute("title"), plainText(text));
    }),
  );
});

test("plainText() leaves no control characters, halves of pairs or turns of direction", () => {
  assert.equal(
    plainText("a\r\n\tb\u0000\u202Ec\uD800\u{1F600}"),
    "a b\uFFFD\uFFFDc\uFFFD\u{1F600}",
  );
  fc.assert(
    fc.property(fc.string({ unit: "binary" }), (text) => {
      assert.match(plainText(text), /^[^\p{Cc}\p{Cs}\u2028\u2029\u202A-\u202E\u2066-\u2069]*$/u);
    }),
  );
});

test("LaTeX of any text has no bare special characters and balanced braces", () => {
  fc.assert(fc.property(anyText, (text) => checkLatex(escapeLatex(text))));
  assert.equal(escapeLatex("R&D 50% #1 a_b"), "R\\&D 50\\% \\#1 a\\_b");
  assert.equal(escapeLatex("\\input{x}"), "\\textbackslash{}input\\{x\\}");
  assert.equal(escapeLatex("−1 ± 2"), "$-$1 $\\pm$ 2");
});

test("checkLatex() finds what is wrong", () => {
  for (const bad of ["{", "}", "a & b", "50 %", "\\input", "x_1", "$", "~", "#"]) {
    assert.throws(() => checkLatex(bad), bad);
  }
});

test("Markdown of any text holds no tags, cells, emphasis, links, headings or lists", () => {
  fc.assert(
    fc.property(anyText, (text) => {
      const escaped = escapeMarkdown(text);
      assert.doesNotMatch(escaped, /[<>]|:\/\//);
      assert.doesNotMatch(escaped, /^(?:[-+=#>\s]|\d+[.)](?:\s|$))/);
      const bare = escaped.replaceAll(/\\[!-/:-@[-`{-~]|&(?:amp|lt|gt|#\d+);/g, "");
      assert.doesNotMatch(bare, /[\\`*_[\]|~$#!@&]/);
    }),
  );
  assert.equal(escapeMarkdown("a | b <i>"), "a \\| b &lt;i&gt;");
});

test("CSV gives any text back but for the mark before formulas", () => {
  fc.assert(
    fc.property(fc.array(fc.array(anyText, { minLength: 2, maxLength: 2 })), (rows) => {
      const back = parseCsv(csvLines(rows));
      assert.equal(back.length, rows.length);
      rows.forEach((row, r) =>
        row.forEach((text, c) => {
          const field = back[r]![c]!;
          assert.doesNotMatch(field, /^(?:[=+@\t\r\n＝＋－＠]|-(?!\.?\d))/);
          assert.ok(field === text || field === `'${text}`, JSON.stringify([field, text]));
        }),
      );
    }),
  );
});

test("CSV neutralizes formulas and leaves negative numbers alone", () => {
  for (const text of [
    "=1+1",
    "+1",
    "-1+cmd|' /C calc'!A0",
    "@SUM(A1)",
    "\t=1",
    "\r=1",
    "-",
    "＝1",
  ]) {
    assert.match(csvField(text), /^"?'/, JSON.stringify(text));
  }
  assert.equal(csvField(-1.5), "-1.5");
  assert.equal(csvField("-1.5e-3"), "-1.5e-3");
  assert.equal(csvField('say "a", b'), '"say ""a"", b"');
  assert.equal(csvField(null), "");
  assert.deepEqual([NaN, Infinity, -Infinity].map(csvField), ["NaN", "Inf", "-Inf"]);
});

test("CSV gives any number back exactly", () => {
  fc.assert(
    fc.property(fc.double({ noNaN: true, noDefaultInfinity: true }), (value) => {
      assert.equal(Number(csvField(value)), value === 0 ? 0 : value);
    }),
  );
});
