/** What a report says of where its figures come from; the rest stands in the JSON file. */
export interface Origin {
  readonly date: string;
  readonly commit: string;
  readonly adapter: { readonly kind: string; readonly driver: string };
  readonly machine: { readonly cpu?: string; readonly cores: number };
  readonly versions: { readonly tenure: string; readonly webgpu: string };
}

/** One line: adapter, processor, versions, commit and date. */
export function originLine({ date, commit, adapter, machine, versions }: Origin): string {
  const cpu = machine.cpu === undefined ? "" : `, ${machine.cpu} (${machine.cores} cores)`;
  return `${adapter.driver}${cpu}, tenure ${versions.tenure} at ${commit}, webgpu ${versions.webgpu}, ${date}`;
}
