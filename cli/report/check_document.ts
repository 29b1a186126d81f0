import type { Figure, ReportDocument, Table } from "./document.ts";

/** Letters and digits, words joined by "-": a file name on every system, and an anchor. */
const ID = /^[a-z0-9]+(?:-[a-z0-9]+)*$/;

/** Room for a suffix in the 255 bytes of a file name, and for a path around it on Windows. */
const MAX_ID_LENGTH = 100;

/** Devices of Windows: no file may be called so, whatever its suffix. */
const DEVICE = /^(?:con|prn|aux|nul|com\d|lpt\d)$/;

/**
 * Checks an id, which becomes the name of files.
 *
 * @param what What it is the id of, for the error.
 * @throws {RangeError} If it is not lower case letters and digits, words joined by "-".
 */
export function checkId(id: string, what: string): void {
  if (ID.test(id) && id.length <= MAX_ID_LENGTH && !DEVICE.test(id)) return;
  throw new RangeError(
    `Cannot name a ${what}: its id must be lower case letters and digits in words joined by "-", ` +
      `${MAX_ID_LENGTH} at most and no device of Windows, got ${JSON.stringify(id)}`,
  );
}

/**
 * Checks that a document can be written: ids are names of files, none twice, and tables and heat
 * maps are rectangles.
 *
 * @throws {RangeError} If not.
 */
export function checkDocument(document: ReportDocument): void {
  const sections = document.sections.map(({ id }) => id);
  sections.forEach((id) => checkId(id, "section"));
  checkUnique(sections, "sections");
  const tables = document.sections.flatMap((section) => section.tables);
  tables.forEach(checkTable);
  checkUnique(idsOf(tables), "tables");
  const figures = document.sections.flatMap((section) => section.figures);
  figures.forEach(checkFigure);
  checkUnique(idsOf(figures), "figures");
}

/**
 * Checks the id of a table, and that each row has one cell a column.
 *
 * @throws {RangeError} If not.
 */
export function checkTable({ id, columns, rows }: Table): void {
  checkId(id, "table");
  const row = rows.findIndex((cells) => cells.length !== columns.length);
  if (row < 0) return;
  throw new RangeError(
    `Cannot write table "${id}": each row must have ${columns.length} cells, one a column, ` +
      `got ${rows[row]!.length} in row ${row + 1}`,
  );
}

/**
 * Checks the id of a figure, and that a heat map has one value a cell.
 *
 * @throws {RangeError} If not.
 */
export function checkFigure(figure: Figure): void {
  checkId(figure.id, "figure");
  if (figure.kind !== "heat map") return;
  const { id, rows, columns, values } = figure;
  const isRectangle =
    values.length === rows.length && values.every((row) => row.length === columns.length);
  if (isRectangle) return;
  throw new RangeError(
    `Cannot write figure "${id}": its values must be [${rows.length}, ${columns.length}], ` +
      `got ${values.length} rows of ${[...new Set(values.map((row) => row.length))].join(", ")}`,
  );
}

function idsOf(things: readonly { readonly id: string }[]): string[] {
  return things.map(({ id }) => id);
}

function checkUnique(ids: readonly string[], what: string): void {
  const repeated = ids.find((id, index) => ids.indexOf(id) !== index);
  if (repeated === undefined) return;
  throw new RangeError(
    `Cannot write a report: ids of ${what} must be unique, got "${repeated}" twice`,
  );
}
