/**
 * Matrix products for GPUs: tiles of both operands staged in workgroup memory, a register tile a
 * lane; see `linear_product.wgsl.ts` for the formulas.
 *
 * Both staged tiles are stored with `k` outermost, in vectors of four, each `k` padded by one vector
 * against bank conflicts. A lane's rows and columns are vectors that lie a workgroup's lanes apart,
 * so that neighboring lanes read neighboring vectors. A barrier stands before each tile is read and
 * another before it is overwritten.
 *
 * Indices are clamped rather than tested; what lies beyond the depth counts as zero in both
 * operands, and what lies beyond rows and columns is computed, but not stored.
 */
import { type Kernel } from "./kernel.ts";
import {
  enableF16Of,
  placeOfTile,
  PRODUCT_BUFFERS,
  PRODUCT_PARAMS,
  productBindings,
  type ProductConstants,
  storeSum,
  type Width,
} from "./linear_product.wgsl.ts";
import { each, wgsl } from "./wgsl.ts";

/** Constants of {@linkcode matmulTiled}; all sizes are multiples of four. */
export interface MatmulTiledConstants extends ProductConstants {
  /** Outputs of a workgroup. */
  readonly tileRows: number;
  readonly tileColumns: number;
  /** Terms that are staged at a time. */
  readonly tileDepth: number;
  /** Outputs of a lane. */
  readonly laneRows: number;
  readonly laneColumns: number;
  /** Loads the next tile into registers while one is multiplied. */
  readonly prefetch: boolean;
  /**
   * Elements of each operand that are read or written at a time; 4 only where the axis that lies
   * contiguous, its window and its stride are multiples of four.
   */
  readonly widths: Readonly<Record<"a" | "b" | "c", Width>>;
}

/** Lanes of a workgroup. */
export function tiledLanes(
  sizes: Pick<MatmulTiledConstants, "tileRows" | "tileColumns" | "laneRows" | "laneColumns">,
): number {
  return (sizes.tileRows / sizes.laneRows) * (sizes.tileColumns / sizes.laneColumns);
}

/** Bytes of workgroup memory that the staged tiles take. */
export function tiledBytes(
  sizes: Pick<MatmulTiledConstants, "tileRows" | "tileColumns" | "tileDepth">,
): number {
  return 16 * sizes.tileDepth * (strideOf(sizes.tileRows) + strideOf(sizes.tileColumns));
}

/** Vectors from one `k` of a staged tile to the next. */
const strideOf = (length: number): number => length / 4 + 1;

/** One operand as it is staged. */
interface Staging {
  readonly name: "a" | "b";
  /** Rows or columns of the tile. */
  readonly length: number;
  /** WGSL: the first of them, and how many there are in all. */
  readonly first: "row" | "column";
  readonly count: string;
  /** WGSL: elements from one row of memory to the next. */
  readonly stride: string;
  /** Whether neighbors in memory differ in `k`. */
  readonly isDeep: boolean;
  readonly width: Width;
  readonly depth: number;
  readonly lanes: number;
}

/** `c (+)= f(scale · a · b + bias) + residual`, a tile of outputs a workgroup. */
export const matmulTiled: Kernel<
  MatmulTiledConstants,
  typeof PRODUCT_PARAMS,
  typeof PRODUCT_BUFFERS
> = {
  name: "matmulTiled",
  params: PRODUCT_PARAMS,
  buffers: PRODUCT_BUFFERS,
  code: (constants) => {
    const { layout, storage, parts, tileRows, tileColumns, tileDepth } = constants;
    const { laneRows, laneColumns, prefetch, widths } = constants;
    const lanes = tiledLanes(constants);
    const lanesAcross = tileColumns / laneColumns;
    const lanesDown = tileRows / laneRows;
    const shared = { depth: tileDepth, lanes };
    const operands: readonly Staging[] = [
      {
        ...shared,
        name: "a",
        length: tileRows,
        first: "row",
        count: "params.numRows",
        stride: "params.aStride",
        isDeep: layout !== "tn",
        width: widths.a,
      },
      {
        ...shared,
        name: "b",
        length: tileColumns,
        first: "column",
        count: "params.numColumns",
        stride: layout === "nt" ? "params.depth" : "params.numColumns",
        isDeep: layout === "nt",
        width: widths.b,
      },
    ];
    const all = (statements: (operand: Staging) => string) => operands.map(statements).join("\n");
    const fetchAt = (begin: string) => `{ let next = ${begin}; ${all(fetch)} }`;
    const vectors = laneColumns / 4;
    const unroll = Math.min(4, Math.max(2, 128 / (laneRows * laneColumns)));
    return wgsl`
    ${enableF16Of(storage)}
    ${productBindings(storage, widths)}

    var<workgroup> aTile: array<vec4f, ${tileDepth * strideOf(tileRows)}>;  // [tileDepth, tileRows / 4]
    var<workgroup> bTile: array<vec4f, ${tileDepth * strideOf(tileColumns)}>;  // [tileDepth, tileColumns / 4]

    ${storeSum(constants, widths.c)}
    ${storeFour(widths.c)}

    @compute @workgroup_size(${lanes})
    fn main(
      @builtin(workgroup_id) workgroup: vec3u,
      @builtin(num_workgroups) grid: vec3u,
      @builtin(local_invocation_index) lane: u32,
    ) {
      ${placeOfTile(parts, tileRows, tileColumns)}
      let laneRow = lane / ${lanesAcross}u;
      let laneColumn = lane % ${lanesAcross}u;
      ${all(declare)}
      ${each(laneRows, (r) => each(vectors, (j) => `var sum${r}x${j} = vec4f();`))}

      ${prefetch ? fetchAt("kBegin") : ""}
      for (var begin = kBegin; begin < kEnd; begin += ${tileDepth}u) {
        ${prefetch ? "" : fetchAt("begin")}
        ${all(put)}
        workgroupBarrier();
        ${prefetch ? fetchAt(`begin + ${tileDepth}u`) : ""}
        let numTurns = (min(${tileDepth}u, kEnd - begin) + ${unroll - 1}u) / ${unroll}u;
        for (var turn = 0u; turn < numTurns; turn++) {
          let k = turn * ${unroll}u;
          ${each(unroll, (u) => multiply(constants, u))}
        }
        workgroupBarrier();
      }

      ${each(laneRows, (r) => each(vectors, (j) => `storeFour(part, row + 4u * (laneRow + ${(r >> 2) * lanesDown}u) + ${r % 4}u, column + 4u * (laneColumn + ${j * lanesAcross}u), sum${r}x${j});`))}
    }`;
  },
};

/** Multiplies what is staged for term `k + term`. */
function multiply(constants: MatmulTiledConstants, term: number): string {
  const { tileRows, tileColumns, laneRows, laneColumns } = constants;
  const lanesAcross = tileColumns / laneColumns;
  const lanesDown = tileRows / laneRows;
  const vectors = laneColumns / 4;
  const [x, y] = [`x${term}x`, `y${term}x`];
  const a = (i: number) =>
    `let ${x}${i} = aTile[(k + ${term}u) * ${strideOf(tileRows)}u + laneRow + ${i * lanesDown}u];`;
  const b = (j: number) =>
    `let ${y}${j} = bTile[(k + ${term}u) * ${strideOf(tileColumns)}u + laneColumn + ${j * lanesAcross}u];`;
  const add = (r: number, j: number) =>
    `sum${r}x${j} = fma(vec4f(${x}${r >> 2}.${"xyzw"[r % 4]!}), ${y}${j}, sum${r}x${j});`;
  return `${each(laneRows / 4, a)}
          ${each(vectors, b)}
          ${each(laneRows, (r) => each(vectors, (j) => add(r, j)))}`;
}

/** Declares `storeFour()`: stores what lies within the product of four neighbors of a row. */
function storeFour(width: Width): string {
  return `fn storeFour(part: u32, m: u32, n: u32, sum: vec4f) {
      if (m >= params.numRows) { return; }
      ${
        width === 4
          ? "if (n < params.numColumns) { storeSum(part, m, n, sum); }"
          : each(
              4,
              (i) =>
                `if (n + ${i}u < params.numColumns) { storeSum(part, m, n + ${i}u, sum.${"xyzw"[i]!}); }`,
            )
      }
    }`;
}

/**
 * A lane stages units: vectors along rows or columns at one `k`, or, where memory lies along `k` and
 * is read four at a time, blocks of 4 × 4, which the lane transposes.
 */
function unitsOf({ length, depth, isDeep, width, lanes }: Staging) {
  const isBlock = isDeep && width === 4;
  const count = (length / 4) * (isBlock ? depth / 4 : depth);
  return { isBlock, count, steps: Math.ceil(count / lanes), isRagged: count % lanes !== 0 };
}

/** Where a lane's units lie, and registers to hold them. */
function declare(staging: Staging): string {
  const { name, length, first, count, stride, isDeep, width, depth, lanes } = staging;
  const { isBlock, steps } = unitsOf(staging);
  const deep = isBlock ? depth / 4 : depth;
  return each(steps, (s) => {
    const unit = `(lane + ${s * lanes}u)`;
    const vector = isDeep ? `${unit} / ${deep}u` : `${unit} % ${length / 4}u`;
    const k = isDeep ? `${unit} % ${deep}u` : `${unit} / ${length / 4}u`;
    const at = (i: number) => `${name}First${s} + ${i}u`;
    const bases = isDeep
      ? each(
          4,
          (i) =>
            `let ${name}Base${s}x${i} = ${name}Begin + min(${at(i)}, ${count} - 1u) * ${stride};`,
        )
      : each(width === 4 ? 1 : 4, (i) =>
          width === 4
            ? `let ${name}Base${s}x0 = ${name}Begin + select(${at(0)}, 0u, ${at(0)} >= ${count});`
            : `let ${name}Base${s}x${i} = ${name}Begin + min(${at(i)}, ${count} - 1u);`,
        );
    return `let ${name}Vector${s} = ${vector};
      let ${name}Deep${s} = ${isBlock ? `4u * (${k})` : k};
      let ${name}First${s} = ${first} + 4u * ${name}Vector${s};
      ${bases}
      ${each(isBlock ? 4 : 1, (i) => `var ${name}Held${s}x${i} = vec4f();`)}`;
  });
}

/** Reads the units of the tile that begins at `next`, zero beyond the depth. */
function fetch(staging: Staging): string {
  const { name, stride, isDeep, width } = staging;
  const { isBlock, steps } = unitsOf(staging);
  return each(steps, (s) => {
    const k = `${name}K${s}`;
    const at = (i: number) =>
      isDeep ? `${name}Base${s}x${i} + ${k}` : `${k} * ${stride} + ${name}Base${s}x${i}`;
    const vector = (i: number) => `vec4f(${name}[(${at(i)}) / 4u])`;
    const four = `vec4f(${Array.from({ length: 4 }, (_, i) => `f32(${name}[${at(i)}])`).join(", ")})`;
    const held = (i: number) => `${name}Held${s}x${i}`;
    const read = (i: number) =>
      `${held(i)} = select(vec4f(), ${width === 4 ? vector(i) : four}, ${name}IsWithin${s});`;
    return guarded(
      staging,
      s,
      `let ${name}IsWithin${s} = next + ${name}Deep${s} < kEnd;
        let ${k} = min(next + ${name}Deep${s}, kEnd - ${isBlock ? 4 : 1}u);
        ${each(isBlock ? 4 : 1, read)}`,
    );
  });
}

/** Stores what {@linkcode fetch} read to workgroup memory. */
function put(staging: Staging): string {
  const { name, length } = staging;
  const { isBlock, steps } = unitsOf(staging);
  const held = (s: number, i: number) => `${name}Held${s}x${i}`;
  const at = (s: number, i: number) =>
    `${name}Tile[(${name}Deep${s} + ${i}u) * ${strideOf(length)}u + ${name}Vector${s}]`;
  const column = (s: number, component: string) =>
    `vec4f(${Array.from({ length: 4 }, (_, i) => `${held(s, i)}.${component}`).join(", ")})`;
  return each(steps, (s) =>
    guarded(
      staging,
      s,
      isBlock
        ? each(4, (i) => `${at(s, i)} = ${column(s, "xyzw"[i]!)};`)
        : `${at(s, 0)} = ${held(s, 0)};`,
    ),
  );
}

/** Leaves out lanes that have no unit in the last step. */
function guarded(staging: Staging, step: number, statements: string): string {
  const { count, steps, isRagged } = unitsOf(staging);
  return isRagged && step === steps - 1
    ? `if (lane < ${count - step * staging.lanes}u) { ${statements} }`
    : `{ ${statements} }`;
}
