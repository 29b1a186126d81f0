import { text as readText } from "node:stream/consumers";
import { applyChatTemplate } from "../../data/chat_template.ts";
import type { Line } from "../../data/lines.ts";
import type { TextModel } from "../../model/pretrained/text_model.ts";
import { CliError, EXIT, failingAs } from "../platform/errors.ts";
import { promptTokens } from "./load_model.ts";
import {
  idField,
  isJsonLines,
  jsonFields,
  type Located,
  openRecords,
  type RecordId,
  type Records,
  recordsOf,
  textField,
} from "./records.ts";

/** A text to go on with, and what it is called. */
export interface Prompt {
  readonly id?: RecordId;
  readonly text: string;
}

/** Where prompts come from: the command line (`"-"` for stdin), or a file. */
export type PromptSource = { readonly texts: readonly string[] } | { readonly file: string };

/** How prompts become what the model reads. */
export interface PromptLayout {
  /** Lays each prompt out as a user's message, by the model's chat template. */
  readonly chat: boolean;
  /** A message of the system before it. */
  readonly system?: string;
}

/**
 * Opens prompts: a line each of a file, of text or of JSON `{"id"?, "prompt"}` if its name ends in
 * `.jsonl`; or texts as they are, stdin without its last line feed.
 *
 * @throws {CliError} With exit code 3 if a line is wrong, naming it.
 */
export async function openPrompts(source: PromptSource): Promise<Records<Prompt>> {
  if ("file" in source) {
    const isJson = isJsonLines(source.file);
    return openRecords(source.file, { parse: isJson ? parsePrompt : ({ text }) => ({ text }) });
  }
  const located = source.texts.map(async (text, index): Promise<Located<Prompt>> => {
    const value = { text: text === "-" ? await readStdin() : text };
    return { value, line: index + 1, place: `prompt ${index + 1}` };
  });
  return recordsOf(await Promise.all(located));
}

async function readStdin(): Promise<string> {
  return (await readText(process.stdin)).replace(/\r?\n$/, "");
}

function parsePrompt(line: Line, file: string): Prompt {
  const fields = jsonFields(line, file, ["id", "prompt"]);
  const place = { file, line: line.line };
  return { ...idField(fields, place), text: textField(fields, "prompt", place) };
}

/**
 * Tokens of a prompt as the model reads it.
 *
 * @throws {CliError} With exit code 3 if the prompt is empty, too long, or refused by the template;
 *   with exit code 2 if a chat is asked for and the model has no template.
 */
export async function layOutPrompt(
  model: TextModel,
  { value, place }: Located<Prompt>,
  layout: PromptLayout,
): Promise<Uint32Array> {
  const tokens = await failingAs(EXIT.data, () =>
    layout.chat ? chatTokens(model, value.text, layout.system) : promptTokens(model, value.text),
  );
  const { maxSeqLen } = model.transformer.config;
  if (tokens.length === 0) {
    throw new CliError(
      EXIT.data,
      `Cannot go on with ${place}: it must have at least one token, got an empty text and a tokenizer without a token that begins one`,
    );
  }
  if (tokens.length < maxSeqLen) return tokens;
  throw new CliError(
    EXIT.data,
    `Cannot go on with ${place}: the prompt must leave room in the model's context of ${maxSeqLen} tokens, got ${tokens.length}; shorten it`,
  );
}

/**
 * The template, if there is one.
 *
 * @throws {CliError} With exit code 2 if there is none.
 */
export function checkedTemplate(template: string | undefined): string {
  if (template !== undefined) return template;
  throw new CliError(
    EXIT.usage,
    "Cannot chat: the model must have a chat template (chat_template in tokenizer_config.json, chat_template.jinja, or GGUF's own), got none; leave out --chat, or take a model that was tuned on instructions",
  );
}

function chatTokens(model: TextModel, text: string, system: string | undefined): Uint32Array {
  const { tokenizer } = model;
  const chatTemplate = checkedTemplate(model.chatTemplate);
  const { beginId } = tokenizer;
  const begin = beginId === undefined ? undefined : tokenizer.token(beginId);
  const end = tokenizer.hasEnd ? tokenizer.token(tokenizer.endId) : undefined;
  const laidOut = applyChatTemplate(chatTemplate, {
    messages: [
      ...(system === undefined ? [] : [{ role: "system", content: system }]),
      { role: "user", content: text },
    ],
    addGenerationPrompt: true,
    ...(begin !== undefined && { beginToken: begin }),
    ...(end !== undefined && { endToken: end }),
  });
  return tokenizer.encode(laidOut); // the template has put special tokens in itself
}
