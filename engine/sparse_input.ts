import type { Gpu } from "./gpu.ts";
import type { Tensor } from "./tensor.ts";

/** Rows of few entries, in the compressed form of rows. */
export interface SparseRows {
  /** `[numRows + 1]`, ascending: entries of row `r` are `starts[r]` up to `starts[r + 1]`. */
  readonly starts: Uint32Array<ArrayBuffer>;
  /** Column of each entry, `[numEntries]`; one may occur twice in a row, which adds up. */
  readonly columns: Uint32Array<ArrayBuffer>;
  /** Value of each entry, `[numEntries]`; ones where absent. */
  readonly values?: Float32Array<ArrayBuffer>;
}

/** Sizes of a {@linkcode SparseInput}. */
export interface SparseInputOptions {
  readonly numRows: number;
  /** Columns of the sparse rows: rows of the table that they multiply. */
  readonly numFeatures: number;
  /** Most entries of all rows together. */
  readonly maxEntries: number;
  /** Shown in errors and descriptions. @default {"sparse rows"} */
  readonly label?: string;
}

/** Sparse rows as data of a plan, sorted by row and by column for both directions. */
export class SparseInput {
  readonly numRows: number;
  readonly numFeatures: number;
  readonly maxEntries: number;
  /** As in {@linkcode SparseRows}. */
  readonly starts: Tensor;
  readonly columns: Tensor;
  readonly values: Tensor;
  /** The same by column: `[numFeatures + 1]`, and row and value of each entry, `[maxEntries]`. */
  readonly columnStarts: Tensor;
  readonly rows: Tensor;
  readonly rowValues: Tensor;
  readonly #gpu: Gpu;

  /** Allocates the tensors; all rows are empty until {@linkcode write}. */
  constructor(gpu: Gpu, options: SparseInputOptions) {
    const { numRows, numFeatures, maxEntries, label = "sparse rows" } = options;
    const tensor = (name: string, length: number, dtype: "u32" | "f32" = "u32"): Tensor =>
      gpu.tensor([length], { label: `${label}.${name}`, dtype });
    this.#gpu = gpu;
    this.numRows = numRows;
    this.numFeatures = numFeatures;
    this.maxEntries = Math.max(1, maxEntries);
    this.starts = tensor("starts", numRows + 1);
    this.columns = tensor("columns", this.maxEntries);
    this.values = tensor("values", this.maxEntries, "f32");
    this.columnStarts = tensor("columnStarts", numFeatures + 1);
    this.rows = tensor("rows", this.maxEntries);
    this.rowValues = tensor("rowValues", this.maxEntries, "f32");
  }

  /**
   * Sets the rows of the next step; rows that are not given are empty.
   *
   * @throws {RangeError} If there are too many rows or entries, or a column is out of range.
   */
  write(sparse: SparseRows): void {
    const { starts, columns, values = new Float32Array(columns.length).fill(1) } = sparse;
    this.#check(sparse);
    const padded = new Uint32Array(this.numRows + 1).fill(columns.length);
    padded.set(starts);
    const byColumn = transposed({ starts, columns, values }, this.numFeatures);
    this.#gpu.write(this.starts, padded);
    this.#gpu.write(this.columnStarts, byColumn.starts);
    if (columns.length === 0) return;
    this.#gpu.write(this.columns, columns, { offset: 0 });
    this.#gpu.write(this.values, values, { offset: 0 });
    this.#gpu.write(this.rows, byColumn.columns, { offset: 0 });
    this.#gpu.write(this.rowValues, byColumn.values, { offset: 0 });
  }

  #check({ starts, columns, values }: SparseRows): void {
    const cannot = (must: string, got: string | number | undefined) =>
      new RangeError(`Cannot write "${this.starts.label}": ${must}, got ${got}`);
    if (starts.length > this.numRows + 1 || starts.length === 0) {
      throw cannot(`there must be 0 to ${this.numRows} rows`, starts.length - 1);
    }
    if (columns.length > this.maxEntries) {
      throw cannot(`there must be at most ${this.maxEntries} entries`, columns.length);
    }
    if (starts.at(-1) !== columns.length || starts[0] !== 0) {
      throw cannot(
        `starts must go from 0 to ${columns.length}`,
        `${starts[0]} to ${starts.at(-1)}`,
      );
    }
    if (values !== undefined && values.length !== columns.length) {
      throw cannot(`there must be ${columns.length} values`, values.length);
    }
    const descent = starts.findIndex((start, row) => row > 0 && start < starts[row - 1]!);
    if (descent >= 0) throw cannot("starts must ascend", `${starts[descent]} at ${descent}`);
    const wrong = columns.findIndex((column) => column >= this.numFeatures);
    if (wrong >= 0) throw cannot(`columns must be below ${this.numFeatures}`, columns[wrong]);
  }

  /** Frees the memory. */
  destroy(): void {
    const { starts, columns, values, columnStarts, rows, rowValues } = this;
    for (const { buffer } of [starts, columns, values, columnStarts, rows, rowValues]) {
      buffer?.destroy();
    }
  }
}

/** Entries sorted by column, rows ascending within each; a counting sort. */
function transposed(
  { starts, columns, values }: Required<SparseRows>,
  numColumns: number,
): Required<SparseRows> {
  const ends = new Uint32Array(numColumns + 1);
  for (const column of columns) ends[column + 1]! += 1;
  for (let column = 0; column < numColumns; column++) ends[column + 1]! += ends[column]!;
  const columnStarts = ends.slice();
  const rows = new Uint32Array(columns.length);
  const rowValues = new Float32Array(columns.length);
  for (let row = 0; row + 1 < starts.length; row++) {
    for (let k = starts[row]!; k < starts[row + 1]!; k++) {
      const at = ends[columns[k]!]!++;
      rows[at] = row;
      rowValues[at] = values[k]!;
    }
  }
  return { starts: columnStarts, columns: rows, values: rowValues };
}
