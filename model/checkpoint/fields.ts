import { brief, isJsonObject, type JsonObject, type JsonValue } from "./strict_json.ts";

/** What a field may hold, and what stands for it when it is absent or null. */
interface FieldRule<T> {
  /** Default; without one, the field is required. */
  readonly orElse?: T;
}

/** Largest size or count that a configuration may give. */
const MAX_SIZE = 2 ** 31 - 1;

/**
 * Typed access to the fields of a JSON object. A field that is null counts as absent, as in
 * Python's libraries.
 *
 * @throws {SyntaxError} By each method: if the field is missing or of another kind, naming it.
 */
export class Fields {
  readonly #object: JsonObject;
  readonly #file: string;
  /** What stands before a key in errors, such as `rope_scaling.`. */
  readonly #path: string;

  constructor(object: JsonObject, file: string, path = "") {
    this.#object = object;
    this.#file = file;
    this.#path = path;
  }

  /** A positive integer below 2^31. */
  size(key: string, rule: FieldRule<number> = {}): number {
    return this.#read(key, rule, {
      kind: "an integer from 1 to 2147483647",
      is: (value): value is number =>
        typeof value === "number" && Number.isInteger(value) && value >= 1 && value <= MAX_SIZE,
    });
  }

  /** A finite number. */
  number(key: string, rule: FieldRule<number> = {}): number {
    return this.#read(key, rule, {
      kind: "a number",
      is: (value): value is number => typeof value === "number" && Number.isFinite(value),
    });
  }

  /** true or false. */
  boolean(key: string, rule: FieldRule<boolean> = {}): boolean {
    return this.#read(key, rule, {
      kind: "true or false",
      is: (value): value is boolean => typeof value === "boolean",
    });
  }

  /** One of a few strings. */
  choice<T extends string>(key: string, choices: readonly T[], rule: FieldRule<T> = {}): T {
    return this.#read(key, rule, {
      kind: choices.length === 1 ? `"${choices[0]}"` : `one of ${choices.join(", ")}`,
      is: (value): value is T => choices.some((choice) => choice === value),
    });
  }

  /** The fields of an object within; none where it is absent. */
  object(key: string): Fields {
    const value = this.#read<JsonObject>(
      key,
      { orElse: {} },
      { kind: "an object", is: isJsonObject },
    );
    return new Fields(value, this.#file, `${this.#path}${key}.`);
  }

  /** Refuses a field that is there, is not null, and has any value but those allowed. */
  only(key: string, allowed: readonly JsonValue[], rule: string): void {
    const value = this.raw(key) ?? null;
    if (value !== null && !allowed.includes(value)) this.refuse(key, rule);
  }

  /** Throws the error that a field breaks a rule. */
  refuse(key: string, rule: string): never {
    throw new SyntaxError(
      `Cannot read "${this.#file}": ${this.#path}${key} ${rule}, got ${brief(this.raw(key))}`,
    );
  }

  /** The value as it is, or undefined. */
  raw(key: string): JsonValue | undefined {
    return Object.hasOwn(this.#object, key) ? this.#object[key] : undefined;
  }

  #read<T extends JsonValue>(
    key: string,
    { orElse }: FieldRule<T>,
    { kind, is }: { kind: string; is: (value: JsonValue | undefined) => value is T },
  ): T {
    const value = this.raw(key) ?? undefined;
    if (value === undefined && orElse !== undefined) return orElse;
    if (is(value)) return value;
    return this.refuse(key, `must be ${kind}`);
  }
}
