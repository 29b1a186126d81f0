import { COLORS } from "./plots/palette.ts";

/** Colors of plots on dark pages in place of those on light ones. */
const DARK_PLOTS = COLORS.map(
  ({ light, dark }) =>
    `.plot [fill="${light}"]{fill:${dark}}.plot [stroke="${light}"]{stroke:${dark}}`,
).join("\n  ");

/**
 * The style of reports: system fonts, light or dark as the reader's system is, telephones, paper.
 */
export const STYLE = `
:root {
  color-scheme: light dark;
  --page: #fdfcfa; --ink: #1e1e22; --soft: #5c5c66; --line: #dedbd4; --tint: #f4f2ec;
  --accent: #0b5394;
  --serif: Charter, "Bitstream Charter", "Sitka Text", Cambria, Georgia, serif;
  --sans: system-ui, -apple-system, "Segoe UI", Roboto, "Helvetica Neue", sans-serif;
}
@media screen and (prefers-color-scheme: dark) {
  :root {
    --page: #17181b; --ink: #e8e6e1; --soft: #a5a5ae; --line: #35363b; --tint: #202125;
    --accent: #8cbcf2;
  }
  ${DARK_PLOTS}
}
* { box-sizing: border-box; }
html { background: var(--page); color: var(--ink); -webkit-text-size-adjust: 100%; }
body { margin: 0 auto; padding: 2.5rem 1.25rem 5rem; max-width: 52rem;
  font: 1.0625rem/1.6 var(--serif); overflow-wrap: break-word; }
h1, h2 { line-height: 1.2; font-weight: 600; text-wrap: balance; }
h1 { font-size: 2.1rem; letter-spacing: -0.01em; margin: 0 0 1.5rem; }
h2 { font-size: 1.45rem; margin: 4rem 0 1rem; padding-top: 1.25rem; border-top: 1px solid var(--line); }
h2 a { color: inherit; text-decoration: none; }
h2 a:hover { text-decoration: underline; }
p { margin: 0 0 1rem; max-width: 42rem; text-wrap: pretty; }
a { color: var(--accent); text-underline-offset: 0.15em; }
a:focus-visible, .scroll:focus-visible { outline: 2px solid var(--accent); outline-offset: 2px; }
.facts { display: grid; grid-template-columns: max-content 1fr; gap: 0.25rem 1.25rem;
  margin: 0 0 2rem; font: 0.9rem/1.5 var(--sans); }
.facts dt { color: var(--soft); }
.facts dd { margin: 0; min-width: 0; font-variant-numeric: tabular-nums; }
nav { font: 0.9rem/1.5 var(--sans); padding: 1rem 1.25rem; background: var(--tint); border-radius: 6px; }
nav p { margin: 0 0 0.4rem; font-weight: 600; }
nav ol { margin: 0; padding: 0; list-style: none; columns: 2 16rem; column-gap: 2rem; }
nav a { text-decoration: none; }
nav a:hover { text-decoration: underline; }
figure { margin: 2.25rem 0; break-inside: avoid; }
figcaption { font: 0.875rem/1.5 var(--sans); color: var(--soft); }
figcaption strong { color: var(--ink); font-weight: 600; }
.table figcaption { margin-bottom: 0.6rem; }
.drawing figcaption { margin-top: 0.6rem; }
.files { white-space: nowrap; }
.note { font: 0.84rem/1.5 var(--sans); color: var(--soft); margin: 0.5rem 0 0; }
.scroll { overflow-x: auto; }
table { border-collapse: collapse; font: 0.875rem/1.4 var(--sans); min-width: 60%;
  border-top: 1.5px solid var(--ink); border-bottom: 1.5px solid var(--ink); }
th, td { padding: 0.4rem 0.6rem; text-align: left; vertical-align: baseline; font-weight: 400; }
th:first-child, td:first-child { padding-left: 0.25rem; }
tbody th, td:not(.number) { min-width: 9rem; }
th:last-child, td:last-child { padding-right: 0.25rem; }
thead th { font-weight: 600; vertical-align: bottom; border-bottom: 1px solid var(--ink); }
tbody tr + tr > * { border-top: 1px solid var(--line); }
tbody tr:hover > * { background: var(--tint); }
.number { text-align: right; font-variant-numeric: tabular-nums lining-nums; }
td.number { white-space: nowrap; }
.error { color: var(--soft); font-size: 0.86em; }
.best { font-weight: 600; }
.plot { display: block; max-width: 100%; height: auto; font-family: var(--sans); overflow: visible; }
.wide .plot { min-width: 34rem; }
footer { margin-top: 4rem; padding-top: 1rem; border-top: 1px solid var(--line);
  font: 0.875rem/1.5 var(--sans); color: var(--soft); }
@media (max-width: 36rem) {
  body { padding-top: 1.5rem; font-size: 1rem; }
  h1 { font-size: 1.65rem; }
  .facts { grid-template-columns: 1fr; gap: 0; }
  .facts dd { margin-bottom: 0.5rem; }
}
@media print {
  :root { --page: #fff; --ink: #000; --soft: #444; --line: #bbb; --tint: #fff; --accent: #000; }
  body { max-width: none; padding: 0; font-size: 10.5pt; }
  nav, .files { display: none; }
  h2 { margin-top: 2rem; break-after: avoid; }
  tr { break-inside: avoid; }
  thead { display: table-header-group; }
  .table { break-inside: auto; }
  .scroll { overflow: visible; }
  table { font-size: 8pt; }
  th, td { padding: 0.2rem 0.35rem; }
  .wide .plot { min-width: 0; }
}
`;
