/**
 * What all matrix products share, whatever computes them.
 *
 *     nn  p[m, n] = Σ_k a[m, k] · b[k, n]
 *     nt  p[m, n] = Σ_k a[m, k] · b[n, k]
 *     tn  p[m, n] = Σ_k a[k, m] · b[k, n]
 *
 *     c (+)= f(scale · p + bias) + residual
 *
 * `a`, `c` and `residual` may be windows of columns of wider matrices, so that a product whose `b`
 * is too large to be bound at once can be computed part by part. Workgroups are numbered part by
 * part, too: parts are the matrices of a batch, or ranges of the depth whose sums are added later.
 */
import { type Activation, evaluationOf } from "./activation.wgsl.ts";
import { enableF16 } from "./elementwise.wgsl.ts";
import { paramsBinding, type Storage } from "./kernel.ts";

/** Which operand of a product is transposed: none, the second, or the first. */
export type Layout = "nn" | "nt" | "tn";

/** How each operand of a product with packed weights may be windowed. */
export const MATMUL_PARAMS = {
  numRows: "u32",
  numColumns: "u32",
  depth: "u32",
  aStride: "u32",
  aBegin: "u32",
  cStride: "u32",
  cBegin: "u32",
} as const;

/** Operands of a product with packed weights. */
export const MATMUL_BUFFERS = { a: "read", b: "read", bias: "read", c: "read_write" } as const;

const BATCH_PARAMS = {
  aBatch: "u32",
  bBatch: "u32",
  cBatch: "u32",
  numParts: "u32",
  partDepth: "u32",
  scale: "f32",
} as const;

/**
 * `aStride` and `cStride` are the columns of the matrices that `a` and `c` are windows of. Matrices
 * of a batch begin `aBatch`, `bBatch` and `cBatch` elements after each other. `partDepth`: terms
 * that each part sums where the depth is split.
 */
export const PRODUCT_PARAMS: typeof MATMUL_PARAMS & typeof BATCH_PARAMS = {
  ...MATMUL_PARAMS,
  ...BATCH_PARAMS,
};

/** Operands of every matrix product; `bias` and `residual` are bound, but unread, where absent. */
export const PRODUCT_BUFFERS = {
  a: "read",
  b: "read",
  bias: "read",
  residual: "read",
  c: "read_write",
} as const;

/** How each operand of a product is stored. */
export type ProductStorage = Readonly<Record<keyof typeof PRODUCT_BUFFERS, Storage>>;

/** What is done with a product before it is stored. */
export interface EpilogueConstants {
  /** Adds to `c` instead of storing. */
  readonly accumulate: boolean;
  /** Adds `bias[cBegin + n]` to every row. */
  readonly bias: boolean;
  /** The function of the sum. */
  readonly activation: Activation | "none";
  /** Adds `residual`, which is shaped and windowed as `c`. */
  readonly residual: boolean;
}

/** What the workgroups of a product are shared among. */
export type Parts = "one" | "batch" | "splits";

/** Constants of every product. */
export interface ProductConstants extends EpilogueConstants {
  readonly layout: Layout;
  /** Of each operand; sums are in f32. */
  readonly storage: ProductStorage;
  /**
   * `"batch"`: a part is a matrix. `"splits"`: a part is a range of the depth, and its sums are
   * stored to `c`, of f32 `[numParts, numRows, numColumns]`, as they are.
   */
  readonly parts: Parts;
}

/** `enable f16;` where an operand needs it; goes first in a kernel. */
export function enableF16Of(storage: Readonly<Record<string, Storage>>): string {
  return enableF16(Object.values(storage).includes("f16") ? "f16" : "f32");
}

/** Elements that a kernel reads at a time. */
export type Width = 1 | 4;

/** `f32`, or a vector of four. */
export function elementType(storage: Storage, width: Width): string {
  return width === 1 ? storage : `vec4<${storage}>`;
}

/** Declares the parameters and operands of a product, read so many elements at a time. */
export function productBindings(
  storage: ProductStorage,
  widths: Readonly<Record<"a" | "b" | "c", Width>>,
): string {
  const type = (name: keyof ProductStorage, width: Width) => elementType(storage[name], width);
  return `${paramsBinding(PRODUCT_PARAMS)}
    @group(0) @binding(1) var<storage, read> a: array<${type("a", widths.a)}>;
    @group(0) @binding(2) var<storage, read> b: array<${type("b", widths.b)}>;
    @group(0) @binding(3) var<storage, read> bias: array<${type("bias", widths.c)}>;          // [cStride]
    @group(0) @binding(4) var<storage, read> residual: array<${type("residual", widths.c)}>;  // [numRows, cStride]
    @group(0) @binding(5) var<storage, read_write> c: array<${type("c", widths.c)}>;          // [numRows, cStride]`;
}

/**
 * Declares `storeSum(part, m, n, sum)`: applies the epilogue to a sum, or to four neighbors of a row
 * where `width` is 4, and stores what comes of it. The caller checks that `m` and `n` lie within the
 * product.
 *
 * @param constants What to apply, and how `c`, `bias` and `residual` are stored.
 * @param width Elements at a time; 4 only where `cStride`, `cBegin`, `cBatch` and `numColumns` are
 *   multiples of four.
 */
export function storeSum(
  { storage, parts, ...epilogue }: Omit<ProductConstants, "layout">,
  width: Width,
): string {
  const type = elementType("f32", width);
  const at = (index: string) => (width === 1 ? index : `(${index}) / 4u`);
  if (parts === "splits") {
    return `fn storeSum(part: u32, m: u32, n: u32, sum: ${type}) {
      c[${at("(part * params.numRows + m) * params.numColumns + n")}] = sum;
    }`;
  }
  const begin = parts === "batch" ? "part * params.cBatch + " : "";
  return `${finishFunction({ ...epilogue, storage }, width)}
    fn storeSum(part: u32, m: u32, n: u32, sum: ${type}) {
      let column = params.cBegin + n;
      finish(${at(`${begin}m * params.cStride + column`)}, ${at("column")}, sum);
    }`;
}

/** Declares `finish(i, column, sum)`: applies the epilogue and stores to `c[i]`. */
export function finishFunction(
  {
    storage,
    accumulate,
    bias,
    activation,
    residual,
  }: EpilogueConstants & { readonly storage: Pick<ProductStorage, "c"> },
  width: Width,
): string {
  const type = elementType("f32", width);
  const activate = width === 1 ? "activate(value)" : `${type}(${eachOf("activate(value.#)")})`;
  return `${activation === "none" ? "" : `fn activate(x: f32) -> f32 { ${evaluationOf(activation, "x")} return y; }`}
    fn finish(i: u32, column: u32, sum: ${type}) {
      var value = params.scale * sum;
      ${bias ? `value += ${type}(bias[column]);` : ""}
      ${activation === "none" ? "" : `value = ${activate};`}
      ${residual ? `value += ${type}(residual[i]);` : ""}
      ${accumulate ? `value += ${type}(c[i]);` : ""}
      c[i] = ${elementType(storage.c, width)}(value);
    }`;
}

const eachOf = (text: string): string =>
  ["x", "y", "z", "w"].map((component) => text.replace("#", component)).join(", ");

/**
 * WGSL statements that tell a workgroup its place: `part`, `row` and `column` of a tile of so many
 * rows and columns, where the operands begin (`aBegin`, `bBegin`), and the terms to sum, from
 * `kBegin` up to `kEnd`. Workgroups beyond the product return.
 */
export function placeOfTile(parts: Parts, rows: number, columns: number): string {
  const isOne = parts === "one";
  const batch = (name: "a" | "b") => (parts === "batch" ? `part * params.${name}Batch` : "0u");
  return `let tilesAcross = (params.numColumns + ${columns - 1}u) / ${columns}u;
      let index = workgroup.y * grid.x + workgroup.x;
      let tilesOfPart = ${isOne ? "0u" : `(params.numRows + ${rows - 1}u) / ${rows}u * tilesAcross`};
      let part = ${isOne ? "0u" : "index / tilesOfPart"};
      let tile = ${isOne ? "index" : "index % tilesOfPart"};
      let row = tile / tilesAcross * ${rows}u;
      let column = tile % tilesAcross * ${columns}u;
      if (${isOne ? "row >= params.numRows" : "part >= params.numParts"}) { return; }
      let aBegin = params.aBegin + ${batch("a")};
      let bBegin = ${batch("b")};
      let kBegin = ${parts === "splits" ? "part * params.partDepth" : "0u"};
      let kEnd = ${parts === "splits" ? "min(kBegin + params.partDepth, params.depth)" : "params.depth"};`;
}
