import { rotary, rotaryTable } from "../../engine/ops/rotary.ts";
import { swiGlu } from "../../engine/ops/swi_glu.ts";
import type { Tape } from "../../engine/tape.ts";
import { bytesOf } from "../../engine/tensor.ts";
import type { CaseTensors } from "./case_tensors.ts";
import { derivative } from "./difference.ts";
import { type CaseResult, EXP_TOLERANCE, type KernelCase, type Scale } from "./kernel_case.ts";
import { LLAMA_3_2_1B, type ModelShape, SMOLLM2_135M, STORIES_260K } from "./models.ts";

const NUM_TOKENS = { small: 64, full: 4096 } as const;

/** Models that have a gate and rotate. */
const LLAMAS = [STORIES_260K, SMOLLM2_135M, LLAMA_3_2_1B];

interface Elementwise {
  readonly model: ModelShape;
  readonly dtype: "f32" | "f16";
  readonly numTokens: number;
}

/** What works on one element or pair at a time: limited by memory alone. */
export function elementwiseCases(scale: Scale): KernelCase[] {
  return LLAMAS.flatMap((model) =>
    (["f32", "f16"] as const).flatMap((dtype) => {
      const sizes = { model, dtype, numTokens: NUM_TOKENS[scale] };
      return [swiGluCase(sizes, false), swiGluCase(sizes, true), rotaryCase(sizes)];
    }),
  );
}

function swiGluCase({ model, dtype, numTokens }: Elementwise, isBackward: boolean): KernelCase {
  const shape = [numTokens, model.config.dHidden];
  const pass = isBackward ? "forward+backward" : "forward";
  const bytes = bytesOf({ shape, dtype });
  return {
    id: `swiGlu ${pass} ${dtype} ${model.name} ${shape.join("x")}`,
    group: "elementwise",
    shape: `[${shape.join(", ")}]`,
    dtype,
    needsFloat16: dtype === "f16",
    isQuick: model === SMOLLM2_135M && dtype === "f32",
    flops: shape[0]! * shape[1]! * (isBackward ? 20 : 6),
    // gate, up and y; backward reads both again with dy, and writes two gradients.
    bytes: bytes * (isBackward ? 8 : 3),
    record: (tape, make) => recordSwiGlu(tape, make, { shape, dtype, isBackward }),
  };
}

function recordSwiGlu(
  tape: Tape,
  make: CaseTensors,
  {
    shape,
    dtype,
    isBackward,
  }: {
    readonly shape: readonly number[];
    readonly dtype: "f32" | "f16";
    readonly isBackward: boolean;
  },
): CaseResult[] {
  const gate = make.activation("gate", shape, { dtype, scale: 4 });
  const up = make.activation("up", shape, { dtype });
  const y = swiGlu(tape, gate.tensor, up.tensor);
  const silu = (x: number) => x / (1 + Math.exp(-x));
  const result = (name: string, tensor: CaseResult["tensor"], of: (i: number) => number) => ({
    name,
    tensor,
    expected: (index: number) => ({ value: of(index), magnitude: 1 }),
    tolerance: EXP_TOLERANCE,
  });
  const results = [result("y", y, (i) => silu(gate.values[i]!) * up.values[i]!)];
  if (!isBackward) return results;
  const dy = make.tensor("dy", shape, { dtype });
  tape.backward(y, dy.tensor, [gate.tensor, up.tensor]);
  return [
    ...results,
    result("dGate", tape.gradient(gate.tensor), (i) =>
      derivative((change) => dy.values[i]! * silu(gate.values[i]! + change) * up.values[i]!),
    ),
    result("dUp", tape.gradient(up.tensor), (i) => dy.values[i]! * silu(gate.values[i]!)),
  ];
}

function rotaryCase({ model, dtype, numTokens }: Elementwise): KernelCase {
  const { numHeads, headDim, theta, rotaryLayout, maxSeqLen } = model.config;
  const width = numHeads * headDim;
  const shape = [numTokens, width];
  return {
    id: `rotary forward ${dtype} ${model.name} ${shape.join("x")}`,
    group: "elementwise",
    shape: `[${shape.join(", ")}]`,
    dtype,
    needsFloat16: dtype === "f16",
    isQuick: model === SMOLLM2_135M && dtype === "f32",
    flops: 3 * numTokens * width,
    bytes: 2 * bytesOf({ shape, dtype }),
    record: (tape, make) => {
      const x = make.tensor("x", shape, { dtype });
      const ids = Uint32Array.from({ length: numTokens }, (_, i) => (7 * i) % maxSeqLen);
      const positions = make.integers("positions", ids);
      const values = rotaryTable({ headDim, maxSeqLen, theta });
      const table = make.empty("rotary table", [maxSeqLen, headDim]);
      make.write(table, values);
      const y = rotary(tape, x.tensor, { table, positions }, { headDim, layout: rotaryLayout });
      const half = headDim / 2;
      const expected = (index: number) => {
        const i = index % headDim;
        const isHalf = rotaryLayout === "half";
        const pair = isHalf ? i % half : i >> 1;
        const isFirst = isHalf ? i < half : i % 2 === 0;
        const other = index + (isHalf ? half : 1) * (isFirst ? 1 : -1);
        const angle = ids[Math.floor(index / width)]! * theta ** ((-2 * pair) / headDim);
        const turned = x.values[other]! * Math.sin(angle) * (isFirst ? -1 : 1);
        return { value: x.values[index]! * Math.cos(angle) + turned, magnitude: 1 };
      };
      return [{ name: "y", tensor: y, expected }];
    },
  };
}
