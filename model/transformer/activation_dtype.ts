import type { Gpu } from "../../engine/gpu.ts";

/** What activations are stored as between the kernels of a forward pass. */
export type ActivationDType = "f32" | "f16";

/**
 * Checks that a device can store activations so.
 *
 * @throws {TypeError} If they are to be halves, and the device has none.
 */
export function checkActivationDType(
  { device, info }: Pick<Gpu, "device" | "info">,
  dtype: ActivationDType,
): void {
  if (dtype === "f32" || device.features.has("shader-f16")) return;
  const name = info.description || info.device || info.vendor;
  throw new TypeError(
    `Cannot run a model in f16: the device must have shader-f16, got ${name}; use f32`,
  );
}
