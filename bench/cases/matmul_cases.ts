import { matmul } from "../../engine/ops/matmul.ts";
import { bytesOf, type DType } from "../../engine/tensor.ts";
import type { CaseDType, CaseResult, Expected, KernelCase, Scale } from "./kernel_case.ts";
import { MODELS, type ModelShape } from "./models.ts";

/** Which operand is transposed: see `matmul()`. */
type Layout = "nn" | "nt" | "tn";

/** A product `[m, k] · [k, n]`. */
interface Product {
  /** What it is a product of, such as `GPT-2 124M up`; nothing for squares. */
  readonly of: string;
  readonly layout: Layout;
  readonly dtype: CaseDType;
  readonly m: number;
  readonly n: number;
  readonly k: number;
  readonly isQuick?: boolean;
}

/** Tokens of a batch, and the most weights of a matrix. */
const SIZES = {
  small: { tokens: 32, maxWeights: 2 ** 20 },
  full: { tokens: 2048, maxWeights: Infinity },
} as const;

const DTYPES = ["f32", "f16", "int8", "int4"] as const satisfies CaseDType[];

/** Rows of decoding: one text, and a few at once. */
const FEW_ROWS = [1, 8] as const;

/** Matrix products: squares, and the widest of every model's blocks, as training and use have them. */
export function matmulCases(scale: Scale): KernelCase[] {
  return [...squares(scale), ...MODELS.flatMap((model) => modelProducts(model, scale))].map(
    matmulCase,
  );
}

/** The sizes that engines are compared on. */
function squares(scale: Scale): Product[] {
  const square = (size: number, layout: Layout, dtype: CaseDType): Product => {
    const isQuick = (size === 512 || size === 4096) && layout === "nt";
    return { of: "", layout, dtype, m: size, n: size, k: size, isQuick };
  };
  const sizes = scale === "full" ? [512, 1024, 4096] : [512, 1024];
  return sizes.flatMap((size) => [
    ...(["nn", "nt", "tn"] as const).map((layout) => square(size, layout, "f32")),
    square(size, "nt", "f16"),
    ...(size === 4096 ? [square(size, "nn", "f16"), square(size, "tn", "f16")] : []),
  ]);
}

/** Up and down projections: forward, both gradients, prefill and decoding with packed weights. */
function modelProducts({ name, config }: ModelShape, scale: Scale): Product[] {
  const { tokens, maxWeights } = SIZES[scale];
  const { dModel } = config;
  const dHidden = Math.min(config.dHidden, Math.floor(maxWeights / dModel));
  const up = { of: `${name} up`, m: tokens, n: dHidden, k: dModel };
  const isQuick = name.startsWith("SmolLM2");
  const forward = DTYPES.map((dtype) => ({ ...up, layout: "nt" as const, dtype, isQuick }));
  const few = FEW_ROWS.flatMap((m) =>
    DTYPES.map((dtype) => ({
      ...up,
      layout: "nt" as const,
      dtype,
      m,
      isQuick: isQuick && m === 1,
    })),
  );
  const gradients = (["f32", "f16"] as const).flatMap((dtype): Product[] => [
    { of: `${name} d(up)`, layout: "nn", dtype, m: tokens, n: dModel, k: dHidden },
    { of: `${name} dWeight(up)`, layout: "tn", dtype, m: dHidden, n: dModel, k: tokens },
  ]);
  return [...forward, ...few, ...gradients];
}

/** Axes of the operands, as the layout has them. */
const AXES = {
  nn: { a: ["m", "k"], b: ["k", "n"] },
  nt: { a: ["m", "k"], b: ["n", "k"] },
  tn: { a: ["k", "m"], b: ["k", "n"] },
} as const;

function matmulCase(product: Product): KernelCase {
  const { of, layout, dtype, m, n, k, isQuick = false } = product;
  const shapeOf = (axes: readonly ("m" | "n" | "k")[]) => axes.map((axis) => product[axis]);
  const shapes = { a: shapeOf(AXES[layout].a), b: shapeOf(AXES[layout].b), c: [m, n] };
  const dtypes = dtypesOf(product);
  const operands = ["a", "b", "c"] as const;
  const text = (name: "a" | "b") => `[${shapes[name].join(", ")}]`;
  return {
    id: ["matmul", layout, dtype, of, `${m}x${n}x${k}`].filter((part) => part !== "").join(" "),
    group: "matmul",
    shape: `${text("a")}${layout === "tn" ? "ᵀ" : ""} · ${text("b")}${layout === "nt" ? "ᵀ" : ""}`,
    dtype,
    needsFloat16: dtypes.c === "f16",
    isQuick,
    flops: 2 * m * n * k,
    bytes: operands.reduce(
      (sum, name) => sum + bytesOf({ shape: shapes[name], dtype: dtypes[name] }),
      0,
    ),
    record: (tape, make) => {
      const a = make.tensor("a", shapes.a, { dtype: dtypes.a });
      const b = make.tensor("b", shapes.b, { dtype: dtypes.b });
      const c = make.empty("c", shapes.c, dtypes.c);
      matmul(tape, layout, { a: a.tensor, b: b.tensor, c });
      const at = { a: a.values, b: b.values };
      return [
        { name: "c", tensor: c, expected: (index) => dot(product, at, index) },
      ] satisfies CaseResult[];
    },
  };
}

/** Packed weights are multiplied with f32 activations, and so are halves for a few rows. */
function dtypesOf({ dtype, m }: Product): { a: "f32" | "f16"; b: CaseDType; c: "f32" | "f16" } {
  const isHalf = dtype === "f16" && m > Math.max(...FEW_ROWS);
  const other = isHalf ? "f16" : "f32";
  return { a: other, b: dtype, c: other } satisfies Record<string, DType>;
}

/** One element of the product. */
function dot(
  { layout, m, n, k }: Product,
  { a, b }: Readonly<Record<"a" | "b", Float32Array>>,
  index: number,
): Expected {
  const [row, column] = [Math.floor(index / n), index % n];
  let [value, magnitude] = [0, 0];
  for (let i = 0; i < k; i++) {
    const left = a[layout === "tn" ? i * m + row : row * k + i]!;
    const right = b[layout === "nt" ? column * k + i : i * n + column]!;
    value += left * right;
    magnitude += Math.abs(left * right);
  }
  return { value, magnitude };
}
