import type { MeasuredRoofline } from "../../engine/profile/roofline.ts";
import { formatNumber } from "../report/format.ts";
import type { BenchRow } from "../report/row.ts";

/** What `torch_gpt2.py` prints; it grows from line to line, and any of it may be missing. */
export interface TorchReport {
  readonly torch?: string;
  readonly device?: string;
  /** TFLOP/s of square products, by the type of their operands; f32 without TF32. */
  readonly matmul?: { readonly size: number; readonly tflops: Readonly<Record<string, number>> };
  /** Bytes read and written by a copy on the device, in GB/s. */
  readonly copyGBs?: number;
  /** Of GPT-2 124M in bf16. */
  readonly training?: {
    readonly batch: number;
    readonly tokens: number;
    readonly compiled: boolean;
    readonly tokensPerSecond: number;
  };
}

/** One figure of ours over PyTorch's, of the same machine and the same call. */
export interface BesideTorch {
  readonly what: string;
  readonly unit: string;
  readonly tenure: number;
  readonly torch: number;
  /** Ours over PyTorch's: above 1 is faster. */
  readonly ratio: number;
}

/** Side of the square products that are compared with a library's. */
const LARGE = 4096;

/** Whether a case is one of these products, of f32 or halves, as a linear layer multiplies. */
export function isLargeProduct(id: string): boolean {
  return new RegExp(`^matmul nt f(32|16) ${LARGE}x${LARGE}x${LARGE}$`).test(id);
}

/**
 * Our figures over PyTorch's, as far as both are there: products over those of cuBLAS, training over
 * training, and over its copy the copy of ours and the weights that decoding reads.
 */
export function besideTorch(
  report: TorchReport,
  { rows, roofline }: { readonly rows: readonly BenchRow[]; readonly roofline?: MeasuredRoofline },
): BesideTorch[] {
  const found: BesideTorch[] = [];
  const add = (what: string, unit: string, both: readonly (number | undefined)[]) => {
    const [tenure, torch] = both;
    if (tenure === undefined || torch === undefined || !(tenure > 0) || !(torch > 0)) return;
    found.push({ what, unit, tenure, torch, ratio: tenure / torch });
  };
  const { matmul, copyGBs, training } = report;
  for (const { id, dtype, gflops = NaN } of rows) {
    if (!isLargeProduct(id) || matmul?.size !== LARGE) continue;
    add(`${id} beside cuBLAS`, "TFLOP/s", [gflops / 1000, matmul.tflops[dtype]]);
  }
  for (const { id, tokensPerSecond } of rows) {
    if (training === undefined || !isSameTraining(id, training)) continue;
    const compiled = training.compiled ? "torch.compile" : "eager";
    add(`${id} beside bf16, ${compiled}`, "tokens/s", [tokensPerSecond, training.tokensPerSecond]);
  }
  const ownCopy = roofline && roofline.bytesPerSecond / 1e9;
  add("copy beside copy", "GB/s", [ownCopy, copyGBs]);
  for (const { id, group, gbps } of rows) {
    if (group === "decode") add(`${id} beside copy`, "GB/s", [gbps, copyGBs]);
  }
  return found;
}

function isSameTraining(id: string, { batch, tokens }: NonNullable<TorchReport["training"]>) {
  return id.startsWith("train step") && id.endsWith(`GPT-2 124M B${batch} T${tokens}`);
}

/** A comparison in words. */
export function besideLine({ what, unit, tenure, torch, ratio }: BesideTorch): string {
  return `${what}: ${formatNumber(tenure)} ${unit}, ${ratio.toFixed(2)} times PyTorch's ${formatNumber(torch)}`;
}
