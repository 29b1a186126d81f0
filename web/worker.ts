import { serveEngine } from "./engine/serve_engine.ts";

serveEngine();
