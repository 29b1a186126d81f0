import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { createRequire } from "node:module";
import { constants, tmpdir } from "node:os";
import { basename, dirname, join } from "node:path";
import { brotliDecompressSync } from "node:zlib";

/** The optional npm package whose archive carries SwiftShader and a Vulkan loader. */
const PACKAGE = "@sparticuz/chromium";

/** Name of the Vulkan loader, as Dawn asks the dynamic linker for it. */
const LOADER = "libvulkan.so.1";

/** Vulkan's description of the driver: what `VK_DRIVER_FILES` points to. */
const MANIFEST = "vk_swiftshader_icd.json";

const NEEDED = new Set(["libvk_swiftshader.so", LOADER, MANIFEST]);

/** Keeps a library in memory although Node closes it again; missing from Node's constants. */
const RTLD_NODELETE = 0x1000;

/** One regular file of a tar archive. */
export interface TarEntry {
  readonly name: string;
  readonly bytes: Uint8Array;
}

/**
 * Lists the regular files of a tar archive (ustar, names up to 100 bytes).
 *
 * @throws {SyntaxError} If a header is damaged or a file ends behind the archive.
 */
export function* readTar(archive: Uint8Array): Generator<TarEntry> {
  const text = (from: number, to: number): string =>
    Buffer.from(archive.subarray(from, to)).toString("latin1").replace(/\0.*$/s, "");
  for (let at = 0; at + 512 <= archive.length;) {
    const name = text(at, at + 100);
    if (name === "") return;
    const octal = text(at + 124, at + 136).trim();
    const size = Number.parseInt(octal, 8);
    const begin = at + 512;
    if (!/^[0-7]+$/.test(octal) || begin + size > archive.length) {
      throw new SyntaxError(
        `Cannot read the tar archive: "${name}" must end inside its ${archive.length} bytes, got the size "${octal}" at byte ${at}`,
      );
    }
    const type = text(at + 156, at + 157);
    if (type === "" || type === "0") yield { name, bytes: archive.subarray(begin, begin + size) };
    at = begin + Math.ceil(size / 512) * 512;
  }
}

/** Folder of the installed npm package, or undefined when it was not installed. */
function packageFolder(): string | undefined {
  try {
    const entry = createRequire(import.meta.url).resolve(PACKAGE);
    const end =
      entry.lastIndexOf(join("node_modules", PACKAGE)) + join("node_modules", PACKAGE).length;
    return entry.slice(0, end);
  } catch {
    return undefined;
  }
}

/** Where unpacked drivers are kept between runs. */
function cacheFolder(env: NodeJS.ProcessEnv): string {
  const home = env["XDG_CACHE_HOME"] ?? (env["HOME"] && join(env["HOME"], ".cache"));
  return join(home || tmpdir(), "tenure");
}

/**
 * Unpacks SwiftShader and the Vulkan loader from the optional npm package.
 *
 * The files land in a temporary folder that is renamed into place, so that two
 * processes may unpack at once and a killed one leaves nothing half-written.
 *
 * @returns The path of the driver's manifest, or undefined when the package is
 *   absent or has no build for this machine.
 */
export function unpackSwiftShader(env: NodeJS.ProcessEnv = process.env): string | undefined {
  if (process.platform !== "linux" || process.arch !== "x64") return undefined;
  const folder = packageFolder();
  if (folder === undefined) return undefined;
  const archive = join(folder, "bin", "swiftshader.tar.br");
  if (!existsSync(archive)) return undefined;
  const manifest = JSON.parse(readFileSync(join(folder, "package.json"), "utf8")) as {
    version: string;
  };
  for (const cache of [cacheFolder(env), join(tmpdir(), `tenure-${process.getuid?.() ?? 0}`)]) {
    const target = join(cache, `swiftshader-${manifest.version}`);
    try {
      mkdirSync(cache, { recursive: true, mode: 0o700 });
      // Libraries that somebody else may have put there are not loaded.
      if (statSync(cache).uid !== process.getuid?.()) continue;
      if (!existsSync(join(target, MANIFEST))) unpack(archive, target);
      return join(target, MANIFEST);
    } catch (error) {
      // A read-only or full home: the next folder may do.
      if (!(error instanceof Error && "code" in error)) throw error;
    }
  }
  return undefined;
}

function unpack(archive: string, target: string): void {
  const unfinished = mkdtempSync(`${target}.`);
  try {
    for (const { name, bytes } of readTar(brotliDecompressSync(readFileSync(archive)))) {
      const file = basename(name);
      if (NEEDED.has(file)) writeFileSync(join(unfinished, file), bytes, { mode: 0o755 });
    }
    renameSync(unfinished, target);
  } catch (error) {
    rmSync(unfinished, { recursive: true, force: true });
    // Another process was faster: its files are the same as ours.
    if (!existsSync(join(target, MANIFEST))) throw error;
  }
}

/**
 * Loads the Vulkan loader beside a manifest into this process, so that Dawn,
 * which asks for it by name, finds it on a machine without a system-wide one.
 *
 * @throws {Error} If the dynamic linker refuses the library.
 */
export function preloadVulkan(manifest: string): void {
  const { RTLD_NOW, RTLD_GLOBAL } = constants.dlopen;
  try {
    process.dlopen(
      { exports: {} },
      join(dirname(manifest), LOADER),
      RTLD_NOW | RTLD_GLOBAL | RTLD_NODELETE,
    );
  } catch (error) {
    // Node and Deno load the library, then complain that it is no addon: as expected.
    if (!(error instanceof Error && /self-register|register Node-API/.test(error.message))) {
      throw error;
    }
  }
}
