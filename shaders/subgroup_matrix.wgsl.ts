/**
 * Matrices that a subgroup holds together, as WGSL text: f16 times f16, summed in f32.
 *
 *     result[m, n] += Σ_k left[m, k] · right[k, n]
 *
 * Matrices are those of the feature `chromium-experimental-subgroup-matrix`, or emulated: of a
 * result each lane keeps the elements that fall to it, and an operand is where it lies in memory,
 * which is read when it is multiplied. So a kernel that is written with these functions, its indices,
 * staging, barriers and edges, runs as it is on an adapter without such matrices, if slowly.
 *
 * Memory that matrices are loaded from may be an array of f16, u32, f32 or of vectors of u32: only
 * bytes matter. Offsets and strides count its elements, and must be the same for all lanes of a
 * subgroup. Matrices live in functions only.
 *
 * https://github.com/gpuweb/gpuweb/blob/main/proposals/subgroup-matrix.md
 */
/** Sizes of the matrices of a subgroup: an `m` × `k` one times a `k` × `n` one. */
export interface MatrixShape {
  readonly m: number;
  readonly n: number;
  readonly k: number;
  /** Lanes that hold a matrix. */
  readonly subgroupSize: number;
  /** Whether registers and memory stand in for matrices. */
  readonly emulated: boolean;
}

/** Left and right operands are f16, results f32. */
export type MatrixRole = "left" | "right" | "result";

/** An array in workgroup or storage memory. */
export interface MatrixMemory {
  /** Its variable. */
  readonly name: string;
  /** Type of its elements. */
  readonly type: "f16" | "f32" | "u32" | "vec2u" | "vec4u";
  /** What is loaded from it, and stored to it: results only. */
  readonly roles: readonly MatrixRole[];
}

/** Where a matrix lies in memory; WGSL of type u32. */
export interface MatrixPlace {
  readonly memory: MatrixMemory;
  /** The element that the matrix begins with. */
  readonly offset: string;
  /** Elements from a row to the next, or from a column to the next where columns are contiguous. */
  readonly stride: string | number;
  /** @default {"row_major"} */
  readonly order?: "row_major" | "col_major";
}

/** Bytes of an element of memory. */
const BYTES = { f16: 2, f32: 4, u32: 4, vec2u: 8, vec4u: 16 } as const;

/** Directives of a kernel with matrices; they go first. */
export function enableMatrices({ emulated }: MatrixShape): string {
  return `enable f16;${emulated ? "" : "\n    enable subgroups;\n    enable chromium_experimental_subgroup_matrix;"}`;
}

/** Types of matrices, and the functions that emulated ones need for each memory. */
export function matrixDeclarations(shape: MatrixShape, memories: readonly MatrixMemory[]): string {
  const { m, n, k, emulated } = shape;
  if (!emulated) {
    return `alias LeftMatrix = subgroup_matrix_left<f16, ${k}, ${m}>;
    alias RightMatrix = subgroup_matrix_right<f16, ${n}, ${k}>;
    alias ResultMatrix = subgroup_matrix_result<f32, ${n}, ${m}>;`;
  }
  return `alias LeftMatrix = vec4u;  // memory, first scalar, scalars to the next row and column
    alias RightMatrix = vec4u;
    alias ResultMatrix = array<f32, ${shareOf(shape)}>;
    var<private> matrixLane: u32;
    var<private> matrixZero: u32;
    ${halfFunction(memories)}
    ${multiplyFunction(shape)}
    ${memories
      .filter(({ roles }) => roles.includes("result"))
      .map((memory) => resultFunctions(shape, memory))
      .join("\n")}`;
}

/** The parameter of an entry point that {@linkcode subgroupIndex} needs. */
export function subgroupParameter({ emulated }: MatrixShape): string {
  return emulated ? "" : "@builtin(subgroup_id) subgroupId: u32,";
}

/** Declares `subgroup`, the index of the lane's subgroup in its workgroup, from `lane`'s index. */
export function subgroupIndex({ subgroupSize, emulated }: MatrixShape): string {
  return emulated
    ? `matrixLane = lane % ${subgroupSize}u; matrixZero = lane >> 16u; let subgroup = lane / ${subgroupSize}u;`
    : "let subgroup = subgroupId;";
}

/** WGSL type of a matrix. */
function matrixType(role: MatrixRole): string {
  return { left: "LeftMatrix", right: "RightMatrix", result: "ResultMatrix" }[role];
}

/** Expression that loads a matrix. */
export function loadMatrix(shape: MatrixShape, role: MatrixRole, place: MatrixPlace): string {
  const { memory, offset, stride, order = "row_major" } = place;
  if (!shape.emulated) {
    return `subgroupMatrixLoad<${matrixType(role)}, ${order}>(&${memory.name}, ${offset}, ${stride})`;
  }
  const scalars = scalarsOf(role, place);
  return role === "result"
    ? `resultFrom_${memory.name}(${scalars})`
    : `vec4u(MEMORY_${memory.name}, ${scalars})`;
}

/** Statement that stores a result. */
export function storeMatrix(shape: MatrixShape, result: string, place: MatrixPlace): string {
  const { memory, offset, stride, order = "row_major" } = place;
  return shape.emulated
    ? `resultTo_${memory.name}(${scalarsOf("result", place)}, ${result});`
    : `subgroupMatrixStore<${order}>(&${memory.name}, ${offset}, ${result}, ${stride});`;
}

/** Statement that adds the product of two matrices to a result. */
export function multiplyAdd(
  { emulated }: MatrixShape,
  result: string,
  [left, right]: readonly [string, string],
): string {
  const call = emulated ? "multiplyMatrices" : "subgroupMatrixMultiplyAccumulate";
  return `${result} = ${call}(${left}, ${right}, ${result});`;
}

/** Bytes of a scalar of a matrix. */
const SCALAR_BYTES = { left: 2, right: 2, result: 4 } as const;

/** Arguments of an emulated load or store: the first scalar, and those to the next row and column. */
function scalarsOf(role: MatrixRole, { memory, offset, stride, order }: MatrixPlace): string {
  const scalars = BYTES[memory.type] / SCALAR_BYTES[role];
  const step = `(${stride}) * ${scalars}u`;
  return `(${offset}) * ${scalars}u, ${order === "col_major" ? `1u, ${step}` : `${step}, 1u`}`;
}

/** Elements of a result that fall to one lane. */
function shareOf({ m, n, subgroupSize }: MatrixShape): number {
  return Math.ceil((m * n) / subgroupSize);
}

/**
 * A loop over the elements `e` of a result that fall to a lane, by their number `i`. Loops begin
 * with what compilers do not know, lest they unroll them: that takes them many seconds.
 */
function eachOwn({ m, n, subgroupSize }: MatrixShape, body: string): string {
  return `for (var e = matrixLane; e < ${m * n}u; e += ${subgroupSize}u) {
        let i = e / ${subgroupSize}u;
        ${body}
      }`;
}

/** Products of halves are exact in f32; sums go in ascending order of `k`. */
function multiplyFunction(shape: MatrixShape): string {
  const { n, k } = shape;
  const add = `let row = left.y + e / ${n}u * left.z;
          let column = right.y + e % ${n}u * right.w;
          for (var k = matrixZero; k < ${k}u; k++) {
            sums[i] = fma(halfAt(left.x, row + k * left.w), halfAt(right.x, column + k * right.z), sums[i]);
          }`;
  return `fn multiplyMatrices(left: LeftMatrix, right: RightMatrix, result: ResultMatrix) -> ResultMatrix {
      var sums = result;
      ${eachOwn(shape, add)}
      return sums;
    }`;
}

/** The half of a memory with an index. */
function halfFunction(memories: readonly MatrixMemory[]): string {
  const operands = memories.filter(({ roles }) => roles.some((role) => role !== "result"));
  const names = operands.map(({ name }, id) => `const MEMORY_${name} = ${id}u;`);
  const cases = operands.map((memory, id) => `case ${id}u: { return ${halfOf(memory)}; }`);
  return `${names.join(" ")}
    fn halfAt(memory: u32, at: u32) -> f32 {
      switch (memory) { ${cases.join(" ")} default: { return 0.0; } }
    }`;
}

/** Loads and stores of results in one memory. */
function resultFunctions(shape: MatrixShape, memory: MatrixMemory): string {
  const { name } = memory;
  const parameters = "first: u32, rowStep: u32, columnStep: u32";
  const at = `let at = first + e / ${shape.n}u * rowStep + e % ${shape.n}u * columnStep;`;
  return `fn resultFrom_${name}(${parameters}) -> ResultMatrix {
      var matrix: ResultMatrix;
      ${eachOwn(shape, `${at} matrix[i] = ${fromWord(memory, wordOf(memory, "at"))};`)}
      return matrix;
    }
    fn resultTo_${name}(${parameters}, result: ResultMatrix) {
      var matrix = result;
      ${eachOwn(shape, `${at} ${wordOf(memory, "at")} = ${toWord(memory, "matrix[i]")};`)}
    }`;
}

/** The word of 4 bytes with an index. */
function wordOf({ name, type }: MatrixMemory, at: string): string {
  const words = BYTES[type] / 4;
  return words === 1 ? `${name}[${at}]` : `${name}[(${at}) / ${words}u][(${at}) % ${words}u]`;
}

/** The half with the index `at`, in f32. */
function halfOf(memory: MatrixMemory): string {
  if (memory.type === "f16") return `f32(${memory.name}[at])`;
  const word = wordOf(memory, "at / 2u");
  return `unpack2x16float(${memory.type === "f32" ? `bitcast<u32>(${word})` : word})[at % 2u]`;
}

function fromWord({ type }: MatrixMemory, word: string): string {
  return type === "f32" ? word : `bitcast<f32>(${word})`;
}

function toWord({ type }: MatrixMemory, value: string): string {
  return type === "f32" ? value : `bitcast<u32>(${value})`;
}
