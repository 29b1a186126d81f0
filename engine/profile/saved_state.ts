import type { Gpu } from "../gpu.ts";
import type { Plan } from "../plan.ts";
import { rootOf } from "../tensor.ts";

/**
 * Copies of the persistent tensors that plans write, on the device: replays of the plans can be
 * taken back.
 */
export class SavedState {
  readonly #gpu: Gpu;
  readonly #copies: ReadonlyMap<GPUBuffer, GPUBuffer>;

  private constructor(gpu: Gpu, copies: ReadonlyMap<GPUBuffer, GPUBuffer>) {
    this.#gpu = gpu;
    this.#copies = copies;
  }

  /**
   * Copies all that the plans write and that outlives them.
   *
   * @throws {RangeError} If the device has no memory for the copies.
   */
  static async of(gpu: Gpu, plans: readonly Plan[]): Promise<SavedState> {
    const written = writtenBuffers(plans);
    const bytes = written.reduce((sum, { size }) => sum + size, 0);
    gpu.checkFits(bytes, "a copy of what the plans write");
    const copies = new Map<GPUBuffer, GPUBuffer>();
    const state = new SavedState(gpu, copies);
    for (const buffer of written) {
      copies.set(buffer, gpu.createBuffer(buffer.size, `copy of ${buffer.label}`, "owner"));
    }
    try {
      await gpu.checkMemory([...copies.values()]);
    } catch (error) {
      state.destroy();
      throw error;
    }
    state.#copy((buffer, copy) => [buffer, copy]);
    return state;
  }

  /** Bytes of the copies. */
  get bytes(): number {
    return [...this.#copies.values()].reduce((sum, { size }) => sum + size, 0);
  }

  /** Gives every tensor the values that it had; on the device, before the next submit. */
  restore(): void {
    this.#copy((buffer, copy) => [copy, buffer]);
  }

  #copy(direction: (buffer: GPUBuffer, copy: GPUBuffer) => [from: GPUBuffer, to: GPUBuffer]): void {
    const encoder = this.#gpu.device.createCommandEncoder();
    for (const [buffer, copy] of this.#copies) {
      const [from, to] = direction(buffer, copy);
      encoder.copyBufferToBuffer(from, 0, to, 0, buffer.size);
    }
    this.#gpu.device.queue.submit([encoder.finish()]);
  }

  /** Frees the copies. */
  destroy(): void {
    for (const copy of this.#copies.values()) copy.destroy();
  }
}

/** Buffers of the persistent tensors that dispatches write. */
function writtenBuffers(plans: readonly Plan[]): GPUBuffer[] {
  const written = new Set<GPUBuffer>();
  for (const { kernel, buffers } of plans.flatMap((plan) => plan.dispatches)) {
    for (const [name, tensor] of Object.entries(buffers)) {
      const { buffer } = rootOf(tensor);
      if (kernel.buffers[name] === "read_write" && buffer !== undefined) written.add(buffer);
    }
  }
  return [...written];
}
