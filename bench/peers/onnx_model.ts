// A writer for the few fields of ONNX's protocol buffers that a small graph needs.
// https://github.com/onnx/onnx/blob/main/onnx/onnx.proto

/** A node of a graph. */
export interface OnnxNode {
  readonly op: string;
  readonly inputs: readonly string[];
  readonly outputs: readonly string[];
  readonly attributes?: Readonly<Record<string, number | readonly number[]>>;
  /** Of its operator. @default {""} for ONNX's own */
  readonly domain?: "" | "com.microsoft";
}

/** A constant of a graph. */
export interface OnnxConstant {
  readonly shape: readonly number[];
  readonly values: Float32Array | Int32Array;
}

/** A graph whose inputs and outputs are f32. */
export interface OnnxGraph {
  readonly nodes: readonly OnnxNode[];
  readonly inputs: Readonly<Record<string, readonly number[]>>;
  readonly outputs: Readonly<Record<string, readonly number[]>>;
  readonly constants?: Readonly<Record<string, OnnxConstant>>;
  /** Version of ONNX's operators. */
  readonly opset: number;
}

const VARINT = 0;
const BYTES = 2;
const FLOAT32 = 1;
const INT32 = 6;
/** Kinds of an attribute: an integer, or several. */
const INTEGER = 2;
const INTEGERS = 7;
/** Version of the format itself: the first with opset 21. */
const IR_VERSION = 10;

function varint(value: number): number[] {
  const groups: number[] = [];
  let rest = value;
  while (rest >= 128) {
    groups.push((rest % 128) + 128);
    rest = Math.floor(rest / 128);
  }
  return [...groups, rest];
}

function integer(field: number, value: number): Uint8Array {
  return Uint8Array.from([...varint(field * 8 + VARINT), ...varint(value)]);
}

function bytes(field: number, ...parts: readonly Uint8Array[]): Uint8Array {
  const content = joined(parts);
  const head = Uint8Array.from([...varint(field * 8 + BYTES), ...varint(content.length)]);
  return joined([head, content]);
}

function text(field: number, value: string): Uint8Array {
  return bytes(field, new TextEncoder().encode(value));
}

function joined(parts: readonly Uint8Array[]): Uint8Array<ArrayBuffer> {
  const result = new Uint8Array(parts.reduce((sum, { length }) => sum + length, 0));
  let at = 0;
  for (const part of parts) {
    result.set(part, at);
    at += part.length;
  }
  return result;
}

function encodeNode({ op, inputs, outputs, attributes = {}, domain = "" }: OnnxNode): Uint8Array {
  const encoded = Object.entries(attributes).map(([name, value]) =>
    typeof value === "number"
      ? bytes(5, text(1, name), integer(3, value), integer(20, INTEGER))
      : bytes(5, text(1, name), ...value.map((one) => integer(8, one)), integer(20, INTEGERS)),
  );
  return joined([
    ...inputs.map((name) => text(1, name)),
    ...outputs.map((name) => text(2, name)),
    text(3, `${op} ${outputs[0]}`),
    text(4, op),
    ...encoded,
    text(7, domain),
  ]);
}

function encodeConstant(name: string, { shape, values }: OnnxConstant): Uint8Array {
  const { buffer, byteOffset, byteLength } = values;
  return joined([
    ...shape.map((size) => integer(1, size)),
    integer(2, values instanceof Int32Array ? INT32 : FLOAT32),
    text(8, name),
    bytes(9, new Uint8Array(buffer, byteOffset, byteLength)),
  ]);
}

/** Name and type of an input or output. */
function encodeValue(name: string, shape: readonly number[]): Uint8Array {
  const sizes = shape.map((size) => bytes(1, integer(1, size)));
  return joined([text(1, name), bytes(2, bytes(1, integer(1, FLOAT32), bytes(2, ...sizes)))]);
}

/** A graph as the bytes of an ONNX model. */
export function encodeOnnx({ nodes, inputs, outputs, constants = {}, opset }: OnnxGraph) {
  const graph = [
    ...nodes.map((node) => bytes(1, encodeNode(node))),
    text(2, "graph"),
    ...Object.entries(constants).map(([name, one]) => bytes(5, encodeConstant(name, one))),
    ...Object.entries(inputs).map(([name, shape]) => bytes(11, encodeValue(name, shape))),
    ...Object.entries(outputs).map(([name, shape]) => bytes(12, encodeValue(name, shape))),
  ];
  return joined([
    integer(1, IR_VERSION),
    bytes(7, ...graph),
    bytes(8, text(1, ""), integer(2, opset)),
    bytes(8, text(1, "com.microsoft"), integer(2, 1)),
  ]);
}
