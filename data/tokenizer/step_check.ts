import { jsonRecord, tokenizerError } from "./tokenizer_check.ts";

/** How much longer normalization may make a text, as a factor. */
const MAX_GROWTH = 64;

/** Most characters of a word that WordPiece looks at: its time grows with their square. */
const MAX_WORD = 1000;

/** Steps within each other; files in use have two. */
const MAX_DEPTH = 16;

/**
 * Checks the steps that come before a model: normalizers and pre-tokenizers that the library would
 * follow without an end, blow text up by, or follow wrongly.
 *
 * @throws {SyntaxError} Naming the step.
 */
export function checkSteps(root: Readonly<Record<string, unknown>>): void {
  const { normalizer, pre_tokenizer: preTokenizer, model } = root;
  const normalizers = flatten(normalizer, "normalizers", 0);
  let growth = 1;
  for (const step of normalizers) growth *= growthOf(step);
  if (growth > MAX_GROWTH) {
    throw tokenizerError(`normalizers must not make text ${MAX_GROWTH} times as long`, growth);
  }
  const spacesReplaced = normalizers.some(
    ({ type, pattern }) => type === "Replace" && stringOf(pattern) === " ",
  );
  for (const step of flatten(preTokenizer, "pretokenizers", 0)) {
    checkPreTokenizer(step, spacesReplaced);
  }
  const { max_input_chars_per_word: max = 100 } = jsonRecord(model, "model");
  if (typeof max !== "number" || !(max >= 1 && max <= MAX_WORD)) {
    throw tokenizerError(`max_input_chars_per_word must be 1 to ${MAX_WORD}`, max);
  }
}

type Step = Readonly<Record<string, unknown>>;

function flatten(json: unknown, key: string, depth: number): Step[] {
  if (json === null || json === undefined) return [];
  const step = jsonRecord(json, key);
  if (typeof step["type"] !== "string")
    throw tokenizerError("a step must have a type", step["type"]);
  if (step["type"] !== "Sequence") return [step];
  const list = step[key];
  if (!Array.isArray(list) || depth === MAX_DEPTH) {
    throw tokenizerError(`${key} must be a list, at most ${MAX_DEPTH} deep`, list);
  }
  return list.flatMap((entry: unknown) => flatten(entry, key, depth + 1));
}

function growthOf(step: Step): number {
  if (step["type"] !== "Replace") return 1;
  const { content } = step;
  if (typeof content !== "string") throw tokenizerError("Replace must have a content", content);
  if (content.includes("$")) throw tokenizerError('Replace must not write "$"', content);
  const plain = stringOf(step["pattern"]);
  const regex = regexOf(step["pattern"]);
  if (plain === undefined && regex === undefined) throw noPattern(step);
  if (plain !== undefined && plain !== "") return Math.max(1, content.length / plain.length);
  const matchesNothing = plain === "" || new RegExp(regex ?? "", "u").test("");
  return Math.max(1, content.length + (matchesNothing ? 1 : 0));
}

function checkPreTokenizer(step: Step, spacesReplaced: boolean): void {
  const { type, pattern, behavior, length } = step;
  if (type === "FixedLength" && !(Number.isInteger(length) && Number(length) >= 1)) {
    throw tokenizerError("FixedLength must have a length of at least 1", length);
  }
  if (type !== "Split") return;
  if (stringOf(pattern) === undefined && regexOf(pattern) === undefined) throw noPattern(step);
  // Gemma splits at spaces of which its normalizer leaves none.
  if (behavior === "Isolated" || behavior === "Removed") return;
  if (spacesReplaced && stringOf(pattern) === " ") return;
  throw tokenizerError("Split must isolate or remove what it finds", behavior);
}

function noPattern(step: Step): SyntaxError {
  return tokenizerError(`${String(step["type"])} must have a pattern`, step["pattern"]);
}

function stringOf(pattern: unknown): string | undefined {
  return field(pattern, "String");
}

function regexOf(pattern: unknown): string | undefined {
  return field(pattern, "Regex");
}

function field(pattern: unknown, key: string): string | undefined {
  if (typeof pattern !== "object" || pattern === null) return undefined;
  const value: unknown = Object.entries(pattern).find(([name]) => name === key)?.[1];
  return typeof value === "string" ? value : undefined;
}
