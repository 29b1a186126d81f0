import type { SparseRows } from "../../engine/sparse_input.ts";

/** Person-years as a softmax regression reads them. */
export interface Design {
  readonly numRows: number;
  /** Categories and numbers of each row, of `numFeatures` columns. */
  readonly sparse: SparseRows;
  readonly numFeatures: number;
  /** Columns that every row fills, `[numRows, numColumns]`. */
  readonly dense?: DenseColumns;
  /** Class of each row, `[numRows]`, below the number of classes. */
  readonly targets: Uint32Array<ArrayBuffer>;
}

/** Rows that are full. */
export interface DenseColumns {
  readonly numColumns: number;
  /** Row-major. */
  readonly values: Float32Array<ArrayBuffer>;
}

/** Rows `[begin, end)` of sparse rows, as sparse rows of their own. */
export function sliceRows(
  { starts, columns, values }: SparseRows,
  begin: number,
  end: number,
): SparseRows {
  const [from, to] = [starts[begin]!, starts[end]!];
  return {
    starts: starts.slice(begin, end + 1).map((start) => start - from),
    columns: columns.slice(from, to),
    ...(values !== undefined && { values: values.slice(from, to) }),
  };
}

/** Entries of sparse rows, gathered one row after another. */
export class SparseBuilder {
  readonly #starts: number[] = [0];
  readonly #columns: number[] = [];
  readonly #values: number[] = [];

  /** Adds an entry to the row under way. */
  add(column: number, value = 1): void {
    this.#columns.push(column);
    this.#values.push(value);
  }

  /** Ends the row under way. */
  endRow(): void {
    this.#starts.push(this.#columns.length);
  }

  build(): Required<SparseRows> {
    return {
      starts: Uint32Array.from(this.#starts),
      columns: Uint32Array.from(this.#columns),
      values: Float32Array.from(this.#values),
    };
  }
}
