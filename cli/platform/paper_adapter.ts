/**
 * An adapter like another whose devices take notes on paper: buffers of any size are promised, none
 * is allocated, and nothing runs. What is recorded on such a device says what it would take.
 */
export function paperAdapter({ features, limits, info }: GPUAdapter): GPUAdapter {
  const device = {
    features,
    limits,
    lost: new Promise(() => {}),
    addEventListener() {},
    createBuffer: ({ label = "", size, usage }: GPUBufferDescriptor) => {
      return { label, size, usage, destroy() {} };
    },
    pushErrorScope() {},
    popErrorScope: () => Promise.resolve(null),
    queue: {
      writeBuffer() {},
      submit() {},
      onSubmittedWorkDone: () => Promise.resolve(),
    },
    destroy() {},
  };
  return {
    features,
    limits,
    info,
    // Only what recording asks for is there; a plan that is compiled or run fails at once.
    // oxlint-disable-next-line typescript/no-unsafe-type-assertion
    requestDevice: () => Promise.resolve(device as unknown as GPUDevice),
  } as unknown as GPUAdapter;
}
