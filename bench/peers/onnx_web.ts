/**
 * Products and attention in ONNX Runtime for browsers, on WebGPU; see `measureEngine()`.
 *
 * Arrays stay on the device.
 */
import { importPeer } from "./generation.ts";
import { byHead, byToken } from "./heads.ts";
import { type Form, measureEngine } from "./measure_engine.ts";
import { attentionModels, matmulModel, type OnnxModel } from "./onnx_graphs.ts";
import { providePlatform } from "./platform.ts";
import type { Arrays } from "./work_files.ts";

interface OnnxTensor {
  getData(): Promise<Float32Array>;
  dispose(): void;
}

/** What is used of the package. */
interface OnnxModule {
  readonly env: { readonly webgpu: { readonly device: GPUDevice | Promise<GPUDevice> } };
  readonly Tensor: {
    fromGpuBuffer(
      buffer: GPUBuffer,
      options: { readonly dataType: "float32"; readonly dims: readonly number[] },
    ): OnnxTensor;
  };
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

await providePlatform();
acceptSharedMemory();
const onnx = await importPeer<OnnxModule>("onnxruntime-web/webgpu");

await measureEngine({
  matmul: (inputs, size) => [form(matmulModel(size), inputs, "c")],
  attention: ({ q, k, v }) =>
    attentionModels().map((model) => form(model, { q: q!, k: k!, v: v! }, "y")),
});

function form({ name, bytes, shape, isByHead }: OnnxModel, inputs: Arrays, result: string): Form {
  const prepare = async () => {
    const session = await onnx.InferenceSession.create(bytes, {
      executionProviders: ["webgpu"],
      preferredOutputLocation: "gpu-buffer",
      // A kernel that WebGPU lacks would quietly run on the CPU, and be timed as WebGPU.
      extra: { session: { disable_cpu_ep_fallback: "1" } },
      logSeverityLevel: 4,
    });
    const device = await onnx.env.webgpu.device;
    const feeds: Record<string, OnnxTensor> = {};
    for (const [input, values] of Object.entries(inputs)) {
      const buffer = upload(device, isByHead === true ? byHead(values) : values);
      feeds[input] = onnx.Tensor.fromGpuBuffer(buffer, { dataType: "float32", dims: shape });
    }
    let last: OnnxTensor | undefined;
    return {
      run: async () => {
        last?.dispose();
        last = (await session.run(feeds, [result]))[result]!;
      },
      finish: () => device.queue.onSubmittedWorkDone(),
      read: async () => {
        const values = await last!.getData();
        last = undefined; // its memory went with the reading
        return { [result]: isByHead === true ? byToken(values) : values };
      },
    };
  };
  return { ...(name !== undefined && { name }), prepare };
}

/** Its WebAssembly writes from memory that threads share, which Dawn's binding for Node refuses. */
function acceptSharedMemory(): void {
  const { prototype } = GPUQueue;
  // oxlint-disable-next-line typescript/unbound-method -- called on the queue that it was called on
  const writeBuffer = prototype.writeBuffer;
  prototype.writeBuffer = function (buffer, at, data, begin = 0, length) {
    if (!(data instanceof Uint8Array && data.buffer instanceof SharedArrayBuffer)) {
      return writeBuffer.call(this, buffer, at, data as GPUAllowSharedBufferSource, begin, length);
    }
    const end = length === undefined ? undefined : begin + length;
    return writeBuffer.call(this, buffer, at, new Uint8Array(data.subarray(begin, end)));
  };
}

function upload(device: GPUDevice, values: Float32Array<ArrayBuffer>): GPUBuffer {
  const usage = GPUBufferUsage.STORAGE | GPUBufferUsage.COPY_SRC | GPUBufferUsage.COPY_DST;
  const buffer = device.createBuffer({ size: values.byteLength, usage });
  device.queue.writeBuffer(buffer, 0, values);
  return buffer;
}
