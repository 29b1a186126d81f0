// What the tests use of node:assert/strict, for a worker of a browser: see bundle.ts.
import { isDeepEqual } from "./deep_equal.ts";

/** An assertion that does not hold, as Node throws it. */
export class AssertionError extends Error {
  readonly code = "ERR_ASSERTION";
  readonly generatedMessage: boolean;
  readonly actual: unknown;
  readonly expected: unknown;
  readonly operator: string | undefined;

  constructor(options: {
    readonly message?: string;
    readonly actual?: unknown;
    readonly expected?: unknown;
    readonly operator?: string;
  }) {
    super(
      options.message ?? `${show(options.actual)} ${options.operator} ${show(options.expected)}`,
    );
    this.name = "AssertionError";
    this.generatedMessage = options.message === undefined;
    this.actual = options.actual;
    this.expected = options.expected;
    this.operator = options.operator;
  }
}

type Message = string | Error | undefined;
/** What an error must be: text that fits, a class, fields, or whatever a function says. */
type Expected =
  | RegExp
  | Error
  | (new (...args: never[]) => unknown)
  | ((error: unknown) => boolean)
  | Readonly<Record<string, unknown>>;

interface Comparison {
  readonly actual: unknown;
  readonly expected: unknown;
  readonly operator: string;
  readonly message: Message;
}

function must(holds: boolean, { message, ...rest }: Comparison): void {
  if (holds) return;
  if (message instanceof Error) throw message;
  throw new AssertionError({ ...rest, ...(message !== undefined && { message }) });
}

/** A value as an assertion prints it, cut where it is long. */
function show(value: unknown): string {
  if (typeof value === "string") return cut(JSON.stringify(value));
  if (typeof value !== "object" || value === null) return cut(String(value));
  if (value instanceof Error) return cut(String(value));
  const seen = new Set<unknown>();
  const text = JSON.stringify(value, (_, field: unknown) => {
    if (typeof field === "bigint") return `${field}n`;
    if (typeof field === "number" && !Number.isFinite(field)) return String(field);
    if (ArrayBuffer.isView(field)) return Array.from(field as Uint8Array);
    if (field instanceof Map || field instanceof Set) return [...field];
    if (typeof field === "object" && field !== null) {
      if (seen.has(field)) return "[seen]";
      seen.add(field);
    }
    return field;
  });
  return cut(`${Object.getPrototypeOf(value)?.constructor?.name ?? "null"} ${text}`);
}

function cut(text: string): string {
  return text.length > 2000 ? `${text.slice(0, 2000)}… (${text.length} characters)` : text;
}

function ok(value: unknown, message?: Message): void {
  must(Boolean(value), { actual: value, expected: true, operator: "==", message });
}

function equal(actual: unknown, expected: unknown, message?: Message): void {
  must(Object.is(actual, expected), { actual, expected, operator: "strictEqual", message });
}

function notEqual(actual: unknown, expected: unknown, message?: Message): void {
  must(!Object.is(actual, expected), { actual, expected, operator: "notStrictEqual", message });
}

function deepEqual(actual: unknown, expected: unknown, message?: Message): void {
  must(isDeepEqual(actual, expected), { actual, expected, operator: "deepStrictEqual", message });
}

function notDeepEqual(actual: unknown, expected: unknown, message?: Message): void {
  const operator = "notDeepStrictEqual";
  must(!isDeepEqual(actual, expected), { actual, expected, operator, message });
}

function match(actual: unknown, expected: RegExp, message?: Message): void {
  const holds = typeof actual === "string" && expected.test(actual);
  must(holds, { actual, expected: String(expected), operator: "match", message });
}

function doesNotMatch(actual: unknown, expected: RegExp, message?: Message): void {
  const holds = typeof actual === "string" && !expected.test(actual);
  must(holds, { actual, expected: String(expected), operator: "doesNotMatch", message });
}

function fail(message: Message = "Failed"): never {
  throw message instanceof Error ? message : new AssertionError({ message, operator: "fail" });
}

function throws(work: () => unknown, ...rest: [(Expected | string)?, Message?]): void {
  const [expected, message] = expectedOf(rest);
  let thrown: { readonly error: unknown } | undefined;
  try {
    work();
  } catch (error) {
    thrown = { error };
  }
  checkThrown(thrown, expected, { operator: "throws", message });
}

function doesNotThrow(work: () => unknown, message?: Message): void {
  try {
    work();
  } catch (error) {
    must(false, { actual: error, expected: undefined, operator: "doesNotThrow", message });
  }
}

async function rejects(
  work: Promise<unknown> | (() => Promise<unknown>),
  ...rest: [(Expected | string)?, Message?]
): Promise<void> {
  const [expected, message] = expectedOf(rest);
  // A function that throws before it gives a promise is no rejection: Node lets the error pass.
  const promise = typeof work === "function" ? work() : work;
  let thrown: { readonly error: unknown } | undefined;
  try {
    await promise;
  } catch (error) {
    thrown = { error };
  }
  checkThrown(thrown, expected, { operator: "rejects", message });
}

function expectedOf([first, second]: [(Expected | string)?, Message?]): [
  Expected | undefined,
  Message,
] {
  return typeof first === "string" ? [undefined, first] : [first, second];
}

function checkThrown(
  thrown: { readonly error: unknown } | undefined,
  expected: Expected | undefined,
  { operator, message }: { readonly operator: string; readonly message: Message },
): void {
  if (thrown === undefined) {
    must(false, { actual: undefined, expected, operator, message: message ?? "Missing exception" });
    return;
  }
  const { error } = thrown;
  if (expected === undefined) return;
  if (typeof expected === "function") {
    if (isClass(expected)) {
      const holds = error instanceof expected;
      must(holds, { actual: error, expected: expected.name, operator: "instanceof", message });
      return;
    }
    const says = (expected as (error: unknown) => unknown)(error);
    must(says === true, { actual: error, expected: true, operator, message });
    return;
  }
  if (expected instanceof RegExp) {
    must(expected.test(String(error)), {
      actual: error,
      expected: String(expected),
      operator,
      message,
    });
    return;
  }
  checkFields(error, expected, { operator, message });
}

function isClass(value: unknown): value is new (...args: never[]) => unknown {
  if (typeof value !== "function") return false;
  return value.prototype instanceof Error || value === Error || /^class\b/.test(String(value));
}

function checkFields(
  error: unknown,
  expected: Error | Readonly<Record<string, unknown>>,
  { operator, message }: { readonly operator: string; readonly message: Message },
): void {
  const keys = Object.keys(expected);
  if (expected instanceof Error) keys.push("name", "message");
  if (keys.length === 0) throw new TypeError("Cannot compare an error: nothing is expected of it");
  for (const key of keys) {
    const [is, should] = [error, expected].map((one) => Reflect.get(Object(one), key) as unknown);
    const holds =
      should instanceof RegExp && typeof is === "string"
        ? should.test(is)
        : isDeepEqual(is, should);
    must(holds, { actual: is, expected: should, operator: `${operator} (${key})`, message });
  }
}

/** Every check that the tests make, under Node's names. */
const assert = Object.assign(ok.bind(undefined), {
  AssertionError,
  deepEqual,
  doesNotMatch,
  doesNotThrow,
  equal,
  fail,
  match,
  notDeepEqual,
  notEqual,
  ok,
  rejects,
  throws,
});

export default assert;
