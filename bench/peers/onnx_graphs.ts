import { causalMask } from "./heads.ts";
import { encodeOnnx } from "./onnx_model.ts";
import { ATTENTION } from "./tasks.ts";

const { numHeads, seqLen, headDim } = ATTENTION;

/** A model of one result, and which layout its arrays have. */
export interface OnnxModel {
  readonly name?: string;
  readonly bytes: Uint8Array<ArrayBuffer>;
  readonly shape: readonly number[];
  /** Heads come before tokens. */
  readonly isByHead?: boolean;
}

/** `c = a · b`. */
export function matmulModel(size: number): OnnxModel {
  const shape = [size, size];
  const nodes = [{ op: "MatMul", inputs: ["a", "b"], outputs: ["c"] }];
  const graph = { nodes, inputs: { a: shape, b: shape }, outputs: { c: shape }, opset: 17 };
  return { bytes: encodeOnnx(graph), shape };
}

/** Causal attention in all the ways that ONNX Runtime has it. */
export function attentionModels(): OnnxModel[] {
  return [multiHead(), multiHeadMasked(), groupQuery(), standard(), products()];
}

const byToken = [1, seqLen, numHeads * headDim];
const byHead = [1, numHeads, seqLen, headDim];

function ends(shape: readonly number[]) {
  return { inputs: { q: shape, k: shape, v: shape }, outputs: { y: shape } };
}

function multiHead(): OnnxModel {
  const attributes = { num_heads: numHeads, unidirectional: 1 };
  const inputs = ["q", "k", "v"];
  const op = "MultiHeadAttention";
  const node = { op, inputs, outputs: ["y"], attributes, domain: "com.microsoft" } as const;
  return {
    name: op,
    bytes: encodeOnnx({ nodes: [node], ...ends(byToken), opset: 17 }),
    shape: byToken,
  };
}

/** Seeing everything, and told by a bias what counts. */
function multiHeadMasked(): OnnxModel {
  const op = "MultiHeadAttention";
  const node = {
    op,
    inputs: ["q", "k", "v", "", "", "mask"],
    outputs: ["y"],
    attributes: { num_heads: numHeads },
    domain: "com.microsoft",
  } as const;
  const constants = { mask: { shape: [1, 1, seqLen, seqLen], values: causalMask() } };
  const graph = { nodes: [node], ...ends(byToken), constants, opset: 17 };
  return { name: `${op} with a bias`, bytes: encodeOnnx(graph), shape: byToken };
}

/** Always causal; it also gives keys and values for a cache. */
function groupQuery(): OnnxModel {
  const op = "GroupQueryAttention";
  const node = {
    op,
    inputs: ["q", "k", "v", "", "", "lastKey", "numKeys"],
    outputs: ["y", "keys", "values"],
    attributes: { num_heads: numHeads, kv_num_heads: numHeads },
    domain: "com.microsoft",
  } as const;
  const constants = {
    lastKey: { shape: [1], values: Int32Array.of(seqLen - 1) },
    numKeys: { shape: [1], values: Int32Array.of(seqLen) },
  };
  const graph = { nodes: [node], ...ends(byToken), constants, opset: 17 };
  return { name: op, bytes: encodeOnnx(graph), shape: byToken };
}

/** ONNX's own operator. */
function standard(): OnnxModel {
  const op = "Attention";
  const node = { op, inputs: ["q", "k", "v"], outputs: ["y"], attributes: { is_causal: 1 } };
  const graph = { nodes: [node], ...ends(byHead), opset: 23 };
  return { name: op, bytes: encodeOnnx(graph), shape: byHead, isByHead: true };
}

function products(): OnnxModel {
  const constants = {
    scale: { shape: [1], values: Float32Array.of(1 / Math.sqrt(headDim)) },
    mask: { shape: [seqLen, seqLen], values: causalMask() },
  };
  const nodes = [
    { op: "Transpose", inputs: ["k"], outputs: ["kT"], attributes: { perm: [0, 1, 3, 2] } },
    { op: "Mul", inputs: ["q", "scale"], outputs: ["scaled"] },
    { op: "MatMul", inputs: ["scaled", "kT"], outputs: ["scores"] },
    { op: "Add", inputs: ["scores", "mask"], outputs: ["masked"] },
    { op: "Softmax", inputs: ["masked"], outputs: ["shares"] },
    { op: "MatMul", inputs: ["shares", "v"], outputs: ["y"] },
  ];
  const bytes = encodeOnnx({ nodes, ...ends(byHead), constants, opset: 17 });
  return { name: "MatMul, Softmax, MatMul", bytes, shape: byHead, isByHead: true };
}
