import type { Gpu } from "../engine/gpu.ts";

/** Where the time of some steps went, in ms. */
export interface SplitMs {
  /** Encoding commands and handing them to the queue. */
  readonly submit: number;
  /** Waiting for the device. */
  readonly wait: number;
  /** All else: the sampler's and the generator's own JavaScript. */
  readonly host: number;
}

/**
 * Watches a device's submits and readbacks, to split time between host and device. Steps must come
 * one after the other, as a generator's do.
 */
export class GenerationClock {
  #submitMs = 0;
  #waitMs = 0;
  #encodesSince: number | undefined;

  constructor(gpu: Gpu) {
    const { device } = gpu;
    const encode = device.createCommandEncoder.bind(device);
    device.createCommandEncoder = (...options) => {
      this.#encodesSince = performance.now();
      return encode(...options);
    };
    const submit = device.queue.submit.bind(device.queue);
    device.queue.submit = (commands) => {
      submit(commands);
      this.#submitMs += performance.now() - (this.#encodesSince ?? performance.now());
      this.#encodesSince = undefined;
    };
    const makeBuffer = device.createBuffer.bind(device);
    device.createBuffer = (descriptor) => {
      const buffer = makeBuffer(descriptor);
      if ((descriptor.usage & GPUBufferUsage.MAP_READ) !== 0) this.#watch(buffer);
      return buffer;
    };
  }

  #watch(buffer: GPUBuffer): void {
    const map = buffer.mapAsync.bind(buffer);
    buffer.mapAsync = async (...options) => {
      const begin = performance.now();
      await map(...options);
      this.#waitMs += performance.now() - begin;
      return undefined;
    };
  }

  /** Runs something and says where its time went. */
  async split(run: () => Promise<unknown>): Promise<SplitMs> {
    this.#submitMs = this.#waitMs = 0;
    const begin = performance.now();
    await run();
    const total = performance.now() - begin;
    const [submit, wait] = [this.#submitMs, this.#waitMs];
    return { submit, wait, host: total - submit - wait };
  }
}
