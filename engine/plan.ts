import type { Gpu } from "./gpu.ts";
import { liveDispatches } from "./live_dispatches.ts";
import { type MemoryPlan, planMemory } from "./memory.ts";
import type { BufferPart } from "./readback.ts";
import type { RecordedDispatch, Tape } from "./tape.ts";
import {
  BINDING_ALIGNMENT,
  byteOffsetOf,
  bytesOf,
  describe,
  type Purpose,
  rootOf,
  type Tensor,
} from "./tensor.ts";

/** What {@linkcode Plan.describe} says. */
export interface PlanDescription {
  /** Dispatches of one replay, and how many of each kernel. */
  readonly numDispatches: number;
  readonly numDispatchesByKernel: Readonly<Record<string, number>>;
  /** Bytes of the tensors that the plan touches, by purpose; activations before sharing. */
  readonly bytes: Readonly<Record<Purpose, number>>;
  /** Bytes of the activations' shared buffers. */
  readonly sharedActivationBytes: number;
  /** Bytes of device memory that the plan needs in all. */
  readonly peakBytes: number;
}

interface Step {
  readonly pipeline: GPUComputePipeline;
  readonly bindGroup: GPUBindGroup;
  readonly x: number;
  readonly y: number;
}

/** Options of a {@linkcode Plan}. */
export interface PlanOptions {
  /** Activations to read after a run. */
  readonly keep?: readonly Tensor[];
  /** Lets activations share memory; off only to check that sharing changes nothing. @default {true} */
  readonly shareMemory?: boolean;
}

/** A recorded tape with its memory laid out: compiled once, replayed with one submit a step. */
export class Plan {
  readonly memory: MemoryPlan;
  readonly #gpu: Gpu;
  readonly #dispatches: readonly RecordedDispatch[];
  readonly #kept: ReadonlySet<Tensor>;
  readonly #buffers = new Map<Tensor, GPUBuffer>();
  readonly #owned: GPUBuffer[] = [];
  #compiled: Promise<void> | undefined;
  #steps: readonly Step[] | undefined;

  /**
   * Lays out the memory of a tape, without the dispatches whose results nobody reads; nothing is
   * allocated or compiled before {@linkcode compile}.
   *
   * @param gpu Device that will run it.
   * @param tape What to run.
   * @param options What to keep.
   */
  constructor(gpu: Gpu, tape: Tape, { keep = [], shareMemory = true }: PlanOptions = {}) {
    this.#gpu = gpu;
    const recorded = tape.dispatches;
    this.#dispatches = shareMemory ? liveDispatches(recorded, keep) : recorded.slice();
    const kept = shareMemory ? keep.map(rootOf) : this.#activations();
    this.#kept = new Set(kept);
    this.memory = planMemory(this.#dispatches, kept);
  }

  /** What a run dispatches, in order. */
  get dispatches(): readonly RecordedDispatch[] {
    return this.#dispatches;
  }

  /** Dispatches and bytes, known before anything runs. */
  describe(): PlanDescription {
    const numDispatchesByKernel: Record<string, number> = {};
    for (const { kernel } of this.#dispatches) {
      numDispatchesByKernel[kernel.name] = (numDispatchesByKernel[kernel.name] ?? 0) + 1;
    }
    const bytes = { weights: 0, gradients: 0, optimizer: 0, cache: 0, inputs: 0, activations: 0 };
    for (const tensor of this.#tensors()) bytes[tensor.purpose] += bytesOf(tensor);
    const sharedActivationBytes = this.memory.blocks.reduce((sum, block) => sum + block, 0);
    const { weights, gradients, optimizer, cache, inputs } = bytes;
    return {
      numDispatches: this.#dispatches.length,
      numDispatchesByKernel,
      bytes,
      sharedActivationBytes,
      peakBytes: weights + gradients + optimizer + cache + inputs + sharedActivationBytes,
    };
  }

  /**
   * Allocates buffers, compiles all pipelines in parallel and builds every bind group; once.
   *
   * @throws {RangeError} If a tensor exceeds what the device can bind, or all of them its memory.
   */
  async compile(): Promise<this> {
    this.#compiled ??= this.#compile();
    try {
      await this.#compiled;
    } catch (error) {
      this.destroy();
      throw error;
    }
    return this;
  }

  async #compile(): Promise<void> {
    const gpu = this.#gpu;
    this.#checkBindings();
    const pipelines = await Promise.all(
      this.#dispatches.map(({ kernel, constants }) => gpu.pipeline(kernel, constants)),
    );
    const params = await this.#allocate();
    const bindGroups = new Map<string, GPUBindGroup>();
    const ids = new Map<unknown, number>();
    const idOf = (value: unknown): number =>
      ids.get(value) ?? (ids.set(value, ids.size), ids.size - 1);
    this.#steps = this.#dispatches.map((dispatch, index) => {
      const pipeline = pipelines[index]!;
      const resources: GPUBufferBinding[] = [
        params[index]!,
        ...Object.keys(dispatch.kernel.buffers).map((name) =>
          this.#binding(dispatch.buffers[name]!),
        ),
      ];
      const key = [
        pipeline,
        ...resources.flatMap(({ buffer, offset, size }) => [buffer, offset, size]),
      ]
        .map(idOf)
        .join();
      let bindGroup = bindGroups.get(key);
      if (bindGroup === undefined) {
        bindGroup = gpu.device.createBindGroup({
          label: dispatch.kernel.name,
          layout: pipeline.getBindGroupLayout(0),
          entries: resources.map((resource, binding) => ({ binding, resource })),
        });
        bindGroups.set(key, bindGroup);
      }
      const limit = gpu.device.limits.maxComputeWorkgroupsPerDimension;
      const x = Math.max(1, Math.min(dispatch.workgroups, limit));
      return { pipeline, bindGroup, x, y: Math.ceil(dispatch.workgroups / x) };
    });
  }

  /** Gives every activation its buffer; returns the params' bindings, by dispatch. */
  async #allocate(): Promise<readonly GPUBufferBinding[]> {
    const gpu = this.#gpu;
    await gpu.checkMemory([...this.#tensors()].flatMap(({ buffer }) => buffer ?? []));
    for (const tensor of this.memory.blockOf.keys()) {
      gpu.checkBytes(bytesOf(tensor), tensor.label); // names the tensor; a block has no name
    }
    const owned = this.#owned;
    const blocks = this.memory.blocks.map((bytes, index) => {
      const buffer = gpu.createBuffer(bytes, `activations ${index}`, "owner");
      owned.push(buffer);
      return buffer;
    });
    const params = this.#packParams();
    owned.push(params.buffer);
    for (const [tensor, block] of this.memory.blockOf) this.#buffers.set(tensor, blocks[block]!);
    const failure = await gpu.takeAllocationFailure(owned);
    if (failure !== undefined) {
      const { label, bytes, allocatedBytes, message } = failure;
      throw new RangeError(
        `Cannot allocate a plan: the device must hold ${this.describe().peakBytes} bytes, got ${message} at the ${bytes} of "${label}" beside ${allocatedBytes}; use a smaller batch`,
      );
    }
    return params.bindings;
  }

  /** Replays the plan: one compute pass, one submit. */
  run(): void {
    submit(this.#gpu, [this]);
  }

  /** Encodes the dispatches `[begin, end)`, all of them unless told, into an open pass. */
  encode(pass: GPUComputePassEncoder, begin = 0, end: number = this.#dispatches.length): void {
    if (this.#steps === undefined) {
      throw new Error("Cannot run a plan: it must be compiled first, call compile()");
    }
    let bound: GPUComputePipeline | undefined;
    for (const { pipeline, bindGroup, x, y } of this.#steps.slice(begin, end)) {
      if (pipeline !== bound) pass.setPipeline((bound = pipeline));
      pass.setBindGroup(0, bindGroup);
      pass.dispatchWorkgroups(x, y);
    }
  }

  /** Copies tensors back to the host with one submit: persistent ones, or those the plan keeps. */
  async read(...tensors: Tensor[]): Promise<Float32Array<ArrayBuffer>[]> {
    const copies = await this.#gpu.readBuffers(tensors.map((tensor) => this.source(tensor)));
    return copies.map((copy) => new Float32Array(copy));
  }

  /**
   * Where a tensor lies, for {@linkcode submitAndRead}: a persistent one, or one the plan keeps.
   *
   * @throws {RangeError} If the plan does not keep it: others may have overwritten its memory.
   */
  source(tensor: Tensor): BufferPart {
    const root = rootOf(tensor);
    if (root.buffer === undefined && !this.#kept.has(root)) {
      throw new RangeError(
        `Cannot read "${tensor.label}" ${describe(tensor)}: the plan must keep it, got one whose memory is shared; name it in the plan's options`,
      );
    }
    return { buffer: this.#buffer(tensor), bytes: bytesOf(tensor), begin: byteOffsetOf(tensor) };
  }

  /** Frees the plan's own memory; it may be compiled again. */
  destroy(): void {
    for (const buffer of this.#owned.splice(0)) buffer.destroy();
    this.#buffers.clear();
    this.#steps = undefined;
    this.#compiled = undefined;
  }

  #buffer(tensor: Tensor): GPUBuffer {
    const root = rootOf(tensor);
    const buffer = root.buffer ?? this.#buffers.get(root);
    if (buffer === undefined) {
      throw new RangeError(
        `Cannot find the memory of "${tensor.label}" ${describe(tensor)}: the plan must touch it and be compiled`,
      );
    }
    return buffer;
  }

  #binding(tensor: Tensor): GPUBufferBinding {
    return { buffer: this.#buffer(tensor), offset: byteOffsetOf(tensor), size: bytesOf(tensor) };
  }

  /** All params in one buffer, each at an aligned offset; equal ones share. */
  #packParams(): { buffer: GPUBuffer; bindings: GPUBufferBinding[] } {
    const places = new Map<string, number>();
    const contents: Uint8Array[] = [];
    const blocks = this.#dispatches.map(({ kernel, params }) => {
      const words = Object.keys(kernel.params).length;
      const view = new DataView(new ArrayBuffer(Math.max(16, Math.ceil(words / 4) * 16)));
      Object.entries(kernel.params).forEach(([name, type], index) => {
        if (type === "u32") view.setUint32(4 * index, params[name]!, true);
        else view.setFloat32(4 * index, params[name]!, true);
      });
      const bytes = new Uint8Array(view.buffer);
      const key = bytes.join();
      const place = places.get(key) ?? contents.push(bytes) - 1;
      places.set(key, place);
      return { place, size: bytes.length };
    });
    const packed = new Uint8Array(Math.max(1, contents.length) * BINDING_ALIGNMENT);
    contents.forEach((bytes, place) => packed.set(bytes, place * BINDING_ALIGNMENT));
    const usage = GPUBufferUsage.UNIFORM | GPUBufferUsage.COPY_DST;
    const buffer = this.#gpu.allocate({ label: "params", size: packed.length, usage }, "owner");
    this.#gpu.device.queue.writeBuffer(buffer, 0, packed);
    const bindings = blocks.map(({ place, size }) => ({
      buffer,
      offset: place * BINDING_ALIGNMENT,
      size,
    }));
    return { buffer, bindings };
  }

  /** Names the tensor and the kernel that would see too much of it. */
  #checkBindings(): void {
    const { maxBindingBytes } = this.#gpu;
    for (const { kernel, buffers } of this.#dispatches) {
      for (const tensor of Object.values(buffers)) {
        const bytes = bytesOf(tensor);
        if (bytes <= maxBindingBytes) continue;
        throw new RangeError(
          `Cannot bind "${tensor.label}" ${describe(tensor)} to ${kernel.name}: this device binds at most ${maxBindingBytes} bytes, got ${bytes}; use a smaller batch or model`,
        );
      }
    }
  }

  #activations(): Tensor[] {
    return [...this.#tensors()].filter((tensor) => tensor.buffer === undefined);
  }

  #tensors(): Set<Tensor> {
    const tensors = new Set<Tensor>();
    for (const { buffers } of this.#dispatches) {
      for (const tensor of Object.values(buffers)) {
        tensors.add(rootOf(tensor));
      }
    }
    return tensors;
  }
}

/** Runs compiled plans one after another in one compute pass and one submit. */
export function submit(gpu: Gpu, plans: readonly Plan[]): void {
  gpu.check();
  const encoder = gpu.device.createCommandEncoder();
  encodePass(encoder, plans);
  gpu.device.queue.submit([encoder.finish()]);
}

/**
 * Runs compiled plans and copies results back to the host, all in one submit.
 *
 * @param gpu The plans' device.
 * @param plans What to run, in order.
 * @param sources What to read: see {@linkcode Plan.source}.
 */
export async function submitAndRead(
  gpu: Gpu,
  plans: readonly Plan[],
  sources: readonly BufferPart[],
): Promise<Float32Array<ArrayBuffer>[]> {
  gpu.check();
  const copies = await gpu.readBuffers(sources, (encoder) => encodePass(encoder, plans));
  return copies.map((copy) => new Float32Array(copy));
}

function encodePass(encoder: GPUCommandEncoder, plans: readonly Plan[]): void {
  const pass = encoder.beginComputePass();
  for (const plan of plans) plan.encode(pass);
  pass.end();
}
