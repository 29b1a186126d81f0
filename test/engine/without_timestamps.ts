/** The same adapter without timestamp queries: its devices are opened without the feature. */
export function withoutTimestamps(adapter: GPUAdapter): GPUAdapter {
  const { limits, info } = adapter;
  const features = new Set([...adapter.features].filter((one) => one !== "timestamp-query"));
  return {
    features,
    limits,
    info,
    requestDevice: (descriptor?: GPUDeviceDescriptor) => adapter.requestDevice(descriptor),
  } as unknown as GPUAdapter;
}
