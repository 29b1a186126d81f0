/** Whether an adapter computes on the CPU: Mesa's llvmpipe (lavapipe) or SwiftShader. */
export function isSoftware(info: GPUAdapterInfo): boolean {
  const names = `${info.vendor} ${info.architecture} ${info.device} ${info.description}`;
  return info.isFallbackAdapter || /llvmpipe|lavapipe|swiftshader|software/i.test(names);
}

/** The only size of subgroups that an adapter has, or 0 if there are several. */
export function fixedSubgroup(info: Partial<GPUAdapterInfo>): number {
  const { subgroupMinSize = 0, subgroupMaxSize = 0 } = info; // older runtimes do not tell
  return subgroupMinSize === subgroupMaxSize ? subgroupMinSize : 0;
}
