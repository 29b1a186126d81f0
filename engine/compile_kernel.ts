import type { Gpu } from "./gpu.ts";
import type { AnyKernel } from "./tape.ts";

/** A kernel and its constants, which together decide its code. */
export function nameOf(kernel: AnyKernel, constants: unknown): string {
  return `${kernel.name}(${JSON.stringify(constants)})`;
}

/**
 * Compiles a kernel for one choice of constants.
 *
 * @throws {Error} If the device lacks a feature, the code does not compile, or the device is lost.
 */
export async function compileKernel(
  gpu: Pick<Gpu, "device" | "info" | "check">,
  kernel: AnyKernel,
  constants: unknown,
): Promise<GPUComputePipeline> {
  const { device } = gpu;
  const label = nameOf(kernel, constants);
  const code = kernel.code(constants as never);
  checkFeatures(gpu, kernel.name, code);
  const layout = device.createPipelineLayout({
    bindGroupLayouts: [bindGroupLayout(device, kernel)],
  });
  // The module's own error belongs to this kernel, not to whatever runs next.
  device.pushErrorScope("validation");
  const module = device.createShaderModule({ label, code });
  const moduleError = device.popErrorScope();
  try {
    return await device.createComputePipelineAsync({ label, layout, compute: { module } });
  } catch (cause) {
    await moduleError.catch(() => null); // a lost device pops no scopes
    gpu.check();
    const what = cause instanceof Error ? cause.message : String(cause);
    throw new Error(`Cannot compile ${label}: ${what}`, { cause });
  }
}

function bindGroupLayout(device: GPUDevice, kernel: AnyKernel): GPUBindGroupLayout {
  const entry = (binding: number, type: GPUBufferBindingType): GPUBindGroupLayoutEntry => ({
    binding,
    visibility: GPUShaderStage.COMPUTE,
    buffer: { type },
  });
  return device.createBindGroupLayout({
    label: kernel.name,
    entries: [
      entry(0, "uniform"),
      ...Object.values(kernel.buffers).map((access, index) =>
        entry(index + 1, access === "read" ? "read-only-storage" : "storage"),
      ),
    ],
  });
}

function checkFeatures(
  { device, info }: Pick<Gpu, "device" | "info">,
  name: string,
  code: string,
): void {
  if (!code.includes("enable f16;") || device.features.has("shader-f16")) return;
  const what = info.description || info.device || info.vendor;
  throw new Error(
    `Cannot compile ${name} for halves: the device must have shader-f16, got ${what}; use f32`,
  );
}
