import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { parseHTML } from "linkedom";
import type { ReportDocument } from "../../cli/report/document.ts";
import { plainText } from "../../cli/report/escape.ts";
import { renderHtml } from "../../cli/report/html.ts";
import { documentToMarkdown } from "../../cli/report/markdown.ts";
import { anyFigure, anyText, sampleDocument, sampleFigures } from "./report_support.ts";

const html = renderHtml(sampleDocument());
const page = parseHTML(html).document;

test("a page has its facts, contents, sections, tables and figures under real headings", () => {
  assert.equal(page.title, "Occupations of two cohorts");
  assert.deepEqual(
    [...page.querySelectorAll("h1, h2")].map(
      (heading) => `${heading.localName} ${heading.textContent}`,
    ),
    ["h1 Occupations of two cohorts", "h2 Summary", "h2 Staying and moving", "h2 All else"],
  );
  assert.equal(page.querySelectorAll("dl.facts dt").length, 4);
  assert.equal(page.querySelectorAll("nav li a").length, 3);
  assert.equal(page.querySelectorAll("main table").length, 1);
  assert.equal(page.querySelectorAll("main svg").length, 8);
  assert.match(page.querySelector("figure.table figcaption")!.textContent, /^Table 1\. Test/);
  assert.match(page.querySelector("#figure-roc figcaption")!.textContent, /^Figure 2\. /);
});

test("tables have scopes, numbers to the right, errors in brackets, and marks where told", () => {
  const table = page.querySelector("table")!;
  assert.equal(table.querySelectorAll('thead th[scope="col"]').length, 7);
  assert.equal(table.querySelectorAll('tbody th[scope="row"]').length, 10);
  assert.equal(table.querySelectorAll("tbody tr:first-child td.number").length, 5);
  assert.match(table.querySelector("tbody td")!.textContent, /^\d+\.\d{3} \(\d\.\d{3}\)$/);
  assert.match(table.querySelector(".error")!.textContent, /^\(\d\.\d{3}\)$/);
  assert.equal(table.querySelectorAll(".best").length, 2);
});

test("a page asks for nothing: no scripts, no styles, fonts or images from elsewhere", () => {
  const policy = page.querySelector("meta[http-equiv]")!;
  assert.equal(
    policy.getAttribute("content"),
    "default-src 'none'; style-src 'unsafe-inline'; img-src data:",
  );
  assert.equal(page.querySelectorAll("script, link, iframe, object, embed, base, form").length, 0);
  const rest = html.replaceAll('xmlns="http://www.w3.org/2000/svg"', "");
  assert.doesNotMatch(rest, /https?:|@import|url\(|\son[a-z]+=/);
  for (const image of page.querySelectorAll("img, image")) {
    assert.match(image.getAttribute("href") ?? image.getAttribute("src")!, /^data:image\/png;/);
  }
});

test("ids are unique, and links lead to them or to files beside the page", () => {
  const ids = [...page.querySelectorAll("[id]")].map(({ id }) => id);
  assert.equal(new Set(ids).size, ids.length);
  for (const link of page.querySelectorAll("a[href]")) {
    const href = link.getAttribute("href")!;
    if (href.startsWith("#")) assert.ok(ids.includes(href.slice(1)), href);
    else
      assert.match(
        href,
        /^(?:tables\/[a-z0-9-]+\.(?:csv|md|tex)|figures\/[a-z0-9-]+\.(?:csv|svg))$/,
      );
  }
  for (const element of page.querySelectorAll("[aria-labelledby], [aria-describedby]")) {
    for (const name of ["aria-labelledby", "aria-describedby"]) {
      const id = element.getAttribute(name);
      if (id !== null) assert.ok(ids.includes(id), id);
    }
  }
});

test("colors of all plots have partners on dark pages", () => {
  const style = page.querySelector("style")!.textContent;
  const dark = style.slice(style.indexOf("prefers-color-scheme: dark"));
  for (const figure of page.querySelectorAll("figure.drawing")) {
    if (/transfer|transitions/.test(figure.id)) continue; // cells bring their own ground
    for (const element of figure.querySelectorAll("[fill], [stroke]")) {
      for (const name of ["fill", "stroke"]) {
        const color = element.getAttribute(name);
        if (color === null || ["none", "currentColor"].includes(color)) continue;
        assert.ok(dark.includes(`.plot [${name}="${color}"]`), `${name} ${color}`);
      }
    }
  }
});

test("thirty figures and their tables stay under a megabyte", () => {
  const figures = sampleFigures().filter(({ id }) => !/transitions/.test(id));
  const many = Array.from({ length: 28 }, (_, index) => {
    const figure = figures[index % figures.length]!;
    return { ...figure, id: `${figure.id}-${index}` };
  });
  const big = sampleFigures().filter(({ id }) => /transitions/.test(id));
  const [first] = sampleDocument().sections;
  const text = renderHtml({
    ...sampleDocument(),
    sections: [{ ...first!, figures: [...many, ...big] }],
  });
  assert.ok(text.length < 1e6, `${text.length} bytes`);
});

test("the same document gives the same bytes", () => {
  assert.equal(renderHtml(sampleDocument()), html);
  assert.equal(documentToMarkdown(sampleDocument()), documentToMarkdown(sampleDocument()));
});

test("text of any kind stays text", () => {
  const anyDocument = fc.record({
    title: anyText,
    facts: fc.array(fc.tuple(anyText, anyText), { maxLength: 3 }),
    text: fc.array(anyText, { maxLength: 3 }),
    cell: anyText,
    figure: anyFigure,
  });
  fc.assert(
    fc.property(anyDocument, ({ title, facts, text, cell, figure }) => {
      const document: ReportDocument = {
        title,
        facts,
        sections: [
          {
            id: "any",
            title,
            text,
            tables: [{ id: "any", title, columns: [{ label: cell }], rows: [[cell]], note: cell }],
            figures: [figure],
          },
        ],
      };
      const rendered = parseHTML(renderHtml(document)).document;
      assert.equal(rendered.querySelector("h1")!.textContent, plainText(title));
      assert.equal(rendered.querySelector("td, tbody th")!.textContent, plainText(cell));
      const read = (selector: string) =>
        [...rendered.querySelectorAll(selector)].map((element) => element.textContent);
      const plain = (texts: readonly string[]) => texts.map(plainText);
      assert.deepEqual(read("dt"), plain(facts.map(([label]) => label)));
      assert.deepEqual(read("dd"), plain(facts.map(([, value]) => value)));
      assert.deepEqual(read("section > p"), plain(text));
      assert.deepEqual(read("h2, thead th, .note"), plain([title, cell, cell]));
      assert.deepEqual(read("figcaption strong"), [
        `Table 1. ${plainText(title)}.`,
        `Figure 1. ${plainText(figure.title)}.`,
      ]);
      assert.ok(read(".drawing figcaption")[0]!.includes(plainText(figure.caption ?? "")));
      assert.equal(rendered.querySelectorAll("script, img, iframe, a[href^=javascript]").length, 0);
      assert.doesNotMatch(documentToMarkdown(document), /<[a-z!/]/i);
    }),
    { numRuns: 40 },
  );
});

test("Markdown has the same text, tables and figures", () => {
  const text = documentToMarkdown(sampleDocument());
  assert.equal(text.match(/^# /gm)!.length, 1);
  assert.equal(text.match(/^## /gm)!.length, 3);
  assert.equal(text.match(/^!\[.*\]\(figures\/[a-z-]+\.svg\)$/gm)!.length, 8);
  assert.match(text, /^- \*\*Seed:\*\* 1$/m);
  assert.match(text, /^\| Model \| NLSY79 \|/m);
});

test("ids that are there twice are refused", () => {
  const document = sampleDocument();
  const [first] = document.sections;
  const twice = { ...document, sections: [first!, { ...first!, id: "again" }] };
  assert.throws(() => renderHtml(twice), /ids of tables must be unique, got "perplexity" twice/);
  assert.throws(() => documentToMarkdown(twice), RangeError);
  const same = { ...document, sections: [first!, { ...first!, tables: [] }] };
  assert.throws(() => renderHtml(same), /ids of sections must be unique/);
});

test("a report of nothing is a page", () => {
  const empty = parseHTML(renderHtml({ title: "None", facts: [], sections: [] })).document;
  assert.equal(empty.querySelector("h1")!.textContent, "None");
  assert.equal(empty.querySelectorAll("nav, section, dl").length, 0);
});
