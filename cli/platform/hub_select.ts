import { CliError, EXIT } from "./errors.ts";
import type { HubFile } from "./hub_listing.ts";

/** Which files of a model are asked for. */
export interface Selection {
  /** Patterns with `*`, `?` and `[…]`, of which a path must match one; instead of the usual files. */
  readonly include?: readonly string[];
  /** Name of a GGUF file, or a part of it that no other has. */
  readonly gguf?: string;
}

/** What was chosen. */
export interface Selected {
  readonly files: readonly HubFile[];
  /** Pickles that a pattern matched, and that are left out. */
  readonly refused: readonly string[];
}

/** Everything but weights that is of use with a model. */
const COMPANIONS = new Set([
  "config.json",
  "generation_config.json",
  "tokenizer.json",
  "tokenizer_config.json",
  "tokenizer.model",
  "special_tokens_map.json",
  "added_tokens.json",
  "vocab.json",
  "merges.txt",
  "chat_template.jinja",
  "chat_template.json",
  "adapter_config.json",
]);

/** Formats that run code as they are read, or may. */
const PICKLE = /\.(bin|pt|pth|pkl|pickle|ckpt)$/i;

const SHARD = /^model-\d+-of-\d+\.safetensors$|^model\.safetensors\.index\.json$/;

/**
 * Chooses the files of a model that are worth downloading: configuration, tokenizer, and weights
 * as safetensors, once; or one GGUF file.
 *
 * @throws {CliError} With exit code 3 if there are none, and why: only pickles, several GGUF files,
 * a pattern that matches nothing.
 */
export function selectFiles(
  repo: string,
  files: readonly HubFile[],
  { include = [], gguf }: Selection,
): Selected {
  if (include.length > 0) return matching(repo, files, include);
  if (gguf !== undefined) return { files: [chooseGguf(repo, files, gguf)], refused: [] };
  const weights = weightsOf(files);
  if (weights.length === 0) {
    const hasGguf = files.some(({ path }) => isGguf(path));
    if (!hasGguf) throw noWeights(repo, files);
    return { files: [chooseGguf(repo, files, "")], refused: [] };
  }
  const companions = files.filter(({ path }) => COMPANIONS.has(path));
  if (companions.some(({ path }) => path === "config.json" || path === "adapter_config.json")) {
    return { files: [...companions, ...weights], refused: [] };
  }
  throw problem(repo, "a model must have a config.json", "none; see --include");
}

/** Weights at the root: one file, or shards with their index, or an adapter's, or any other. */
function weightsOf(files: readonly HubFile[]): HubFile[] {
  const single = files.filter(({ path }) => path === "model.safetensors");
  const whole = single.length > 0 ? single : files.filter(({ path }) => SHARD.test(path));
  const adapter = files.filter(({ path }) => path === "adapter_model.safetensors");
  if (whole.some(({ path }) => path.endsWith(".safetensors"))) return [...whole, ...adapter];
  if (adapter.length > 0) return adapter;
  return files.filter(({ path }) => /^[^/]+\.safetensors(\.index\.json)?$/.test(path));
}

function chooseGguf(repo: string, files: readonly HubFile[], name: string): HubFile {
  const all = files.filter(({ path }) => isGguf(path));
  const exact = all.filter(({ path }) => path === name);
  const part = name.toLowerCase();
  const found =
    exact.length > 0 ? exact : all.filter(({ path }) => path.toLowerCase().includes(part));
  const [file, another] = found;
  if (file !== undefined && another === undefined) {
    if (!/-\d{5}-of-\d{5}\.gguf$/i.test(file.path)) return file;
    throw problem(repo, "a GGUF model must be one file", `a part, "${file.path}"`);
  }
  if (all.length === 0) throw problem(repo, "--gguf must name a file", "a model without any GGUF");
  const choices = listed(found.length > 0 ? found : all);
  if (name === "") throw problem(repo, "--gguf must say which file", `none; it has ${choices}`);
  throw problem(repo, "--gguf must name one file", `"${name}"; it has ${choices}`);
}

function matching(repo: string, files: readonly HubFile[], include: readonly string[]): Selected {
  const patterns = include.map(patternOf);
  const found = files.filter(({ path }) => patterns.some((pattern) => pattern.test(path)));
  if (found.length === 0) {
    throw problem(
      repo,
      `--include must match a file`,
      `${include.join(", ")}; it has ${listed(files)}`,
    );
  }
  const chosen = found.filter(({ path }) => !PICKLE.test(path));
  if (chosen.length === 0) throw pickles(repo, found);
  const refused = found.filter(({ path }) => PICKLE.test(path));
  return { files: chosen, refused: refused.map(({ path }) => path) };
}

/** A pattern of file names as a regular expression; `*` matches slashes too, as on the hub. */
function patternOf(pattern: string): RegExp {
  const source = pattern.replaceAll(
    /\*+|\?|\[(!?)([^\]/]+)\]|[^*?[]+|\[/g,
    (part, not: string | undefined, set: string | undefined) => {
      if (part.startsWith("*")) return ".*";
      if (part === "?") return ".";
      if (set !== undefined)
        return `[${not === "!" ? "^" : ""}${set.replaceAll(/[\\\]^]/g, "\\$&")}]`;
      return part.replaceAll(/[\\^$.*+?()[\]{}|/]/g, "\\$&");
    },
  );
  try {
    return new RegExp(`^${source}$`, "su");
  } catch (cause) {
    throw new CliError(
      EXIT.usage,
      `Cannot use --include "${pattern}": it must be a pattern of *, ? and [a-z], got another`,
      { cause },
    );
  }
}

function noWeights(repo: string, files: readonly HubFile[]): CliError {
  const found = files.filter(({ path }) => PICKLE.test(path));
  if (found.length > 0) return pickles(repo, found);
  const got = files.length === 0 ? "no file at all" : listed(files);
  return problem(repo, "weights must be safetensors or GGUF", got);
}

function pickles(repo: string, found: readonly HubFile[]): CliError {
  return problem(
    repo,
    "weights must be safetensors or GGUF",
    `only ${listed(found)}; such files hold pickles, and reading a pickle runs the code in it: look for a converted revision (--revision refs/pr/N), or save the model again with safe_serialization=True`,
  );
}

function isGguf(path: string): boolean {
  return /\.gguf$/i.test(path);
}

/** A few names, and how many more. */
function listed(files: readonly HubFile[]): string {
  const names = files.slice(0, 8).map(({ path }) => `"${path}"`);
  const more = files.length - names.length;
  return `${names.join(", ")}${more > 0 ? ` and ${more} more` : ""}`;
}

function problem(repo: string, rule: string, got: string): CliError {
  return new CliError(EXIT.data, `Cannot download "${repo}": ${rule}, got ${got}`);
}
