import type { RecordedDispatch } from "../tape.ts";
import { bytesOf } from "../tensor.ts";

/** The least that a dispatch must do. */
export interface Cost {
  /** Floating-point operations: a sum, a product, a comparison or a function counts one. */
  readonly flops: number;
  /** Bytes between memory and the processor if nothing moves twice. */
  readonly bytes: number;
  /** Whether products are of halves, which subgroup matrices could multiply. */
  readonly halves?: boolean;
}

/** What {@linkcode CostRule}s count from besides a dispatch. */
export interface CostOptions {
  /**
   * Keys that a query sees on average; masks are data, which a dispatch does not know.
   *
   * @default {all up to its own place, (seqLen + 1) / 2; of a cache, all that it can hold}
   */
  readonly seenKeys?: number;
}

/** Bytes of an f16. */
const HALF = 2;

/** A dispatch as rules see it. */
export interface Work {
  readonly params: Readonly<Record<string, number>>;
  readonly constants: Readonly<Record<string, unknown>>;
  readonly seenKeys: number | undefined;
  /** Bytes of what is bound under a name. */
  readonly bytes: (name: string) => number;
  /** Bytes of an element of what is bound under a name; a fraction where it is packed. */
  readonly width: (name: string) => number;
  /** Whether anything is bound under a name. */
  readonly has: (name: string) => boolean;
  /** Elements of what is bound under a name. */
  readonly length: (name: string) => number;
  /** Bytes of everything bound: once, and twice what is read and written; see {@linkcode costing}. */
  readonly all: (updated?: readonly string[]) => number;
}

/** Counts the least work of a kernel's dispatches. */
export type CostRule = (work: Work) => Cost;

/** A dispatch as rules see it. */
export function workOf(
  { kernel, constants, params, buffers }: RecordedDispatch,
  { seenKeys }: CostOptions,
): Work {
  const known = (constants ?? {}) as Readonly<Record<string, unknown>>;
  const lengthOf = (name: string) =>
    buffers[name]!.shape.reduce((product, length) => product * length, 1);
  const bytes = (name: string) => bytesOf(buffers[name]!);
  return {
    params,
    constants: known,
    seenKeys,
    bytes,
    width: (name) => bytes(name) / lengthOf(name),
    has: (name) => name in buffers,
    length: lengthOf,
    all: (updated = []) => {
      let sum = 0;
      for (const [name, access] of Object.entries(kernel.buffers)) {
        const isUpdated = updated.includes(name) || known["accumulate"] === true;
        sum += bytes(name) * (access === "read_write" && isUpdated ? 2 : 1);
      }
      return sum;
    },
  };
}

/**
 * Kernels that touch all that they bind once: so many operations for each unit of work, of which
 * there are `count`.
 *
 * @param flops Operations a unit.
 * @param count Units. @default {params.length}
 * @param updated Buffers that are read before they are written, besides those of kernels that
 *   accumulate.
 */
export function costing(
  flops: number,
  count: (work: Work) => number = ({ params }) => params["length"]!,
  updated?: readonly string[],
): CostRule {
  return (work) => ({ flops: flops * count(work), bytes: work.all(updated) });
}

/** Elements of `numRows` rows of `numColumns`. */
export const elementsOfRows = ({ params }: Work): number =>
  params["numRows"]! * params["numColumns"]!;

/**
 * `c (+)= f(a · b + bias) + residual`, where `a`, `c` and `residual` may be windows of columns, and
 * parts the matrices of a batch, or ranges of the depth, each of which stores its sums.
 */
export const product: CostRule = ({ params, constants, bytes, width }) => {
  const { numRows = 0, numColumns = 0, depth = 0, numParts = 1 } = params;
  const { parts = "one", accumulate, bias, residual, activation = "none" } = constants;
  const matrices = parts === "batch" ? numParts : 1;
  const results = matrices * numRows * numColumns;
  const extras = [bias === true, residual === true, activation !== "none"].filter(Boolean).length;
  const moved = parts === "splits" ? numParts : accumulate === true ? 2 : 1;
  return {
    flops: results * (2 * depth + (parts === "splits" ? 0 : extras)),
    bytes:
      matrices * numRows * depth * width("a") +
      bytes("b") +
      (bias === true ? numColumns * width("bias") : 0) +
      (residual === true ? results * width("residual") : 0) +
      results * width("c") * moved,
    halves: width("a") === HALF && width("b") === HALF,
  };
};

/** Sums of the parts of a product, and what is done to it in the end. */
export const splitSums: CostRule = ({ params, constants, bytes, width }) => {
  const { length = 0, numParts = 1, numColumns = 0 } = params;
  const { accumulate, bias, residual } = constants;
  return {
    flops: length * numParts,
    bytes:
      bytes("sums") +
      (bias === true ? numColumns * width("bias") : 0) +
      (residual === true ? length * width("residual") : 0) +
      length * width("c") * (accumulate === true ? 2 : 1),
  };
};

/** Up to three products of the same rows, which may be normalized first: see `fused_projection`. */
export const fusedProjection: CostRule = (work) => {
  const { numRows = 0, depth = 0, numColumns0 = 0, numColumns1 = 0, numColumns2 = 0 } = work.params;
  const { norm = "none", gated, accumulate, residual } = work.constants;
  const columns = numColumns0 + numColumns1 + numColumns2;
  const results = numRows * (gated === true ? numColumns0 : columns);
  const weights = ["w0", "w1", "w2"].filter(work.has);
  const small = ["gain", "shift", "bias0", "bias1", "bias2"].filter(work.has);
  const sum = (names: readonly string[]) =>
    names.reduce((total, name) => total + work.bytes(name), 0);
  return {
    flops: 2 * numRows * depth * columns + (norm === "none" ? 0 : 4 * numRows * depth),
    bytes:
      numRows * depth * work.width("x") +
      sum(weights) +
      sum(small) +
      results * work.width("y") * (1 + Number(accumulate === true) + Number(residual === true)),
  };
};

/**
 * Attention over a batch: `perPair` operations for each dimension of a head and each pair of a
 * query and a key that it sees. Bytes are those of everything bound.
 */
export function attention(perPair: number): CostRule {
  return (work) => {
    const { numRows = 0, seqLen = 0, numHeads = 0 } = work.params;
    const { seenKeys = (seqLen + 1) / 2 } = work;
    const pairs = numRows * seqLen * numHeads * seenKeys;
    return {
      flops: perPair * Number(work.constants["headDim"]) * pairs,
      bytes: work.all(),
      halves: work.width("q") === HALF,
    };
  };
}

/**
 * Attention over a cache, of which only the keys and values that queries see are read. The results,
 * or the parts that make them, are bound as `result`, and as `stats`.
 */
export function cachedAttention(result: "y" | "sums"): CostRule {
  return (work) => {
    const { numRows = 0, seqLen = 0, numHeads = 0, numKvHeads = 0, capacity = 0 } = work.params;
    const { seenKeys = capacity } = work;
    const headDim = Number(work.constants["headDim"]);
    // The last of several queries side by side sees half of them more than the mean one does.
    const readKeys = Math.min(capacity, seenKeys + (seqLen - 1) / 2);
    const isSplit = result === "sums" && work.constants["direct"] !== true;
    const written = isSplit
      ? ((work.bytes("sums") + work.bytes("stats")) * seenKeys) / capacity
      : work.bytes(result);
    return {
      flops: 4 * headDim * numRows * seqLen * numHeads * seenKeys,
      bytes:
        work.bytes("q") +
        written +
        numRows * readKeys * numKvHeads * headDim * (work.width("k") + work.width("v")),
      halves: work.width("q") === HALF && work.width("k") === HALF,
    };
  };
}

/** Queries and keys, normalized and rotated; keys and values put into a cache: see `cache_heads`. */
export const cacheHeads: CostRule = ({ params, constants, bytes, width }) => {
  const { numColumns: headDim = 0, numTokens = 0, numHeads = 0, numKvHeads = 0 } = params;
  const isRotated = constants["layout"] !== "none";
  const isNormed = constants["norm"] === true;
  const [queries, keys] = [numHeads, numKvHeads].map((heads) => numTokens * heads * headDim);
  const changed = isRotated || isNormed ? 2 * queries! : 0; // both read and written
  return {
    flops: (queries! + keys!) * (3 * Number(isRotated) + 4 * Number(isNormed)),
    bytes:
      (changed + 2 * keys!) * width("heads") +
      keys! * (width("keys") + width("values")) +
      bytes("places") +
      (isRotated ? bytes("positions") + 4 * numTokens * headDim : 0) +
      (isNormed ? bytes("queryGain") + bytes("keyGain") : 0),
  };
};

/** Rows of a table by id: those that are looked up, each once, of the part that is bound. */
export const lookUp: CostRule = ({ params, bytes, width, length }) => {
  const { numTokens = 0, dModel = 0, vocabSize = 1, rowBegin = 0, rowEnd = vocabSize } = params;
  const share = (rowEnd - rowBegin) / vocabSize;
  const rows = Math.min(numTokens * share, length("table") / dModel);
  return {
    flops: 0,
    bytes: rows * dModel * width("table") + bytes("ids") + share * bytes("y"),
  };
};

/** Sums of gradients of the rows that were looked up. */
export const scatter: CostRule = ({ params, bytes, length, width }) => {
  const { numSegments = 0, dModel = 1, vocabSize = 1, rowBegin = 0, rowEnd = vocabSize } = params;
  const share = (rowEnd - rowBegin) / vocabSize;
  const rows = Math.min(numSegments * share, length("dTable") / dModel);
  const indices = bytes("order") + bytes("starts") + bytes("segmentIds");
  return {
    flops: share * length("dy"),
    bytes: share * bytes("dy") + indices + 2 * rows * dModel * width("dTable"),
  };
};

/** Rows of a table that sparse rows add up: those named, at most all of them; entries need both arrays. */
export const sparseRowsForward: CostRule = ({ params, bytes, length }) => {
  const { numFeatures = 1 } = params;
  const rowBytes = bytes("table") / numFeatures;
  const elements = length("table") / numFeatures;
  const rows = Math.min(numFeatures, length("columns"));
  return {
    flops: 2 * length("columns") * elements,
    bytes: rows * rowBytes + bytes("starts") + bytes("columns") + bytes("values") + bytes("y"),
  };
};

/** Gradients of the rows of a table that sparse rows added up. */
export const sparseRowsBackward: CostRule = ({ params, bytes, length }) => {
  const { numFeatures = 1 } = params;
  const rowBytes = bytes("dTable") / numFeatures;
  const elements = length("dTable") / numFeatures;
  const rows = Math.min(numFeatures, length("rows"));
  return {
    flops: 2 * length("rows") * elements,
    bytes: bytes("dy") + bytes("starts") + bytes("rows") + bytes("values") + 2 * rows * rowBytes,
  };
};
