// What the tests use of node:test, for a worker of a browser: see bundle.ts.

/** What happened to one test. */
export interface Outcome {
  readonly name: string;
  readonly result: "passed" | "failed" | "skipped";
  /** Why it failed or was skipped. */
  readonly reason?: string;
  readonly ms: number;
  /** What the test wanted to be known. */
  readonly notes: readonly string[];
}

type Work = () => unknown;
type TestBody = (context: TestContext) => unknown;

interface TestOptions {
  readonly skip?: boolean | string;
  /** Most that the test may take, in ms. */
  readonly timeout?: number;
}

interface Registered {
  readonly name: string;
  readonly options: TestOptions;
  readonly body: TestBody;
}

const registered: Registered[] = [];
const befores: Work[] = [];
const afters: Work[] = [];

/** What a test is given: the part of Node's `TestContext` that tests here use. */
export class TestContext {
  readonly name: string;
  readonly notes: string[] = [];
  readonly #afters: Work[] = [];
  #skipped: string | undefined;

  constructor(name: string) {
    this.name = name;
  }

  /** Replaces methods until the test is over. */
  readonly mock = {
    method: <T extends object, K extends keyof T>(target: T, key: K, replacement?: T[K]) => {
      const own = Object.getOwnPropertyDescriptor(target, key);
      const original = target[key] as (...args: unknown[]) => unknown;
      const called = (replacement ?? original) as typeof original;
      const calls: { readonly arguments: unknown[] }[] = [];
      const mocked = function (this: unknown, ...args: unknown[]): unknown {
        calls.push({ arguments: args });
        return called.apply(this, args);
      };
      const restore = (): void => {
        if (own === undefined) delete target[key];
        else Object.defineProperty(target, key, own);
      };
      const mock = { calls, callCount: () => calls.length, restore };
      Object.defineProperty(target, key, {
        value: Object.assign(mocked, { mock }),
        configurable: true,
        writable: true,
      });
      this.#afters.push(restore);
      return target[key];
    },
  };

  diagnostic(note: string): void {
    this.notes.push(note);
  }

  after(work: Work): void {
    this.#afters.push(work);
  }

  skip(reason = "skipped"): void {
    this.#skipped = reason;
  }

  /** Runs what was to run after the test, whatever became of it; the latest first. */
  async end(): Promise<void> {
    for (const work of this.#afters.toReversed()) await work();
  }

  /** Why the test skipped itself, if it did. */
  get skipped(): string | undefined {
    return this.#skipped;
  }
}

/**
 * Registers a test, as `test()` of node:test does: it runs when the whole file has registered its
 * own, one test after another.
 *
 * @throws {TypeError} If there is nothing to run, which Node would count as a test that passed.
 */
export function test(name: string, ...rest: [TestBody] | [TestOptions, TestBody]): void {
  const body = rest.at(-1);
  if (typeof body !== "function") {
    throw new TypeError(`Cannot register "${name}": it must have a function, got ${typeof body}`);
  }
  const [options] = rest;
  registered.push({ name, options: typeof options === "function" ? {} : options, body });
}

/** Registers work that runs before the file's first test. */
export function before(work: Work): void {
  befores.push(work);
}

/** Registers work that runs after the file's last test. */
export function after(work: Work): void {
  afters.push(work);
}

/** Runs what the file has registered, and tells of each test as it ends. */
export async function runTests(tell: (outcome: Outcome) => void): Promise<void> {
  await hooks(befores, "before()", tell);
  for (const one of registered) tell(await runTest(one));
  await hooks(afters, "after()", tell);
}

/** Work around tests: it is an outcome only where it fails. */
async function hooks(
  works: readonly Work[],
  name: string,
  tell: (outcome: Outcome) => void,
): Promise<void> {
  for (const work of works) {
    try {
      await work();
    } catch (error) {
      tell({ name, result: "failed", reason: reasonOf(error), ms: 0, notes: [] });
    }
  }
}

async function runTest({ name, options, body }: Registered): Promise<Outcome> {
  const { skip = false, timeout = Infinity } = options;
  if (skip !== false) {
    return { name, result: "skipped", reason: String(skip), ms: 0, notes: [] };
  }
  const context = new TestContext(name);
  const begin = performance.now();
  const done = (result: Outcome["result"], reason?: string): Outcome => ({
    name,
    result,
    ...(reason !== undefined && { reason }),
    ms: performance.now() - begin,
    notes: context.notes,
  });
  try {
    try {
      await withinTime(Promise.resolve(body(context)), timeout);
    } finally {
      await context.end();
    }
    return context.skipped === undefined ? done("passed") : done("skipped", context.skipped);
  } catch (error) {
    return done("failed", reasonOf(error));
  }
}

async function withinTime(work: Promise<unknown>, timeout: number): Promise<void> {
  if (timeout === Infinity) return void (await work);
  let timer: ReturnType<typeof setTimeout> | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(`test timed out after ${timeout} ms`)), timeout);
  });
  try {
    await Promise.race([work, late]);
  } finally {
    clearTimeout(timer);
  }
}

/** An error as a person reads it. */
export function reasonOf(error: unknown): string {
  return error instanceof Error ? (error.stack ?? String(error)) : String(error);
}
