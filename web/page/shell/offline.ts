/** Whether the page comes up without a network from now on. */
export type OfflineState = "preparing" | "ready" | "unavailable";

/**
 * Installs the worker that keeps the page's own files.
 *
 * @param page Address of the page, beside which the worker lies.
 */
export async function prepareOffline(page: string): Promise<OfflineState> {
  const container = (navigator as { readonly serviceWorker?: ServiceWorkerContainer })
    .serviceWorker;
  if (container === undefined) return "unavailable";
  try {
    await container.register(new URL("service_worker.js", page).href);
    await container.ready;
    return "ready";
  } catch {
    // A private window, a server without this file, or a browser that wants https.
    return "unavailable";
  }
}
