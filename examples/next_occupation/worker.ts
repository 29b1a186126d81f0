import { serveEngine } from "tenure/web";

serveEngine();
