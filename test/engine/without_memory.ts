import type { Gpu } from "../../engine/gpu.ts";
import { openGpu } from "../support.ts";

/**
 * Opens a device that has no memory for buffers of some labels: they are invalid, as real ones that
 * do not fit are, and whatever uses them raises an error that nobody catches.
 *
 * @param labels Which do not fit; may change later.
 */
export async function openWithout(labels: Iterable<string>): Promise<Gpu> {
  const failing = labels instanceof Set ? labels : new Set(labels);
  const opened = await openGpu();
  const { device } = opened;
  const create = device.createBuffer.bind(device);
  const pop = device.popErrorScope.bind(device);
  let hasFailed = false;
  device.createBuffer = (descriptor) => {
    hasFailed = failing.has(descriptor.label);
    if (!hasFailed) return create(descriptor);
    device.pushErrorScope("validation");
    const invalid = create({ ...descriptor, size: device.limits.maxBufferSize + 4 });
    void pop();
    return invalid;
  };
  device.popErrorScope = async () => {
    const fails = hasFailed;
    hasFailed = false;
    const error = await pop();
    return fails ? { message: "no memory left" } : error;
  };
  return opened;
}
