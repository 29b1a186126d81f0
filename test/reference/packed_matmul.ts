/** A matrix product of windows, by its definition. */
export interface Product {
  /** `"nt"`: the weight is `[numColumns, depth]`; `"nn"`: it is `[depth, numColumns]`. */
  readonly layout: "nt" | "nn";
  readonly numRows: number;
  readonly numColumns: number;
  readonly depth: number;
  /** Columns of the whole of `a` and of `c`, and where the product's begin. */
  readonly aStride: number;
  readonly aBegin: number;
  readonly cStride: number;
  readonly cBegin: number;
  readonly a: Float32Array<ArrayBuffer>;
  readonly weight: Float32Array<ArrayBuffer>;
  readonly bias: Float32Array<ArrayBuffer> | undefined;
  /** What `c` holds before. */
  readonly c: Float32Array<ArrayBuffer>;
  readonly accumulate: boolean;
}

/** `c` after the product, in float64; columns outside the window stay as they were. */
export function packedMatmulReference(product: Product): Float64Array {
  const { layout, numRows, numColumns, depth, a, weight, bias } = product;
  const c = Float64Array.from(product.c);
  for (let m = 0; m < numRows; m++) {
    for (let n = 0; n < numColumns; n++) {
      let sum = bias?.[product.cBegin + n] ?? 0;
      for (let k = 0; k < depth; k++) {
        const w = weight[layout === "nt" ? n * depth + k : k * numColumns + n]!;
        sum += a[m * product.aStride + product.aBegin + k]! * w;
      }
      const at = m * product.cStride + product.cBegin + n;
      c[at] = product.accumulate ? c[at]! + sum : sum;
    }
  }
  return c;
}
