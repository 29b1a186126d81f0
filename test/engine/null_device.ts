/** Features that the kernels of subgroup matrices enable. */
const FEATURES = ["shader-f16", "subgroups", "chromium-experimental-subgroup-matrix"];

/** Dawn crashes if the object from `create()` is collected while a device lives. */
const instances: GPU[] = [];

/**
 * A device that compiles WGSL as Dawn does everywhere and runs nothing: it has features that no
 * adapter of this machine needs to have. Undefined where the runtime is not Dawn under Node.
 */
export async function openNullDevice(): Promise<GPUDevice | undefined> {
  if ((globalThis.navigator?.gpu as GPU | undefined) !== undefined) return undefined;
  const { create, globals } = await import("webgpu");
  Object.assign(globalThis, globals);
  const gpu = create(["backend=null", "enable-dawn-features=allow_unsafe_apis"]);
  instances.push(gpu);
  const adapter = await gpu.requestAdapter();
  if (adapter === null) throw new Error("Cannot open Dawn's null adapter: it must be built in");
  return adapter.requestDevice({ requiredFeatures: FEATURES as GPUFeatureName[] });
}

/** What the compiler says against a text; nothing of one that is right. */
export async function errorsOf(device: GPUDevice, code: string): Promise<string[]> {
  device.pushErrorScope("validation");
  const module = device.createShaderModule({ code });
  const { messages } = await module.getCompilationInfo();
  await device.popErrorScope();
  return messages
    .filter(({ type }) => type === "error")
    .map(({ lineNum, message }) => `${lineNum}: ${message}`);
}

/** Makes a pipeline of a text, which checks sizes of workgroups and of their memory. */
export async function makePipeline(device: GPUDevice, code: string): Promise<void> {
  const module = device.createShaderModule({ code });
  await device.createComputePipelineAsync({ layout: "auto", compute: { module } });
}
