import { fixedSubgroup, isSoftware } from "./adapter_info.ts";
import { compileKernel, nameOf } from "./compile_kernel.ts";
import { type AllocationFailure, type Audience, DeviceMemory } from "./device_memory.ts";
import { DeviceErrors } from "./device_errors.ts";
import { type GpuLostError, unallocated } from "./gpu_errors.ts";
import {
  type BufferPart,
  resultsOf,
  StagingPool,
  type Transfer,
  transfersOf,
  unpack,
} from "./readback.ts";
import type { AnyKernel } from "./tape.ts";
import {
  buffersOf,
  byteOffsetOf,
  bytesOf,
  type DType,
  describe,
  type Parameter,
  type Purpose,
  rootOf,
  sizeOf,
  type Tensor,
} from "./tensor.ts";
import { SUBGROUP_MATRIX, type Traits, traitsOf } from "./tuning/traits.ts";
import type { Choices } from "./tuning/tunable.ts";
import { placeOf, type Values, type WriteOptions } from "./values.ts";

export { isSoftware } from "./adapter_info.ts";
export { GpuLostError } from "./gpu_errors.ts";
export type { Values, WriteOptions } from "./values.ts";

/**
 * Which variant of the hot kernels runs: `"flat"` uses neither workgroup memory nor barriers and
 * suits software adapters; `"tiled"` stages tiles in workgroup memory and suits GPUs.
 */
export type Variant = "flat" | "tiled";

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
const FEATURES: readonly GPUFeatureName[] = [
  "shader-f16",
  "timestamp-query",
  "subgroups",
  SUBGROUP_MATRIX,
];

/** Options of {@linkcode Gpu.open}. */
export interface GpuOptions {
  /** Kernel variant. @default {by adapter: "flat" on a software adapter, else "tiled"} */
  readonly variant?: Variant;
  /** Lets kernels use subgroups where their size is fixed. @default {true} */
  readonly subgroups?: boolean;
  /** Binds no more bytes at a time than this, nor than the device can. @default {the device's limit} */
  readonly maxBindingBytes?: number;
  /**
   * Memory of the device, where the caller knows it: WebGPU does not tell. Models and plans that
   * need more are refused before they are allocated.
   *
   * @default {Infinity}
   */
  readonly maxMemoryBytes?: number;
  /** How kernels are run, as a tuner found. @default {the defaults of each kernel} */
  readonly choices?: Choices;
  /** Lets kernels use what the device has; a test may take or add. @default {what the device has} */
  readonly traits?: Partial<Traits>;
}

/** What a new tensor holds and is for. */
export interface TensorOptions {
  readonly label: string;
  readonly purpose?: Purpose;
  readonly dtype?: DType;
  /** Initial values; zeros if absent. */
  readonly values?: Values;
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
  /** Bytes that tensors and plans may take together; Infinity where nobody knows. */
  readonly maxMemoryBytes: number;
  /** What kernels may use of the device. */
  readonly traits: Traits;
  /** How kernels are run; tapes that are recorded from now on follow it. */
  choices: Choices;
  /** Settles, never rejects, when the device is lost. */
  readonly lost: Promise<GpuLostError>;
  readonly #memory: DeviceMemory;
  readonly #pipelines = new Map<string, Promise<GPUComputePipeline>>();
  readonly #staging = new StagingPool((descriptor, isKept) =>
    isKept ? this.device.createBuffer(descriptor) : this.allocate(descriptor, "owner"),
  );
  readonly #errors: DeviceErrors;

  private constructor(device: GPUDevice, info: GPUAdapterInfo, options: GpuOptions) {
    const { variant = isSoftware(info) ? "flat" : "tiled", subgroups = true } = options;
    const { maxBindingBytes = Infinity, maxMemoryBytes = Infinity } = options;
    this.device = device;
    this.#memory = new DeviceMemory(device);
    this.info = info;
    this.variant = variant;
    this.subgroupSize = subgroups && device.features.has("subgroups") ? fixedSubgroup(info) : 0;
    this.maxMemoryBytes = maxMemoryBytes;
    this.traits = { ...traitsOf(device, info), ...options.traits };
    this.choices = options.choices ?? new Map();
    this.maxBindingBytes = Math.min(maxBindingBytes, device.limits.maxStorageBufferBindingSize);
    this.#errors = new DeviceErrors(device, this.#memory);
    this.lost = this.#errors.lost;
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
    const { label } = options; // the values are not to live as long as the parameter
    const allocate = () => this.tensor(shape, { label: `d(${label})`, purpose: "gradients" });
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
   * Overwrites a persistent tensor, or a part of it; the values arrive before the next submit.
   *
   * @param tensor Persistent, or a view of one.
   * @param values All of its values, or those of a part.
   * @param options Where the part begins; its bytes must begin and, but at the tensor's end, end at
   *   multiples of 4.
   * @throws {RangeError} If the tensor is not persistent, the values do not fill it, or the device
   *   is known to have had no memory for it.
   * @throws {TypeError} If the values are not of the tensor's dtype; halves come as their bits.
   */
  write(tensor: Tensor, values: Values, options?: WriteOptions): void {
    const { buffer, at, bytes } = placeOf(tensor, values, options);
    const failure = this.#memory.failureOf(buffer);
    if (failure !== undefined) throw unallocated(failure);
    const { byteLength } = bytes;
    const even = byteLength - (byteLength % 4);
    if (even > 0) this.device.queue.writeBuffer(buffer, at, bytes, 0, even);
    if (even === byteLength) return;
    const last = new Uint8Array(4);
    last.set(bytes.subarray(even));
    this.device.queue.writeBuffer(buffer, at + even, last);
  }

  /**
   * Copies a persistent f32 tensor back to the host; see {@linkcode readBuffers} for others.
   *
   * @throws {TypeError} If it is an activation, or not f32.
   */
  async read(tensor: Tensor): Promise<Float32Array<ArrayBuffer>> {
    const { buffer } = rootOf(tensor);
    if (tensor.dtype !== "f32") {
      throw new TypeError(
        `Cannot read "${tensor.label}" ${describe(tensor)}: it must be f32; read its bytes with readBuffers()`,
      );
    }
    if (buffer === undefined) {
      throw new TypeError(
        `Cannot read "${tensor.label}" ${describe(tensor)}: it must be persistent, got an activation; read it from its plan`,
      );
    }
    const source = { buffer, begin: byteOffsetOf(tensor), bytes: bytesOf(tensor) };
    const [bytes] = await this.readBuffers([source]);
    return new Float32Array(bytes!, 0, sizeOf(tensor.shape));
  }

  /**
   * Copies parts of buffers back to the host, after all work submitted so far. Beyond 64 MiB they
   * come one piece after another: nothing may overwrite them meanwhile.
   *
   * @param sources What to copy.
   * @param encode Adds work before the copies, in the same submit as the first.
   */
  async readBuffers(
    sources: readonly BufferPart[],
    encode?: (encoder: GPUCommandEncoder) => void,
  ): Promise<ArrayBuffer[]> {
    const results = resultsOf(sources);
    let before = encode;
    for (const transfer of transfersOf(sources)) {
      const staging = this.#staging.take(Math.max(8, transfer.bytes));
      try {
        const encoder = this.device.createCommandEncoder();
        before?.(encoder);
        before = undefined;
        for (const { buffer, begin, bytes, offset } of transfer.pieces) {
          encoder.copyBufferToBuffer(buffer, begin, staging, offset, bytes);
        }
        this.device.queue.submit([encoder.finish()]);
        const heard = this.#errors.hear();
        await this.#map(staging, transfer, heard);
        unpack(staging, transfer, results);
      } catch (error) {
        staging.destroy();
        throw error;
      }
      this.#staging.give(staging);
    }
    return results;
  }

  /** Maps a staging buffer; what failed for lack of memory is told as that. */
  async #map(staging: GPUBuffer, { pieces }: Transfer, heard: Promise<unknown>): Promise<void> {
    const failed = await staging.mapAsync(GPUMapMode.READ).then(
      () => undefined,
      async (cause: unknown) => {
        await this.#settle();
        return { cause };
      },
    );
    await heard;
    await this.checkMemory([staging, ...pieces.map(({ buffer }) => buffer)]);
    this.check();
    if (failed === undefined) return;
    throw new Error(
      "Cannot read from the GPU: mapping the buffer must succeed, got an error",
      failed,
    );
  }

  /**
   * A zero-filled storage buffer; it may be larger than what can be bound at once.
   *
   * @throws {RangeError} If it exceeds what a buffer of this device may hold.
   */
  createBuffer(bytes: number, label: string, audience?: Audience): GPUBuffer {
    this.checkBytes(bytes, label);
    const usage = GPUBufferUsage.STORAGE | GPUBufferUsage.COPY_SRC | GPUBufferUsage.COPY_DST;
    return this.allocate({ label, size: bytes, usage }, audience);
  }

  /**
   * A buffer of any usage, counted in {@linkcode allocatedBytes} until it is destroyed.
   *
   * @param descriptor What to create.
   * @param audience `"owner"` if the caller asks whether it fits, and nobody else is to be told.
   */
  allocate(
    descriptor: GPUBufferDescriptor & { readonly label: string },
    audience?: Audience,
  ): GPUBuffer {
    return this.#memory.create(descriptor, audience);
  }

  /** Bytes of the buffers that were created and not yet destroyed: tensors, plans, copies under way. */
  get allocatedBytes(): number {
    return this.#memory.allocatedBytes;
  }

  /**
   * Checks that so much more would fit, before any of it is allocated.
   *
   * @param bytes How much.
   * @param what What it is for, for the error.
   * @throws {RangeError} If the device has less memory, as far as that is known.
   */
  checkFits(bytes: number, what: string): void {
    const free = this.maxMemoryBytes - this.allocatedBytes;
    if (bytes <= free) return;
    const gib = (count: number) => `${(count / 2 ** 30).toFixed(2)} GiB`;
    throw new RangeError(
      `Cannot hold ${what}: it needs ${gib(bytes)}, got ${gib(Math.max(0, free))} free on this device; use fewer bits a weight, a smaller batch or model`,
    );
  }

  /**
   * Settles when all work and writes so far have reached the device.
   *
   * @param tensors Persistent ones that must be in memory. @default {all that nobody was told of}
   * @throws {RangeError} If the device had no memory for one of them.
   */
  async finish(tensors?: Iterable<Tensor>): Promise<void> {
    this.device.queue.submit([]);
    const heard = this.#errors.hear();
    await this.device.queue.onSubmittedWorkDone();
    await heard;
    await this.checkMemory(tensors && buffersOf(tensors));
    this.check();
  }

  /** The largest that {@linkcode allocatedBytes} has been. */
  get peakBytes(): number {
    return this.#memory.peakBytes;
  }

  /**
   * Waits until the device knows whether buffers fit its memory: once after many.
   *
   * @param buffers Which. @default {all so far, but those whose owners ask}
   * @throws {RangeError} If one did not; of all, if one did not since this was last asked.
   */
  async checkMemory(buffers?: readonly GPUBuffer[]): Promise<void> {
    const failure = await this.takeAllocationFailure(buffers);
    if (failure !== undefined) throw unallocated(failure);
  }

  /** As {@linkcode checkMemory}, for those who know better what did not fit. */
  takeAllocationFailure(buffers?: readonly GPUBuffer[]): Promise<AllocationFailure | undefined> {
    return this.#memory.takeFailure(buffers);
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
    const key = nameOf(kernel, constants);
    let pipeline = this.#pipelines.get(key);
    if (pipeline === undefined) {
      pipeline = compileKernel(this, kernel, constants);
      this.#pipelines.set(key, pipeline);
    }
    return pipeline;
  }

  /** Throws what the device reported since it was opened: its loss, or an error nobody caught. */
  check(): void {
    this.#errors.check();
  }

  /** Does work whose errors of validation are its own, such as that of a kernel on trial: {@linkcode DeviceErrors.catching}. */
  catchErrors<T>(
    work: () => Promise<T>,
  ): Promise<{ readonly value: T; readonly errors: readonly string[] }> {
    return this.#errors.catching(work);
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
