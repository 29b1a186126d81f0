import { indexTitles } from "../../../data/personal/title_index.ts";

/** Longest that indexing keeps the page from anything else at a time. */
const SLICE_MS = 10;

/** A pause where a browser does not say when it is idle. */
const PAUSE_MS = 50;

let hurried: Promise<void> | undefined;

/** Indexes job titles in slices, whenever the page has nothing else to do. */
export function prepareTitles(): void {
  whenIdle(() => {
    if (!indexSlice()) prepareTitles();
  });
}

/**
 * What suggestions wait for: somebody types already, so the rest is indexed at once, still in
 * slices.
 *
 * @returns Undefined if all titles are indexed.
 */
export function titlesReady(): Promise<void> | undefined {
  return indexSlice() ? undefined : (hurried ??= hurry());
}

async function hurry(): Promise<void> {
  do await new Promise((resolve) => setTimeout(resolve, 0));
  while (!indexSlice());
}

function indexSlice(): boolean {
  const end = performance.now() + SLICE_MS;
  return indexTitles(() => performance.now() < end);
}

function whenIdle(task: () => void): void {
  // Safari has no such call.
  const { requestIdleCallback: ask } = globalThis as Partial<typeof globalThis>;
  if (ask === undefined) setTimeout(task, PAUSE_MS);
  else ask(task);
}
