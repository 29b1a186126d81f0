/**
 * Matrix products with the matrices of subgroups: f16 times f16, summed in f32. Layouts, epilogue
 * and parts are those of all products, but `a` and `b` are halves.
 *
 * A workgroup is a grid of subgroups, each of which owns a block of results. Tiles of both operands
 * are staged in workgroup memory, a barrier before they are read and another before they are
 * overwritten. With two stages the next tiles travel through registers while these are multiplied,
 * at one barrier a step. With none, matrices come straight from storage, of shapes that are whole
 * tiles. In the end results pass through the same workgroup memory, a band at a time, so that each
 * lane knows which elements it holds.
 *
 * Workgroups walk the tiles in groups of rows, column by column, so that those that run at a time
 * read the same parts of both operands.
 */
import { type Kernel, paramsBinding } from "./kernel.ts";
import {
  loadFunction,
  loadOperand,
  LOADS,
  type MatmulMatrixConstants,
  matrixLanes,
  matrixTile,
  memoryOf,
  operandOf,
  STAGED,
  stagingOf,
  storageMemory,
} from "./linear_matrix_tiles.wgsl.ts";
import { elementType, PRODUCT_BUFFERS, PRODUCT_PARAMS, storeSum } from "./linear_product.wgsl.ts";
import {
  enableMatrices,
  matrixDeclarations,
  multiplyAdd,
  storeMatrix,
  subgroupIndex,
  subgroupParameter,
} from "./subgroup_matrix.wgsl.ts";
import { each, wgsl } from "./wgsl.ts";

/** Rows of tiles in a group. */
const GROUP = 8;

/** Statements that multiply what lies between `k` and `k + step`. */
function multiplyStep(constants: MatmulMatrixConstants): string {
  const { matrix, step, matrixRows, matrixColumns } = constants;
  const left = (i: number) =>
    loadOperand(constants, operandOf(constants, "a"), `blockRow + ${i * matrix.m}u`);
  const right = (j: number) =>
    loadOperand(constants, operandOf(constants, "b"), `blockColumn + ${j * matrix.n}u`);
  const multiply = (i: number) =>
    each(matrixColumns, (j) => multiplyAdd(matrix, `sum${i}x${j}`, [`left${i}`, `right${j}`]));
  return `for (var kk = 0u; kk < ${step}u; kk += ${matrix.k}u) {
        ${each(matrixColumns, (j) => `let right${j} = ${right(j)};`)}
        ${each(matrixRows, (i) => `let left${i} = ${left(i)}; ${multiply(i)}`)}
      }`;
}

/** The loop over the steps of a part, with as many stages as there are. */
function mainLoop(constants: MatmulMatrixConstants): string {
  const { step, stages } = constants;
  const [a, b] = [operandOf(constants, "a"), operandOf(constants, "b")].map((operand) =>
    stagingOf(constants, operand),
  );
  const load = `${a!.load} ${b!.load}`;
  const store = `${a!.store} ${b!.store}`;
  const registers = `${a!.registers} ${b!.registers}`;
  const multiply = multiplyStep(constants);
  if (stages === 0) {
    return `for (var k = kBegin; k < kEnd; k += ${step}u) { ${multiply} }`;
  }
  if (stages === 1) {
    return `${registers}
      let stage = 0u;
      for (var k = kBegin; k < kEnd; k += ${step}u) {
        ${load}
        ${store}
        workgroupBarrier();
        ${multiply}
        workgroupBarrier();
      }`;
  }
  // While one stage is read the other is filled: one barrier parts both from the next step.
  return `${registers}
      var k = kBegin;
      var stage = 0u;
      ${load}
      ${store}
      workgroupBarrier();
      while (k < kEnd) {
        k += ${step}u;
        if (k < kEnd) { ${load} }
        ${multiply}
        stage = ${memoryOf(constants).stage}u - stage;
        if (k < kEnd) { ${store} }
        workgroupBarrier();
      }`;
}

/** Statements that write the results, a band of one row of matrices of each subgroup at a time. */
function writeResults(constants: MatmulMatrixConstants): string {
  const { matrix, matrixRows, matrixColumns } = constants;
  const { bandStride } = memoryOf(constants);
  const place = (j: number) => ({
    memory: STAGED,
    offset: `subgroupRow * ${matrix.m * bandStride}u + (blockColumn + ${j * matrix.n}u) / 4u`,
    stride: `${bandStride}u`,
  });
  return each(
    matrixRows,
    (i) => `
      ${each(matrixColumns, (j) => storeMatrix(matrix, `sum${i}x${j}`, place(j)))}
      workgroupBarrier();
      writeBand(part, row + ${i * matrix.m}u, column, lane);
      ${i + 1 < matrixRows ? "workgroupBarrier();" : ""}`,
  );
}

/** Declares `writeBand`, which writes what the band in workgroup memory holds, lane by lane. */
function writeFunction(constants: MatmulMatrixConstants): string {
  const { matrix, subgroupRows, matrixRows, widthC, isWhole } = constants;
  const { columns } = matrixTile(constants);
  const { bandStride } = memoryOf(constants);
  const stores = columns / widthC;
  const vector = `staged[r * ${bandStride}u + (n - column) / 4u]`;
  return `${storeSum(constants, widthC)}
    fn writeBand(part: u32, row: u32, column: u32, lane: u32) {
      for (var e = lane; e < ${subgroupRows * matrix.m * stores}u; e += ${matrixLanes(constants)}u) {
        let r = e / ${stores}u;
        let m = row + r / ${matrix.m}u * ${matrixRows * matrix.m}u + r % ${matrix.m}u;
        let n = column + e % ${stores}u * ${widthC}u;
        ${isWhole ? "" : "if (m >= params.numRows || n >= params.numColumns) { continue; }"}
        storeSum(part, m, n, ${widthC === 4 ? `bitcast<vec4f>(${vector})` : `bitcast<f32>(${vector}[n % 4u])`});
      }
    }`;
}

/** Declares the operands: `a` and `b` as wide as they are loaded, the others as wide as stores. */
function bindings({ storage, widthA, widthB, widthC }: MatmulMatrixConstants): string {
  return `${paramsBinding(PRODUCT_PARAMS)}
    @group(0) @binding(1) var<storage, read> a: array<${LOADS[widthA]}>;
    @group(0) @binding(2) var<storage, read> b: array<${LOADS[widthB]}>;
    @group(0) @binding(3) var<storage, read> bias: array<${elementType(storage.bias, widthC)}>;          // [cStride]
    @group(0) @binding(4) var<storage, read> residual: array<${elementType(storage.residual, widthC)}>;  // [numRows, cStride]
    @group(0) @binding(5) var<storage, read_write> c: array<${elementType(storage.c, widthC)}>;          // [numRows, cStride]`;
}

/** Declares where this workgroup's tile begins, and its part: the matrix of a batch, or the terms. */
function placeInGrid(constants: MatmulMatrixConstants): string {
  const { rows, columns } = matrixTile(constants);
  const { parts } = constants;
  const [aBatch, bBatch] =
    parts === "batch" ? [" + part * params.aBatch", "part * params.bBatch"] : ["", "0u"];
  const [kBegin, kEnd] =
    parts === "splits"
      ? ["part * params.partDepth", "min(kBegin + params.partDepth, params.depth)"]
      : ["0u", "params.depth"];
  return `let tilesDown = (params.numRows + ${rows - 1}u) / ${rows}u;
      let tilesAcross = (params.numColumns + ${columns - 1}u) / ${columns}u;
      let index = workgroup.y * grid.x + workgroup.x;
      let part = index / (tilesDown * tilesAcross);
      if (part >= params.numParts) { return; }
      let tile = index % (tilesDown * tilesAcross);
      let firstTile = tile / (${GROUP}u * tilesAcross) * ${GROUP}u;
      let groupTiles = min(${GROUP}u, tilesDown - firstTile);
      let inGroup = tile % (${GROUP}u * tilesAcross);
      let row = (firstTile + inGroup % groupTiles) * ${rows}u;
      let column = inGroup / groupTiles * ${columns}u;
      let aFirst = params.aBegin${aBatch};
      let bFirst = ${bBatch};
      let kBegin = ${kBegin};
      let kEnd = ${kEnd};`;
}

/** `c (+)= f(scale · a · b + bias) + residual` of halves, a tile a workgroup. */
export const matmulMatrix: Kernel<
  MatmulMatrixConstants,
  typeof PRODUCT_PARAMS,
  typeof PRODUCT_BUFFERS
> = {
  name: "matmulMatrix",
  params: PRODUCT_PARAMS,
  buffers: PRODUCT_BUFFERS,
  code: (constants) => {
    const { matrix, stages, subgroupColumns, matrixRows, matrixColumns } = constants;
    const operands = [operandOf(constants, "a"), operandOf(constants, "b")];
    const isStaged = stages > 0;
    const sums = each(matrixRows, (i) =>
      each(matrixColumns, (j) => `var sum${i}x${j}: ResultMatrix;`, " "),
    );
    return wgsl`
    ${enableMatrices(matrix)}
    ${bindings(constants)}
    var<workgroup> staged: array<vec4u, ${memoryOf(constants).vectors}>;  // tiles, then results
    ${matrixDeclarations(matrix, [STAGED, ...(isStaged ? [] : operands.map(storageMemory))])}
    ${isStaged ? operands.map((operand) => loadFunction(constants, operand)).join("\n") : ""}
    ${writeFunction(constants)}

    @compute @workgroup_size(${matrixLanes(constants)})
    fn main(
      @builtin(workgroup_id) workgroup: vec3u,
      @builtin(num_workgroups) grid: vec3u,
      ${subgroupParameter(matrix)}
      @builtin(local_invocation_index) lane: u32,
    ) {
      ${placeInGrid(constants)}
      ${subgroupIndex(matrix)}
      let subgroupRow = subgroup / ${subgroupColumns}u;
      let blockRow = subgroupRow * ${matrixRows * matrix.m}u;
      let blockColumn = subgroup % ${subgroupColumns}u * ${matrixColumns * matrix.n}u;

      ${sums}
      ${mainLoop(constants)}
      ${writeResults(constants)}
    }`;
  },
};
