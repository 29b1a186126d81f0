import { alignments, cellText } from "./cells.ts";
import { checkDocument } from "./check_document.ts";
import type { Cell, Column, Figure, ReportDocument, Section, Table } from "./document.ts";
import { drawable } from "./drawable.ts";
import { escapeHtml } from "./escape.ts";
import { figureToSvg } from "./figure_svg.ts";
import { STYLE } from "./html_style.ts";

/** From this width on, in pixels, a plot scrolls on a telephone rather than shrink. */
const WIDE = 500;

/** A file beside a page that its foot links to. */
export interface Link {
  /** Relative to the page. */
  readonly path: string;
  readonly text: string;
}

/**
 * A report as one page that needs nothing else: no network, no scripts, no fonts. Its tables and
 * figures link to files beside it (`tables/<id>.csv`, `figures/<id>.svg`, …), which
 * {@linkcode writeReport} writes.
 *
 * @param links Other files beside it.
 * @throws {RangeError} If an id is no name of a file or there twice, or a table is ragged.
 */
export function renderHtml(document: ReportDocument, links: readonly Link[] = []): string {
  checkDocument(document);
  const title = escapeHtml(document.title);
  const numbers = { table: 0, figure: 0 };
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'; img-src data:">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>${title}</title>
<style>${STYLE}</style>
</head>
<body>
<header>
<h1>${title}</h1>
${facts(document)}${contents(document)}</header>
<main>
${document.sections.map((section) => renderSection(section, numbers)).join("")}</main>
${foot(links)}</body>
</html>
`;
}

function facts({ facts: all }: ReportDocument): string {
  if (all.length === 0) return "";
  const rows = all.map(
    ([label, value]) => `<dt>${escapeHtml(label)}</dt><dd>${escapeHtml(value)}</dd>\n`,
  );
  return `<dl class="facts">\n${rows.join("")}</dl>\n`;
}

function contents({ sections }: ReportDocument): string {
  if (sections.length < 2) return "";
  const items = sections.map(
    ({ id, title }) => `<li><a href="#section-${id}">${escapeHtml(title)}</a></li>\n`,
  );
  return `<nav aria-label="Contents">\n<ol>\n${items.join("")}</ol>\n</nav>\n`;
}

/** How many tables and figures there are up to here. */
type Numbers = { table: number; figure: number };

function renderSection({ id, title, text, tables, figures }: Section, numbers: Numbers): string {
  const parts = [
    `<section id="section-${id}" aria-labelledby="section-${id}--title">\n`,
    `<h2 id="section-${id}--title"><a href="#section-${id}">${escapeHtml(title)}</a></h2>\n`,
    ...text.map((paragraph) => `<p>${escapeHtml(paragraph)}</p>\n`),
    ...tables.map((table) => renderTable(table, ++numbers.table)),
    ...figures.map((figure) => renderFigure(figure, ++numbers.figure)),
    "</section>\n",
  ];
  return parts.join("");
}

function renderTable(table: Table, number: number): string {
  const { id, title, columns, rows, note } = table;
  const sides = alignments(table).map((side) => (side === "right" ? ' class="number"' : ""));
  const head = columns.map(
    ({ label }, index) => `<th scope="col"${sides[index]!}>${escapeHtml(label)}</th>`,
  );
  const body = rows.map((cells) => {
    const line = cells.map((cell, index) => {
      const tag = index === 0 && typeof cell === "string" ? "th" : "td";
      const scope = tag === "th" ? ' scope="row"' : "";
      return `<${tag}${scope}${sides[index]!}>${renderCell(cell, columns[index]!)}</${tag}>`;
    });
    return `<tr>${line.join("")}</tr>\n`;
  });
  const caption = `table-${id}--caption`;
  return `<figure class="table" id="table-${id}">
<figcaption id="${caption}"><strong>Table ${number}. ${escapeHtml(title)}.</strong> ${files("tables", id, ["csv", "md", "tex"])}</figcaption>
<div class="scroll" tabindex="0" role="region" aria-labelledby="${caption}">
<table aria-labelledby="${caption}">
<thead><tr>${head.join("")}</tr></thead>
<tbody>
${body.join("")}</tbody>
</table>
</div>
${note === undefined ? "" : `<p class="note">${escapeHtml(note)}</p>\n`}</figure>
`;
}

function renderCell(cell: Cell, column: Column): string {
  const { text, error, isBest } = cellText(cell, column);
  const value = isBest ? `<strong class="best">${escapeHtml(text)}</strong>` : escapeHtml(text);
  return error === undefined ? value : `${value} <span class="error">(${escapeHtml(error)})</span>`;
}

function renderFigure(figure: Figure, number: number): string {
  const { id, title, caption } = figure;
  const svg = figureToSvg(figure);
  const isWide = Number(/ width="(\d+)/.exec(svg)?.[1]) > WIDE;
  const text = [caption, ...drawable(figure).notes].filter((part) => part !== undefined);
  return `<figure class="drawing${isWide ? " wide" : ""}" id="figure-${id}">
<div class="scroll"${isWide ? ` tabindex="0" role="region" aria-labelledby="figure-${id}--caption"` : ""}>
${svg}
</div>
<figcaption id="figure-${id}--caption"><strong>Figure ${number}. ${escapeHtml(title)}.</strong> ${text.map((part) => `${escapeHtml(part)} `).join("")}${files("figures", id, ["csv", "svg"])}</figcaption>
</figure>
`;
}

function files(folder: string, id: string, suffixes: readonly string[]): string {
  const links = suffixes.map(
    (suffix) => `<a href="${folder}/${id}.${suffix}">${suffix.toUpperCase()}</a>`,
  );
  return `<span class="files">${links.join(" · ")}</span>`;
}

function foot(links: readonly Link[]): string {
  if (links.length === 0) return "";
  const all = links.map(
    ({ path, text }) => `<a href="${escapeHtml(encodeURI(path))}">${escapeHtml(text)}</a>`,
  );
  return `<footer>Beside this page: ${all.join(" · ")}</footer>\n`;
}
