import { execFileSync } from "node:child_process";
import { existsSync } from "node:fs";
import { availableParallelism, tmpdir } from "node:os";
import { join } from "node:path";
import { execPath } from "node:process";
import { fileURLToPath } from "node:url";
import { type AdapterKind, lavapipeManifests } from "../cli/platform/adapter.ts";
import type { Command } from "./interleaved.ts";
import type { TaskName } from "./peers/tasks.ts";

/** An engine that can be asked for tasks. */
export interface Engine {
  readonly name: string;
  /** What computes: WebGPU on the adapter that tenure uses, or a library for CPUs. */
  readonly medium: "webgpu" | "cpu";
  /** Why it cannot run here, and the remedy. */
  readonly missing?: string;
  /** How it takes a task; undefined if it has no way to. */
  readonly command: (task: TaskName, work: Work) => Command | undefined;
}

/** What an engine is told besides the task. */
export interface Work {
  /** Where inputs and expected results lie. */
  readonly folder: string;
  /** Computations for each wait. */
  readonly repeats: number;
}

export const REFERENCE = "tenure";

const folder = fileURLToPath(new URL(".", import.meta.url));
const INSTALL = "run: npm --prefix bench/peers install";
/** Everyone compiles: otherwise first runs would depend on what ran before. */
const NO_SHADER_CACHE = { MESA_SHADER_CACHE_DISABLE: "true", __GL_SHADER_DISK_CACHE: "0" };

/**
 * All engines, those that are missing here among them.
 *
 * @param kind What does the arithmetic of the adapter.
 * @param scratch A folder to build programs in.
 */
export function allEngines(kind: AdapterKind, scratch: string): Engine[] {
  return [
    script(REFERENCE, { tasks: "peers/tenure.ts", training: "small_gpt_run.ts" }),
    script("jax-js", {
      tasks: "peers/jax.ts",
      training: "peers/jax_small_gpt.ts",
      library: "@jax-js/jax",
    }),
    script("TensorFlow.js", {
      tasks: "peers/tfjs.ts",
      training: "peers/tfjs_small_gpt.ts",
      library: "@tensorflow/tfjs-backend-webgpu",
    }),
    script("ONNX Runtime node, WebGPU", {
      tasks: "peers/onnx_node.ts",
      library: "onnxruntime-node",
      provider: "webgpu",
      env: ownDrivers(kind),
    }),
    script("ONNX Runtime web, WebGPU", { tasks: "peers/onnx_web.ts", library: "onnxruntime-web" }),
    script("ONNX Runtime node, CPU", {
      tasks: "peers/onnx_node.ts",
      library: "onnxruntime-node",
      provider: "cpu",
    }),
    ...threadCounts().map((threads) => openBlas(threads, scratch)),
    ...threadCounts().map(torch),
  ];
}

/** How an engine's scripts are called. */
interface Scripts {
  readonly tasks: string;
  readonly training?: string;
  readonly library?: string;
  readonly provider?: "webgpu" | "cpu";
  readonly env?: Readonly<Record<string, string>>;
}

function script(name: string, { tasks, training, library, provider, env }: Scripts): Engine {
  const node = (file: string, ...args: readonly string[]): Command => ({
    file: execPath,
    args: ["--import", "tsx", join(folder, file), ...args],
    env: { ...NO_SHADER_CACHE, ...env },
  });
  const isThere = library === undefined || existsSync(join(folder, "peers/node_modules", library));
  return {
    name,
    medium: provider === "cpu" ? "cpu" : "webgpu",
    ...(!isThere && { missing: `${library} must be installed, ${INSTALL}` }),
    command: (task, work) => {
      if (task === "training") return training === undefined ? undefined : node(training);
      // Gradients are left to engines that train.
      if (task === "attentionBackward" && training === undefined) return undefined;
      return node(tasks, task, work.folder, `${work.repeats}`, ...(provider ? [provider] : []));
    },
  };
}

/** For an engine that brings its own Dawn: the drivers which ours found. */
function ownDrivers(kind: AdapterKind): Record<string, string> {
  const [manifest] = kind === "lavapipe" ? lavapipeManifests() : [];
  const drivers = manifest === undefined ? {} : { VK_DRIVER_FILES: manifest };
  return {
    XDG_RUNTIME_DIR: process.env["XDG_RUNTIME_DIR"] ?? tmpdir(),
    ...(manifest !== undefined && { ...drivers, VK_ICD_FILENAMES: manifest }),
  };
}

/** One thread, and as many as there are cores. */
function threadCounts(): number[] {
  return [...new Set([1, availableParallelism()])];
}

function threadsEnv(threads: number): Record<string, string> {
  return { OPENBLAS_NUM_THREADS: `${threads}`, OMP_NUM_THREADS: `${threads}` };
}

function label(library: string, threads: number): string {
  return `${library}, CPU, ${threads} ${threads === 1 ? "thread" : "threads"}`;
}

function openBlas(threads: number, scratch: string): Engine {
  const program = join(scratch, "openblas");
  const isBuilt = existsSync(program) || build(program);
  return {
    name: label("OpenBLAS", threads),
    medium: "cpu",
    ...(!isBuilt && {
      missing:
        "a C compiler and OpenBLAS must be there, on Debian: apt install gcc libopenblas-dev",
    }),
    command: (task, work) =>
      task.startsWith("matmul")
        ? { file: program, args: [task, work.folder], env: threadsEnv(threads) }
        : undefined,
  };
}

function build(program: string): boolean {
  const source = join(folder, "peers/openblas.c");
  return succeeds("cc", ["-O2", source, "-lopenblas", "-lm", "-o", program]);
}

function torch(threads: number): Engine {
  const python = pythonWithTorch();
  return {
    name: label("PyTorch", threads),
    medium: "cpu",
    ...(python === undefined && {
      missing: "PyTorch must be there, on Debian: apt install python3-torch",
    }),
    command: (task, work) => ({
      file: python!,
      args: [join(folder, "peers/torch_cpu.py"), task, work.folder],
      env: threadsEnv(threads),
    }),
  };
}

let python: { readonly file: string | undefined } | undefined;

/** A Python that has PyTorch; the system's is asked, too, where another comes before it. */
function pythonWithTorch(): string | undefined {
  const candidates = ["python3", "/usr/bin/python3"];
  python ??= { file: candidates.find((file) => succeeds(file, ["-c", "import torch"])) };
  return python.file;
}

function succeeds(file: string, args: readonly string[]): boolean {
  try {
    execFileSync(file, args, { stdio: "ignore" });
    return true;
  } catch {
    return false;
  }
}
