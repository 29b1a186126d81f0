import { parse, tokenize } from "@huggingface/jinja";
import { BoundedInterpreter, globals, templateTooLarge } from "./chat_interpreter.ts";

/** A message of a conversation. Templates may use more than these two fields. */
export interface ChatMessage {
  /** Who speaks: `"system"`, `"user"`, `"assistant"`. */
  readonly role: string;
  readonly content?: unknown;
  readonly [key: string]: unknown;
}

/** A conversation, and what its template may refer to. */
export interface Chat {
  readonly messages: readonly ChatMessage[];
  /**
   * Whether the text ends where the assistant's answer begins.
   *
   * @default {false}
   */
  readonly addGenerationPrompt?: boolean;
  /** Text of the token that begins a document, `bos_token`. */
  readonly beginToken?: string;
  /** Text of the token that ends a document, `eos_token`. */
  readonly endToken?: string;
  /** Descriptions of tools, as JSON schemas. */
  readonly tools?: readonly object[];
  /** The time that `strftime_now()` tells; the present if absent. */
  readonly now?: Date;
}

/** Longest template, in UTF-16 units; those in use have at most 20,000. */
const MAX_TEMPLATE_LENGTH = 2 ** 16;

/** Parsed templates that are remembered. */
const MAX_CACHE_SIZE = 16;
const parsed = new Map<string, unknown>();

/**
 * Writes a conversation as the text that a model was trained on, by a Jinja template.
 *
 * The text has its special tokens already: encode it without adding any.
 *
 * Templates come from strangers. They see the fields of {@linkcode Chat} and nothing else; their
 * length, steps, nesting and the size of every value are limited.
 *
 * @param template Jinja source, such as {@linkcode chatTemplateOf} finds.
 * @throws {SyntaxError} If the template is not valid, or fails on this conversation.
 * @throws {RangeError} If it says by `raise_exception()` that it cannot take this conversation,
 * or takes more than its limits.
 * @see {@link https://huggingface.co/docs/transformers/chat_templating | Chat templates}
 */
export function applyChatTemplate(template: string, chat: Chat): string {
  const program = parseTemplate(template);
  const { messages, addGenerationPrompt = false, beginToken, endToken, tools, now } = chat;
  const environment = globals(now ?? new Date());
  const variables = {
    messages,
    add_generation_prompt: addGenerationPrompt,
    tools: tools ?? null,
    documents: null,
    bos_token: beginToken,
    eos_token: endToken,
  };
  return guarded("apply", () => {
    for (const [name, value] of Object.entries(variables)) {
      if (value !== undefined) environment.set(name, value);
    }
    return new BoundedInterpreter(environment).render(program);
  });
}

/**
 * The chat template of a `tokenizer_config.json`: a text, or a list of them with names.
 *
 * @param config Content of the file.
 * @param name Which of several.
 * @returns The template, or `undefined` if there is none of that name.
 * @throws {SyntaxError} If `chat_template` is neither.
 */
export function chatTemplateOf(config: object, name = "default"): string | undefined {
  const { chat_template: templates }: Record<string, unknown> = { ...config };
  if (templates === undefined || templates === null) return undefined;
  if (typeof templates === "string") return templates;
  if (!Array.isArray(templates)) throw notTemplates(typeof templates);
  for (const entry of templates as unknown[]) {
    const { name: itsName, template }: Record<string, unknown> = { ...(entry as object | null) };
    if (typeof itsName !== "string" || typeof template !== "string") {
      throw notTemplates("a list of something else");
    }
    if (itsName === name) return template;
  }
  return undefined;
}

function notTemplates(got: string): SyntaxError {
  return new SyntaxError(
    "Cannot read chat_template: it must be a text, or a list of { name, template }, got " + got,
  );
}

function parseTemplate(template: string): unknown {
  const known = parsed.get(template);
  if (known !== undefined) return known;
  if (template.length > MAX_TEMPLATE_LENGTH) {
    throw templateTooLarge(`at most ${MAX_TEMPLATE_LENGTH} characters`, template.length);
  }
  const program: unknown = guarded("read", () =>
    parse(tokenize(template, { lstrip_blocks: true, trim_blocks: true })),
  );
  if (parsed.size >= MAX_CACHE_SIZE) parsed.clear();
  parsed.set(template, program);
  return program;
}

/** The library throws errors of many kinds; a stack that overflows is a template too deep. */
function guarded<T>(verb: string, run: () => T): T {
  try {
    return run();
  } catch (cause) {
    if (cause instanceof RangeError && cause.message.startsWith("Cannot")) throw cause;
    if (cause instanceof RangeError) throw templateTooLarge("less nesting and text", cause.message);
    const reason = cause instanceof Error ? cause.message : String(cause);
    throw new SyntaxError(
      `Cannot ${verb} a chat template: it must be valid and fit the conversation, got ` +
        JSON.stringify(reason.slice(0, 300)),
      { cause },
    );
  }
}
