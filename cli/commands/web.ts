import { spawn } from "node:child_process";
import { once } from "node:events";
import type { Command } from "commander";
import { wholeNumber } from "../run/flags.ts";
import { formatBytes } from "../run/format.ts";
import type { ServedModel } from "../run/served_model.ts";
import type { SeenRequest } from "../run/web_server.ts";

/** Flags of `tenure web`. */
interface WebFlags {
  readonly model?: string;
  readonly port?: number;
  readonly host: string;
  readonly open?: boolean;
  readonly verbose?: boolean;
}

/** Adds `tenure web` to the program. */
export function webCommand(program: Command): void {
  program
    .command("web")
    .description("Serve the page that predicts careers in a browser, on its own GPU.")
    .option("--model <path>", "run, checkpoint, model's folder or GGUF file that the page loads")
    .option(
      "--port <port>",
      "port to listen on (default: 8080, or the next that is free)",
      wholeNumber({ least: 0, most: 65535 }),
    )
    .option("--host <address>", "address to listen on", "127.0.0.1")
    .option("--open", "open the page in the browser")
    .option("--verbose", "print every request: after the model is loaded, none comes")
    .addHelpText("after", HELP)
    .action(serve);
}

const HELP = `
The browser computes everything: this server only sends files, and what people enter never
reaches it. Without --model, the page asks for a model's folder or file on the visitor's disk.

Of a model, the page can have the files that it reads, and no others; of a run, its best
checkpoint. An adapter must be merged first: tenure export <adapter> --merge -o <folder>.

Only this machine can reach the server. With --host 0.0.0.0, everybody on its network can, and
browsers give them no WebGPU without https: put a server with a certificate in front.
A browser keeps models by address and port: the same port finds them again.

Examples:
  $ tenure web
  $ tenure web --model runs/small --open
  $ tenure web --model model.gguf --port 9000`;

async function serve({ model: path, host, port, open, verbose }: WebFlags): Promise<void> {
  const { findPage, pageFiles } = await import("../run/served_files.ts");
  const { isLoopback, startWebServer } = await import("../run/web_server.ts");
  const page = await pageFiles(await findPage());
  const { serveModel } = await import("../run/served_model.ts");
  const model = path === undefined ? undefined : await serveModel(path);
  const server = await startWebServer({
    files: new Map([...page, ...(model?.files ?? [])]),
    host,
    ...(port !== undefined && { port }),
    ...(verbose === true && { onRequest: printRequest }),
  });
  // Heard from now on: whoever reads that Ctrl-C ends it may press it at once.
  const ended = Promise.race([once(process, "SIGINT"), once(process, "SIGTERM")]);
  process.stdout.write(`${server.url}\n${whatIsServed(model)}\n`);
  if (!isLoopback(host)) {
    process.stderr.write(
      `Warning: everybody who can reach ${host} can read the page${model === undefined ? "" : " and the model"}\n`,
    );
  }
  if (open === true) openBrowser(server.url);
  await ended;
  await server.close();
}

function printRequest({ method, url, status }: SeenRequest): void {
  process.stdout.write(`${status} ${method} ${JSON.stringify(url)}\n`);
}

function whatIsServed(model: ServedModel | undefined): string {
  const what =
    model === undefined
      ? "The page, without a model: choose one in it, or give --model"
      : `The page, and the model "${model.name}" from ${model.path} (${model.files.size - 1} files, ${formatBytes(model.bytes)})`;
  return `${what}\nCtrl-C ends it`;
}

/** Opens an address in the person's browser; that there is none is no error. */
function openBrowser(url: string): void {
  const [command, ...args] =
    process.platform === "darwin"
      ? ["open"]
      : process.platform === "win32"
        ? ["cmd", "/c", "start", ""]
        : ["xdg-open"];
  const child = spawn(command, [...args, url], { detached: true, stdio: "ignore" });
  child.on("error", () => process.stderr.write(`Open ${url} in a browser\n`));
  child.unref();
}
