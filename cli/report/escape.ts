/**
 * Text of people and of data, made harmless in each language that reports are written in.
 */

/** What LaTeX reads as a command, or does not know, as what it prints. */
const LATEX: Readonly<Record<string, string>> = {
  "\\": "\\textbackslash{}",
  "{": "\\{",
  "}": "\\}",
  $: "\\$",
  "&": "\\&",
  "#": "\\#",
  "%": "\\%",
  _: "\\_",
  "^": "\\textasciicircum{}",
  "~": "\\textasciitilde{}",
  "<": "\\textless{}",
  ">": "\\textgreater{}",
  "|": "\\textbar{}",
  '"': "\\textquotedbl{}",
  "`": "\\textasciigrave{}",
  "[": "{[}", // behind a line break it would be an option
  "]": "{]}",
  "-": "{-}", // two in a row would be a dash
  "−": "$-$",
  "±": "$\\pm$",
  "×": "$\\times$",
  "≤": "$\\leq$",
  "≥": "$\\geq$",
  "≈": "$\\approx$",
  "→": "$\\rightarrow$",
  "∞": "$\\infty$",
  Δ: "$\\Delta$",
};

/**
 * Text that every language can hold: no control characters (a line break becomes a space), no
 * halves of surrogate pairs, no characters that turn the direction of what stands beside them.
 */
export function plainText(text: string): string {
  return text
    .replaceAll(/[\t\n\r\u0085\u2028\u2029]+/g, " ")
    .replaceAll(/[\p{Cc}\u202A-\u202E\u2066-\u2069\uFFFE\uFFFF]/gu, "\uFFFD")
    .replaceAll(/\p{Cs}/gu, "\uFFFD");
}

/** Text for HTML and XML: between tags, and in attributes in double quotes. */
export function escapeHtml(text: string): string {
  return plainText(text)
    .replaceAll("&", "&amp;")
    .replaceAll("<", "&lt;")
    .replaceAll(">", "&gt;")
    .replaceAll('"', "&quot;")
    .replaceAll("'", "&#39;");
}

/** Text for LaTeX, in paragraphs and in cells of tables; pdfLaTeX reads it as UTF-8. */
export function escapeLatex(text: string): string {
  return Array.from(plainText(text), (char) => LATEX[char] ?? char).join("");
}

/**
 * Text for Markdown (CommonMark, tables as GitHub has them): nothing in it is a tag, a link, an
 * emphasis, the border of a cell, a formula, or the start of a list or a heading.
 */
export function escapeMarkdown(text: string): string {
  return plainText(text)
    .trim()
    .replaceAll(/[\\`*_[\]|~$#!@]/g, String.raw`\$&`)
    .replaceAll("&", "&amp;")
    .replaceAll("<", "&lt;")
    .replaceAll(">", "&gt;")
    .replaceAll("://", ":&#47;/") // no link is made of an address either
    .replaceAll(/www\./gi, (address) => address.replace(".", "&#46;"))
    .replace(/^[-+=:]/, String.raw`\$&`)
    .replace(/^(\d+)([.)])(?=\s|$)/, String.raw`$1\$2`);
}

/**
 * A field of a CSV file. Numbers stay numbers; text that a spreadsheet would run as a formula
 * gets a single quote in front.
 *
 * @see https://owasp.org/www-community/attacks/CSV_Injection
 */
export function csvField(value: string | number | null): string {
  if (value === null) return "";
  if (typeof value === "number") return csvNumber(value);
  const text = value.replaceAll(/\p{Cs}/gu, "\uFFFD");
  const safe = /^[=+\-@\t\r\n＝＋－＠]/.test(text) && !isNumeral(text) ? `'${text}` : text;
  return /[",\r\n]|^\s|\s$/.test(safe) ? `"${safe.replaceAll('"', '""')}"` : safe;
}

/** Rows as a CSV file (RFC 4180, with line feeds). */
export function csvLines(rows: readonly (readonly (string | number | null)[])[]): string {
  return rows.map((row) => `${row.map(csvField).join(",")}\n`).join("");
}

/** A number that R, Python and spreadsheets read back, exactly. */
function csvNumber(value: number): string {
  if (Number.isNaN(value)) return "NaN";
  if (!Number.isFinite(value)) return value > 0 ? "Inf" : "-Inf";
  return String(value);
}

function isNumeral(text: string): boolean {
  return /^-(?:\d+(?:\.\d*)?|\.\d+)(?:[eE][-+]?\d+)?$/.test(text);
}
