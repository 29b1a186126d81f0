import type { AnyKernel } from "./tape.ts";
import {
  bytesOf,
  type DType,
  describe,
  type Parameter,
  type Purpose,
  sizeOf,
  type Tensor,
} from "./tensor.ts";

/**
 * Which variant of the hot kernels runs: `"flat"` uses neither workgroup memory nor barriers and
 * suits software adapters; `"tiled"` stages tiles in workgroup memory and suits GPUs.
 */
export type Variant = "flat" | "tiled";

/** Values that a tensor can be filled with. */
export type Values =
  | Float32Array<ArrayBuffer>
  | Uint32Array<ArrayBuffer>
  | Uint16Array<ArrayBuffer>;

/** What values of each dtype come in; blocks come as their words. */
const ARRAY_OF = {
  f32: Float32Array,
  f16: Uint16Array,
  bf16: Uint16Array,
  u32: Uint32Array,
  int8: Uint32Array,
  int4: Uint32Array,
} as const;

/** The device is gone: its memory is lost, and a new one must be opened. */
export class GpuLostError extends Error {
  override readonly name = "GpuLostError";
  /** `"destroyed"` when we closed it, `"unknown"` when the driver did. */
  readonly reason: GPUDeviceLostReason;

  constructor({ reason, message }: GPUDeviceLostInfo) {
    super(`Cannot use the GPU: the device must be open, got device lost (${reason}) ${message}`);
    this.reason = reason;
  }
}

/** Limits that kernels or models may exceed the defaults of; requested at the adapter's value. */
const LIMITS = [
  "maxBufferSize",
  "maxStorageBufferBindingSize",
  "maxStorageBuffersPerShaderStage",
  "maxComputeWorkgroupStorageSize",
  "maxComputeInvocationsPerWorkgroup",
  "maxComputeWorkgroupSizeX",
  "maxComputeWorkgroupSizeY",
  "maxComputeWorkgroupSizeZ",
  "maxComputeWorkgroupsPerDimension",
] as const satisfies (keyof GPUSupportedLimits)[];

/** Features that kernels have a use for, where the adapter offers them. */
const FEATURES: readonly GPUFeatureName[] = ["shader-f16", "timestamp-query", "subgroups"];

/** Options of {@linkcode Gpu.open}. */
export interface GpuOptions {
  /** Kernel variant. @default {by adapter: "flat" on a software adapter, else "tiled"} */
  readonly variant?: Variant;
  /** Lets kernels use subgroups where their size is fixed. @default {true} */
  readonly subgroups?: boolean;
  /** Binds no more bytes at a time than this, nor than the device can. @default {the device's limit} */
  readonly maxBindingBytes?: number;
}

/** What a new tensor holds and is for. */
export interface TensorOptions {
  readonly label: string;
  readonly purpose?: Purpose;
  readonly dtype?: DType;
  /** Initial values; zeros if absent. */
  readonly values?: Values;
}

/** Bytes of a buffer: from `begin`, or from its beginning. */
export interface BufferPart {
  readonly buffer: GPUBuffer;
  readonly bytes: number;
  readonly begin?: number;
}

/** An open GPU device, its persistent tensors and its compiled pipelines. */
export class Gpu {
  readonly device: GPUDevice;
  readonly info: GPUAdapterInfo;
  readonly variant: Variant;
  /** Lanes of a subgroup where the adapter knows but one size and kernels may use it, else 0. */
  readonly subgroupSize: number;
  /** Bytes of a tensor that a kernel can see at a time; ops take larger tensors in parts. */
  readonly maxBindingBytes: number;
  /** Settles, never rejects, when the device is lost. */
  readonly lost: Promise<GpuLostError>;
  readonly #pipelines = new Map<string, Promise<GPUComputePipeline>>();
  #failure: Error | undefined;

  private constructor(device: GPUDevice, info: GPUAdapterInfo, options: GpuOptions) {
    const { variant = isSoftware(info) ? "flat" : "tiled", subgroups = true } = options;
    const { maxBindingBytes = Infinity } = options;
    this.device = device;
    this.info = info;
    this.variant = variant;
    this.subgroupSize = subgroups && device.features.has("subgroups") ? fixedSubgroup(info) : 0;
    this.maxBindingBytes = Math.min(maxBindingBytes, device.limits.maxStorageBufferBindingSize);
    this.lost = device.lost.then((lost) => (this.#failure = new GpuLostError(lost)));
    device.addEventListener("uncapturederror", ({ error }) => {
      this.#failure ??= new Error(`Cannot run on the GPU: ${error.message}`);
    });
  }

  /** Opens a device with the adapter's own limits and every feature that our kernels can use. */
  static async open(adapter: GPUAdapter, options: GpuOptions = {}): Promise<Gpu> {
    const device = await adapter.requestDevice({
      requiredFeatures: FEATURES.filter((feature) => adapter.features.has(feature)),
      requiredLimits: Object.fromEntries(LIMITS.map((limit) => [limit, adapter.limits[limit]])),
    });
    return new Gpu(device, adapter.info, options);
  }

  /**
   * A persistent tensor.
   *
   * @throws {RangeError} If the values do not fill the shape, or the device has no buffers as large.
   */
  tensor(
    shape: readonly number[],
    { label, purpose = "inputs", dtype = "f32", values }: TensorOptions,
  ): Tensor & { readonly buffer: GPUBuffer } {
    const tensor = { shape, dtype, purpose, label, needsGradient: false };
    const buffer = this.createBuffer(bytesOf(tensor), label);
    if (values !== undefined) this.write({ ...tensor, buffer }, values);
    return { ...tensor, buffer };
  }

  /** A trainable tensor; its gradient, zeros at first, is allocated when a backward pass asks for it. */
  parameter(shape: readonly number[], options: Omit<TensorOptions, "purpose">): Parameter {
    let gradient: Tensor | undefined;
    const allocate = () =>
      this.tensor(shape, { label: `d(${options.label})`, purpose: "gradients" });
    return {
      ...this.tensor(shape, { ...options, purpose: "weights" }),
      needsGradient: true,
      get gradient() {
        gradient ??= allocate();
        return gradient;
      },
    };
  }

  /**
   * Overwrites a persistent tensor; the values arrive before the next submit.
   *
   * @throws {RangeError} If the tensor is not persistent, or the values do not fill it.
   * @throws {TypeError} If the values are not of the tensor's dtype; halves come as their bits.
   */
  write(tensor: Tensor, values: Values): void {
    if (!(values instanceof ARRAY_OF[tensor.dtype])) {
      throw new TypeError(
        `Cannot write "${tensor.label}" ${describe(tensor)}: values must be a ${ARRAY_OF[tensor.dtype].name}, got ${values.constructor.name}`,
      );
    }
    const isFull = Math.max(4, Math.ceil(values.byteLength / 4) * 4) === bytesOf(tensor);
    if (!isFull || tensor.buffer === undefined) {
      throw new RangeError(
        `Cannot write "${tensor.label}" ${describe(tensor)}: expected a persistent tensor and ` +
          `${sizeOf(tensor.shape)} values, got ${values.length}`,
      );
    }
    const bytes = new Uint8Array(values.buffer, values.byteOffset, values.byteLength);
    const ragged = bytes.length % 4;
    const padded = ragged === 0 ? bytes : new Uint8Array(bytes.length + 4 - ragged);
    if (ragged !== 0) padded.set(bytes);
    this.device.queue.writeBuffer(tensor.buffer, 0, padded);
  }

  /** Copies a persistent f32 tensor back to the host. */
  async read(tensor: Tensor): Promise<Float32Array<ArrayBuffer>> {
    if (tensor.buffer === undefined) {
      throw new TypeError(
        `Cannot read "${tensor.label}" ${describe(tensor)}: it must be persistent, got an activation; read it from its plan`,
      );
    }
    const [bytes] = await this.readBuffers([{ buffer: tensor.buffer, bytes: bytesOf(tensor) }]);
    return new Float32Array(bytes!, 0, sizeOf(tensor.shape));
  }

  /**
   * Copies parts of buffers back to the host, after all work submitted so far.
   *
   * @param sources What to copy.
   * @param encode Adds work before the copies, in the same submit.
   */
  async readBuffers(
    sources: readonly BufferPart[],
    encode?: (encoder: GPUCommandEncoder) => void,
  ): Promise<ArrayBuffer[]> {
    const offsets: number[] = [];
    let size = 0;
    for (const { bytes } of sources) {
      offsets.push(size);
      size += Math.ceil(bytes / 8) * 8; // mapped ranges begin at multiples of 8
    }
    const usage = GPUBufferUsage.MAP_READ | GPUBufferUsage.COPY_DST;
    const staging = this.device.createBuffer({ label: "readback", size: Math.max(8, size), usage });
    const encoder = this.device.createCommandEncoder();
    encode?.(encoder);
    sources.forEach(({ buffer, bytes, begin = 0 }, index) =>
      encoder.copyBufferToBuffer(buffer, begin, staging, offsets[index]!, bytes),
    );
    this.device.queue.submit([encoder.finish()]);
    try {
      await staging.mapAsync(GPUMapMode.READ).catch(async (cause: unknown) => {
        await this.#settle();
        this.check();
        throw new Error("Cannot read from the GPU: mapping the buffer must succeed, got an error", {
          cause,
        });
      });
      this.check();
      return sources.map(({ bytes }, index) =>
        staging.getMappedRange(offsets[index], Math.ceil(bytes / 4) * 4).slice(0),
      );
    } finally {
      staging.destroy();
    }
  }

  /**
   * A zero-filled storage buffer; it may be larger than what can be bound at once.
   *
   * @throws {RangeError} If it exceeds what a buffer of this device may hold.
   */
  createBuffer(bytes: number, label: string): GPUBuffer {
    this.checkBytes(bytes, label);
    const usage = GPUBufferUsage.STORAGE | GPUBufferUsage.COPY_SRC | GPUBufferUsage.COPY_DST;
    return this.device.createBuffer({ label, size: bytes, usage });
  }

  /**
   * Checks that a buffer could be created.
   *
   * @throws {RangeError} If it exceeds what a buffer of this device may hold.
   */
  checkBytes(bytes: number, label: string): void {
    const { maxBufferSize } = this.device.limits;
    if (bytes > maxBufferSize) {
      throw new RangeError(
        `Cannot allocate "${label}": a buffer of this device holds at most ${maxBufferSize} bytes, got ${bytes}; use a smaller batch or model`,
      );
    }
  }

  /** The compiled pipeline of a kernel; compiled once for each choice of constants. */
  pipeline(kernel: AnyKernel, constants: unknown): Promise<GPUComputePipeline> {
    const key = `${kernel.name}(${JSON.stringify(constants)})`;
    let pipeline = this.#pipelines.get(key);
    if (pipeline === undefined) {
      pipeline = this.#compile(kernel, constants, key);
      this.#pipelines.set(key, pipeline);
    }
    return pipeline;
  }

  async #compile(
    kernel: AnyKernel,
    constants: unknown,
    label: string,
  ): Promise<GPUComputePipeline> {
    const entry = (binding: number, type: GPUBufferBindingType): GPUBindGroupLayoutEntry => ({
      binding,
      visibility: GPUShaderStage.COMPUTE,
      buffer: { type },
    });
    const bindGroupLayout = this.device.createBindGroupLayout({
      label: kernel.name,
      entries: [
        entry(0, "uniform"),
        ...Object.values(kernel.buffers).map((access, index) =>
          entry(index + 1, access === "read" ? "read-only-storage" : "storage"),
        ),
      ],
    });
    // The module's own error belongs to this kernel, not to whatever runs next.
    this.device.pushErrorScope("validation");
    const code = kernel.code(constants as never);
    const module = this.device.createShaderModule({ label, code });
    const moduleError = this.device.popErrorScope();
    try {
      return await this.device.createComputePipelineAsync({
        label,
        layout: this.device.createPipelineLayout({ bindGroupLayouts: [bindGroupLayout] }),
        compute: { module },
      });
    } catch (cause) {
      await moduleError.catch(() => null); // a lost device pops no scopes
      this.check();
      const what = cause instanceof Error ? cause.message : String(cause);
      throw new Error(`Cannot compile ${label}: ${what}`, { cause });
    }
  }

  /** Throws what the device reported since it was opened: its loss, or an error nobody caught. */
  check(): void {
    if (this.#failure !== undefined) throw this.#failure;
  }

  /** Lets a loss that has happened be known: promises of the lost device may fail before it is. */
  async #settle(): Promise<void> {
    await Promise.race([this.lost, this.device.queue.onSubmittedWorkDone().catch(() => undefined)]);
  }

  /** Closes the device and frees all of its memory. */
  destroy(): void {
    this.device.destroy();
  }
}

/** Whether an adapter computes on the CPU: Mesa's llvmpipe (lavapipe) or SwiftShader. */
export function isSoftware(info: GPUAdapterInfo): boolean {
  const names = `${info.vendor} ${info.architecture} ${info.device} ${info.description}`;
  return info.isFallbackAdapter || /llvmpipe|lavapipe|swiftshader|software/i.test(names);
}

/** The only size of subgroups that an adapter has, or 0 if there are several. */
function fixedSubgroup(info: Partial<GPUAdapterInfo>): number {
  const { subgroupMinSize = 0, subgroupMaxSize = 0 } = info; // older runtimes do not tell
  return subgroupMinSize === subgroupMaxSize ? subgroupMinSize : 0;
}
