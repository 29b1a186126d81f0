/** Content of a `tokenizer.json`, or a part of it. */
type Json = Readonly<Record<string, unknown>>;

/** Lists of steps within a step. */
const LISTS = ["normalizers", "pretokenizers"] as const;

/**
 * A tokenizer as it reads what follows other text: without the space that SentencePiece and some
 * byte-level files put before the first word of every text.
 *
 * @param json The content of a `tokenizer.json`.
 * @returns The same content, a new object only if there is such a space.
 */
export function withoutFirstSpace(json: object): object {
  const root = json as Json;
  const normalizer = changeStep(root["normalizer"]);
  const preTokenizer = changeStep(root["pre_tokenizer"]);
  if (normalizer === root["normalizer"] && preTokenizer === root["pre_tokenizer"]) return json;
  return { ...root, normalizer, pre_tokenizer: preTokenizer };
}

/** The step, another in its place, or null for none. */
function changeStep(step: unknown): unknown {
  if (typeof step !== "object" || step === null) return step;
  const { type, ...rest } = step as Json;
  if (type === "Prepend") return null;
  if (type === "Metaspace" && rest["prepend_scheme"] !== "never") {
    const { str_rep: _, ...others } = rest; // an old name of the replacement
    return { ...others, type, prepend_scheme: "never", add_prefix_space: false };
  }
  if (type === "ByteLevel" && rest["add_prefix_space"] === true) {
    return { ...rest, type, add_prefix_space: false };
  }
  for (const key of LISTS) {
    const list: unknown = rest[key];
    if (!Array.isArray(list)) continue;
    const changed = list.map(changeStep);
    if (changed.every((each, i) => each === list[i])) return step;
    const left = changed.filter((each) => each !== null);
    return left.length === 0 ? null : { ...rest, type, [key]: left };
  }
  return step;
}
