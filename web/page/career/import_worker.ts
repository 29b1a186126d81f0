import { serveImports } from "./import_server.ts";

// Files are read here, so that even a large one never holds up the page.
serveImports(globalThis);
