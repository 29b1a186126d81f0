import { END_MARK } from "../resume.ts";

/** Token that fills rows of a batch. */
export const PAD_TOKEN = "<|pad|>";

/** Names of the tokens with a role. */
export interface TokenizerRoles {
  /**
   * Token that ends a document; the one that the configuration names, or the vocabulary has by a
   * common name, such as `<END OF DATA>`, `</s>`, `<|endoftext|>`.
   */
  readonly endToken?: string;
  /**
   * Token that fills rows of a batch; found likewise, such as `<|pad|>`. The end token if there is
   * none.
   */
  readonly padToken?: string;
  /** Token that begins a document; found likewise, such as `<s>`. */
  readonly beginToken?: string;
}

/** Where else {@linkcode findRoles} looks. */
export interface RoleSources extends TokenizerRoles {
  /** Content of `tokenizer_config.json`. */
  readonly config?: object;
  /** Content of `generation_config.json` or `config.json`: `eos_token_id` and the like. */
  readonly generation?: object;
}

/** Ids of the tokens with a role. */
export interface RoleIds {
  readonly beginId: number | undefined;
  readonly endId: number | undefined;
  readonly padId: number | undefined;
}

interface Role {
  readonly option: keyof TokenizerRoles;
  readonly configKey: string;
  readonly idKey: string;
  readonly names: readonly string[];
}

const BEGIN: Role = {
  option: "beginToken",
  configKey: "bos_token",
  idKey: "bos_token_id",
  names: ["<s>", "<|begin_of_text|>", "<bos>", "<｜begin▁of▁sentence｜>"],
};

const END: Role = {
  option: "endToken",
  configKey: "eos_token",
  idKey: "eos_token_id",
  names: [
    END_MARK,
    "</s>",
    "<|endoftext|>",
    "<|end_of_text|>",
    "<eos>",
    "<｜end▁of▁sentence｜>",
    "<|im_end|>",
  ],
};

const PAD: Role = {
  option: "padToken",
  configKey: "pad_token",
  idKey: "pad_token_id",
  names: [PAD_TOKEN, "<pad>", "[PAD]", "<|finetune_right_pad_id|>"],
};

/**
 * Finds the tokens with a role: by name where one is told, or else as `tokenizer_config.json`
 * names them, by the ids of the model's configuration, by common names, in this order.
 *
 * @param idOf Id of a token, or `undefined`.
 * @param tokenOf Token of an id, or `undefined`.
 * @throws {RangeError} If a token is told that the vocabulary lacks.
 */
export function findRoles(
  sources: RoleSources,
  idOf: (token: string) => number | undefined,
  tokenOf: (id: number) => string | undefined,
): RoleIds {
  const find = (role: Role): number | undefined => {
    const told = sources[role.option];
    if (told !== undefined) return toldId(role.option, told, idOf(told));
    const named = tokenName(fieldOf(sources.config, role.configKey));
    const listed = firstId(fieldOf(sources.generation, role.idKey));
    if (named !== undefined && idOf(named) !== undefined) return idOf(named);
    if (listed !== undefined && tokenOf(listed) !== undefined) return listed;
    return role.names.map(idOf).find((id) => id !== undefined);
  };
  const endId = find(END);
  return { beginId: find(BEGIN), endId, padId: find(PAD) ?? endId };
}

function toldId(role: string, token: string, id: number | undefined): number {
  if (id !== undefined) return id;
  throw new RangeError(
    `Cannot load a tokenizer: its vocabulary must contain the ${role} ${JSON.stringify(token)}, ` +
      "got none (name the token that has this role)",
  );
}

function fieldOf(object: object | undefined, key: string): unknown {
  if (object === undefined) return undefined;
  const entry = Object.entries(object).find(([name]) => name === key);
  return entry?.[1];
}

/** A token is written as its text, or as an object with it. */
function tokenName(value: unknown): string | undefined {
  if (typeof value === "string") return value;
  if (typeof value !== "object" || value === null) return undefined;
  const content = fieldOf(value, "content");
  return typeof content === "string" ? content : undefined;
}

/** An id, or the first of a list. */
function firstId(value: unknown): number | undefined {
  const first: unknown = Array.isArray(value) ? value[0] : value;
  return typeof first === "number" ? first : undefined;
}
