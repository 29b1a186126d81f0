/**
 * Products and attention in ONNX Runtime for Node; see `measureEngine()`.
 *
 *     script TASK FOLDER REPEATS webgpu|cpu
 *
 * Its WebGPU is a Dawn of its own. Inputs are handed over and results come back in every run: its
 * binding for Node has no other way to wait.
 */
import { argv } from "node:process";
import { availableParallelism } from "node:os";
import { importPeer } from "./generation.ts";
import { byHead, byToken } from "./heads.ts";
import { type Form, measureEngine } from "./measure_engine.ts";
import { attentionModels, matmulModel, type OnnxModel } from "./onnx_graphs.ts";
import type { Arrays } from "./work_files.ts";

interface OnnxTensor {
  readonly data: Float32Array;
}

/** What is used of the package. */
interface OnnxModule {
  readonly Tensor: new (
    type: "float32",
    values: Float32Array,
    shape: readonly number[],
  ) => OnnxTensor;
  readonly InferenceSession: {
    create(
      model: Uint8Array,
      options: object,
    ): Promise<{
      run(
        inputs: Readonly<Record<string, OnnxTensor>>,
        outputs: readonly string[],
      ): Promise<Readonly<Record<string, OnnxTensor>>>;
    }>;
  };
}

const provider = argv[5];
const onnx = await importPeer<OnnxModule>("onnxruntime-node");

await measureEngine({
  matmul: (inputs, size) => [form(matmulModel(size), inputs, "c")],
  attention: ({ q, k, v }) =>
    attentionModels().map((model) => form(model, { q: q!, k: k!, v: v! }, "y")),
});

function form({ name, bytes, shape, isByHead }: OnnxModel, inputs: Arrays, result: string): Form {
  const prepare = async () => {
    const session = await onnx.InferenceSession.create(bytes, {
      executionProviders: [provider],
      // A kernel that the provider lacks would quietly run on the CPU, and be timed as WebGPU.
      ...(provider !== "cpu" && { extra: { session: { disable_cpu_ep_fallback: "1" } } }),
      intraOpNumThreads: availableParallelism(),
      logSeverityLevel: 4,
    });
    const tensors = Object.entries(inputs).map(([input, values]) => {
      const ordered = isByHead === true ? byHead(values) : values;
      return [input, new onnx.Tensor("float32", ordered, shape)] as const;
    });
    const feeds = Object.fromEntries(tensors);
    let values = new Float32Array();
    return {
      run: async () => {
        values = (await session.run(feeds, [result]))[result]!.data as Float32Array<ArrayBuffer>;
      },
      finish: () => Promise.resolve(),
      read: async () => ({ [result]: isByHead === true ? byToken(values) : values }),
    };
  };
  return { ...(name !== undefined && { name }), prepare };
}
