import type { ImportPort } from "./import_messages.ts";
import { serveImports } from "./import_server.ts";

// Files are read here, so that even a large one never holds up the page.
serveImports(workerScope());

/** The scope of a worker, whose messages go to the page that started it. */
function workerScope(): ImportPort {
  const scope: unknown = globalThis;
  return scope as ImportPort;
}
