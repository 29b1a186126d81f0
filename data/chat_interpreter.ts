import { Environment, Interpreter } from "@huggingface/jinja";
import { formatTime } from "./chat_time.ts";

/** A value of the interpreter. */
interface Value {
  readonly type: string;
  readonly value: unknown;
}

/** A node of a parsed template. */
interface Node {
  readonly type: string;
  readonly [key: string]: unknown;
}

/** Names that templates may refer to, beside those of the conversation. */
interface Scope {
  set(name: string, value: unknown): unknown;
}

/** The library's interpreter; its declarations do not resolve under Node's rules. */
interface LibraryInterpreter {
  run(program: unknown): Value;
  evaluate(node: Node | undefined, environment: unknown): Value;
}

// oxlint-disable-next-line typescript/no-unsafe-type-assertion -- see there
const Base = Interpreter as unknown as new (environment: unknown) => LibraryInterpreter;

/** Nodes evaluated; a step takes about a microsecond. */
const MAX_STEPS = 2 ** 20;

/** Nodes and macros within each other: far less than the stack holds. */
const MAX_DEPTH = 300;

/** Characters and elements written by all steps. */
const MAX_WORK = 2 ** 25;

/** Size of one value with all it refers to, counted as often as it does: characters, elements. */
const MAX_SIZE = 2 ** 21;

/** Numbers of one `range()`. */
const MAX_RANGE = 10_000;

/** A name that is not defined costs the library an exception. */
const UNDEFINED_STEPS = 16;

/** Operations whose result can be a multiple of what goes in, by an argument. */
const MULTIPLYING: ReadonlyMap<string, number> = new Map([
  ["replace", 1],
  ["join", 0],
  ["indent", 0],
  ["tojson", 0],
]);

/** Longest text, and largest number, that such an argument may be. */
const MAX_ARGUMENT = 64;

/** What exceeds a limit. */
export function templateTooLarge(rule: string, got: unknown): RangeError {
  return new RangeError(
    `Cannot apply a chat template: it must take ${rule}, got ${String(got)} ` +
      "(shorten the conversation, or use another template)",
  );
}

/** The functions and constants that Hugging Face gives to templates. */
export function globals(now: Date): Scope {
  const environment: Scope = new Environment();
  const constants = { true: true, True: true, false: false, False: false, none: null, None: null };
  for (const [name, value] of Object.entries(constants)) environment.set(name, value);
  environment.set("raise_exception", (message: unknown) => {
    throw new RangeError(
      "Cannot apply a chat template: the conversation must be one that it takes, got " +
        JSON.stringify(String(message).slice(0, 300)),
    );
  });
  environment.set("range", range);
  environment.set("strftime_now", (format: unknown) => formatTime(now, String(format)));
  return environment;
}

/** `range()` of Python. */
function range(...args: readonly unknown[]): number[] {
  const numbers = args.map(Number);
  const [start = Number.NaN, stop = Number.NaN, step = 1] =
    numbers.length === 1 ? [0, numbers[0]] : numbers;
  const count = Math.ceil((stop - start) / step);
  if (!(count <= MAX_RANGE)) throw templateTooLarge(`ranges of up to ${MAX_RANGE}`, count);
  return Array.from({ length: Math.max(0, count) }, (_, i) => start + i * step);
}

/**
 * The library's interpreter within limits. All of its evaluation goes through `evaluate()`, so
 * that every step and every value passes by here.
 */
export class BoundedInterpreter extends Base {
  #steps = 0;
  #depth = 0;
  #work = 0;
  readonly #sizes = new WeakMap<object, number>();
  /** Nodes whose value the library walks element by element without evaluating anything. */
  readonly #walked = new WeakSet<Node>();
  /** What texts are joined by, and what is joined. */
  readonly #separators = new WeakMap<Node, Node>();
  /** Elements of the last value of each node whose elements are joined. */
  readonly #joined = new WeakMap<Node, number>();

  /** The text of a template. */
  render(program: unknown): string {
    const { value }: Value = this.run(program);
    return String(value);
  }

  /** Evaluates a node. */
  override evaluate(node: Node | undefined, environment: unknown): Value {
    if (++this.#steps > MAX_STEPS) throw templateTooLarge(`${MAX_STEPS} steps`, "more");
    if (node !== undefined) {
      checkNode(node);
      this.#noteWalked(node);
      this.#noteJoined(node);
    }
    const count = this.#countJoined(node); // the separator may join elsewhere on its way
    if (++this.#depth > MAX_DEPTH) throw templateTooLarge(`a depth of ${MAX_DEPTH}`, "more");
    const result = this.#within(node, environment);
    if (result.type === "UndefinedValue") this.#steps += UNDEFINED_STEPS;
    if (count !== undefined) checkJoined(count, result);
    if (node !== undefined && this.#joined.has(node)) this.#joined.set(node, lengthOf(result));
    if (node !== undefined && this.#walked.has(node)) this.#steps += walkSteps(result);
    this.#charge(result, isCreated(node));
    if (node?.type === "MemberExpression" && node["computed"] === true) checkMember(result);
    return result;
  }

  /** Loops are left by exceptions, so that the depth needs care. */
  #within(node: Node | undefined, environment: unknown): Value {
    try {
      return super.evaluate(node, environment);
    } finally {
      this.#depth--;
    }
  }

  /** What loops run over, and what is cut into slices. */
  #noteWalked(node: Node): void {
    const { iterable, object, property } = node;
    if (node.type === "For" && isNode(iterable)) {
      const { lhs } = iterable;
      this.#walked.add(iterable.type === "SelectExpression" && isNode(lhs) ? lhs : iterable);
    } else if (isNode(object) && isNode(property) && property.type === "SliceExpression") {
      this.#walked.add(object);
    }
  }

  /** What is joined by one separator, which comes right after it. */
  #noteJoined(node: Node): void {
    const separator = separatorOf(node);
    const { operand } = node;
    if (separator === undefined || !isNode(operand)) return;
    this.#separators.set(separator, operand);
    this.#joined.set(operand, 0);
  }

  /** Number of elements that a node is the separator of. */
  #countJoined(node: Node | undefined): number | undefined {
    const operand = node && this.#separators.get(node);
    return operand && this.#joined.get(operand);
  }

  #charge(result: Value, created: boolean): void {
    const { value } = result;
    if (this.#size(result) > MAX_SIZE) {
      throw templateTooLarge(`values of up to ${MAX_SIZE} characters`, "more");
    }
    if (typeof value === "string") this.#work += created ? value.length : value.length >> 6;
    else if (Array.isArray(value)) this.#work += created ? 4 * value.length : value.length >> 2;
    if (this.#work > MAX_WORK) throw templateTooLarge(`${MAX_WORK} characters of work`, "more");
  }

  /** Size with all parts. Only namespaces can change, and they may not be parts. */
  #size(result: Value): number {
    const { value } = result;
    if (typeof value === "string") return value.length + 1;
    if (typeof value !== "object" || value === null) return 1;
    const known = this.#sizes.get(result);
    if (known !== undefined) return known;
    let size = 1;
    for (const part of partsOf(value)) {
      if (part.type === "NamespaceValue") {
        throw new SyntaxError("namespaces within other values are not supported");
      }
      size += this.#size(part);
    }
    if (result.type !== "NamespaceValue") this.#sizes.set(result, size);
    return size;
  }
}

/** The separator of `list|join(separator)`. */
function separatorOf({ type, filter }: Node): Node | undefined {
  if (type !== "FilterExpression" || !isNode(filter) || filter.type !== "CallExpression") {
    return undefined;
  }
  const { callee, args } = filter;
  if (nameOf(callee) !== "join" || !Array.isArray(args) || args.length !== 1) return undefined;
  const [argument]: unknown[] = args;
  if (!isNode(argument) || argument.type === "SpreadExpression") return undefined;
  const given = argument.type === "KeywordArgumentExpression" ? argument["value"] : argument;
  return isNode(given) ? given : undefined;
}

/** Separators are written once for each element. */
function checkJoined(count: number, { value }: Value): void {
  if (typeof value !== "string" || count * value.length <= MAX_SIZE) return;
  const got = `${count} elements with ${value.length} characters between`;
  throw templateTooLarge(`texts joined to up to ${MAX_SIZE} characters`, got);
}

function lengthOf({ value }: Value): number {
  return Array.isArray(value) || typeof value === "string" ? value.length : 0;
}

/** Steps to walk over a value: an iteration takes as long as many nodes. */
function walkSteps({ value }: Value): number {
  if (Array.isArray(value)) return 16 * value.length;
  if (value instanceof Map) return 16 * value.size;
  return typeof value === "string" ? value.length >> 4 : 0;
}

/** Elements of a list, keys and values of a map. */
function partsOf(value: object): readonly Value[] {
  if (Array.isArray(value)) return value;
  if (!(value instanceof Map)) return [];
  const parts: Value[] = [];
  for (const [key, part] of value as Map<string, Value>) {
    parts.push({ type: "StringValue", value: key }, part);
  }
  return parts;
}

/** Whether a node makes a value, rather than naming one. */
function isCreated(node: Node | undefined): boolean {
  return (
    node !== undefined && !["Identifier", "MemberExpression", "StringLiteral"].includes(node.type)
  );
}

/** A method under a name that is computed would escape {@linkcode checkNode}. */
function checkMember({ type }: Value): void {
  if (type === "FunctionValue")
    throw new SyntaxError("methods by computed names are not supported");
}

/**
 * Arguments by which a text could grow a thousandfold in one step must be written out in the
 * template and short, but for the separator of `join`.
 */
function checkNode(node: Node): void {
  if (node.type === "CallExpression") checkArguments(nameOf(node["callee"]), node["args"]);
  else if (node.type === "FilterExpression" || node.type === "FilterStatement") {
    const filter = node["filter"];
    if (separatorOf(node) !== undefined) return; // its length is known when it is evaluated
    if (isNode(filter) && filter.type === "CallExpression") {
      checkArguments(nameOf(filter["callee"]), filter["args"]);
    }
  } else if (node.type === "Set" && nameOf(node["value"]) === "replace") {
    throw new SyntaxError("methods as values are not supported");
  }
}

function checkArguments(name: string | undefined, args: unknown): void {
  const from = MULTIPLYING.get(name ?? "");
  if (from === undefined || !Array.isArray(args)) return;
  for (const argument of args.slice(from) as unknown[]) {
    const isNamed = isNode(argument) && argument.type === "KeywordArgumentExpression";
    const given = isNamed ? argument["value"] : argument;
    if (!isNode(given) || !isShort(given)) {
      throw new SyntaxError(`${name}() with arguments that are long or computed is not supported`);
    }
  }
}

function isShort({ type, value }: Node): boolean {
  switch (type) {
    case "StringLiteral":
      return String(value).length <= MAX_ARGUMENT;
    case "IntegerLiteral":
      return Number(value) <= MAX_ARGUMENT;
    case "Identifier":
      // true, false and none; a variable of another value is too long to tell.
      return /^(true|false|none)$/i.test(String(value));
    case "TupleLiteral":
    case "ArrayLiteral":
      return Array.isArray(value) && value.every((item: unknown) => isNode(item) && isShort(item));
    default:
      return false;
  }
}

/** The name that a call goes by: `f(…)` or `x.f(…)`. */
function nameOf(node: unknown): string | undefined {
  if (!isNode(node)) return undefined;
  const named = node.type === "MemberExpression" ? node["property"] : node;
  return isNode(named) && named.type === "Identifier" ? String(named["value"]) : undefined;
}

function isNode(value: unknown): value is Node {
  return typeof value === "object" && value !== null && "type" in value;
}
