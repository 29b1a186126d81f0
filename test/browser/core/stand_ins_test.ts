import nodeAssert from "node:assert/strict";
import { test } from "node:test";
import { isDeepStrictEqual } from "node:util";
import fc from "fast-check";
import { isDeepEqual } from "./deep_equal.ts";
import standIn from "./node_assert.ts";
import { runTests, test as register, before, after, type Outcome } from "./node_test.ts";

const ANYTHING = fc.anything({
  withBigInt: true,
  withBoxedValues: true,
  withDate: true,
  withMap: true,
  withNullPrototype: true,
  withSet: true,
  withSparseArray: true,
  withTypedArray: true,
  maxDepth: 3,
});

test("isDeepEqual() agrees with Node on anything against anything", () => {
  fc.assert(
    fc.property(ANYTHING, ANYTHING, (a, b) => {
      nodeAssert.equal(isDeepEqual(a, b), isDeepStrictEqual(a, b));
    }),
    { seed: 1, numRuns: 2000 },
  );
});

test("isDeepEqual() agrees with Node on a value and its copy, changed or not", () => {
  const changed = fc.tuple(
    fc.object({ maxDepth: 3, withTypedArray: true }),
    ANYTHING,
    fc.boolean(),
  );
  fc.assert(
    fc.property(changed, ([value, other, isChanged]) => {
      const copy = structuredClone<Record<string, unknown>>(value);
      const [key] = Object.keys(copy);
      if (isChanged && key !== undefined) copy[key] = other;
      nodeAssert.equal(isDeepEqual(value, copy), isDeepStrictEqual(value, copy));
    }),
    { seed: 2, numRuns: 1000 },
  );
});

class Named {
  readonly name: string;
  constructor(name: string) {
    this.name = name;
  }
}

function cycle(length: number): object {
  const first: { next?: object } = {};
  let last: { next?: object } = first;
  for (let i = 1; i < length; i++) last = last.next = {};
  last.next = first;
  return first;
}

/** Pairs on which comparisons tend to differ. */
const PAIRS: readonly (readonly [unknown, unknown])[] = [
  [0, -0],
  [NaN, NaN],
  [[NaN], [NaN]],
  [[0], [-0]],
  [[undefined], Array.from({ length: 1 })],
  [{ a: undefined }, {}],
  [
    { a: 1, b: 2 },
    { b: 2, a: 1 },
  ],
  [new Float32Array([0]), new Float32Array([-0])],
  [new Float32Array([NaN]), new Float32Array([NaN])],
  [new Float32Array([1, 2]), new Float32Array([1, 2])],
  [new Float32Array([1, 2]), new Float32Array([1, 3])],
  [new Float32Array([1]), new Float64Array([1])],
  [new Float32Array([1]), [1]],
  [new Uint8Array([1, 2, 3]).subarray(1), new Uint8Array([2, 3])],
  [Object.assign(new Uint8Array(1), { a: 1 }), new Uint8Array(1)],
  [new ArrayBuffer(2), new ArrayBuffer(2)],
  [new ArrayBuffer(2), new ArrayBuffer(3)],
  [new DataView(new ArrayBuffer(2)), new DataView(new ArrayBuffer(2))],
  [new Map([[1, 2]]), new Map([[1, 2]])],
  [new Map([[1, 2]]), new Map([[1, 3]])],
  [
    new Map([
      ["a", 1],
      ["b", 2],
    ]),
    new Map([
      ["b", 2],
      ["a", 1],
    ]),
  ],
  [new Map([[{ k: 1 }, { v: 1 }]]), new Map([[{ k: 1 }, { v: 1 }]])],
  [new Map([[{ k: 1 }, { v: 1 }]]), new Map([[{ k: 1 }, { v: 2 }]])],
  [new Map([[1, undefined]]), new Map([[2, undefined]])],
  [new Set([1, { a: 1 }]), new Set([{ a: 1 }, 1])],
  [new Set([{ a: 1 }, { a: 2 }]), new Set([{ a: 2 }, { a: 1 }])],
  [new Set([{ a: 1 }]), new Set([{ a: 2 }])],
  [new Set([1, 2]), new Set([1, 3])],
  [new Named("a"), new Named("a")],
  [new Named("a"), { name: "a" }],
  [Object.create(null), {}],
  [new Error("a"), new Error("a")],
  [new Error("a"), new Error("b")],
  [new Error("a"), new TypeError("a")],
  // Causes are left out here: Node compares them since version 22, as isDeepEqual() does.
  [/a/g, /a/g],
  [/a/g, /a/i],
  [new Date(1), new Date(1)],
  [new Date(1), new Date(2)],
  [Object(1), Object(1)],
  [Object(1), 1],
  [{ [Symbol.for("a")]: 1 }, {}],
  [{ [Symbol.for("a")]: 1 }, { [Symbol.for("a")]: 1 }],
  [Object.assign([1], { a: 1 }), [1]],
  [cycle(1), cycle(1)],
  [cycle(3), cycle(3)],
  [() => 1, () => 1],
  [null, undefined],
  [1n, 1n],
  ["1", 1],
];

test("isDeepEqual() agrees with Node on pairs that are easily confused", () => {
  for (const [i, [a, b]] of PAIRS.entries()) {
    nodeAssert.equal(isDeepEqual(a, b), isDeepStrictEqual(a, b), `pair ${i}`);
    nodeAssert.equal(isDeepEqual(b, a), isDeepStrictEqual(b, a), `pair ${i}, turned around`);
  }
});

type Assert = Pick<typeof nodeAssert, "equal" | "notEqual" | "deepEqual" | "notDeepEqual" | "ok"> &
  Pick<
    typeof nodeAssert,
    "match" | "doesNotMatch" | "throws" | "doesNotThrow" | "rejects" | "fail"
  >;
const boom = (error: unknown) => () => {
  throw error;
};
const late = (error: unknown) => () => Promise.reject(error);

/** Calls of every check, that hold and that do not. */
const CALLS: readonly ((assert: Assert) => unknown)[] = [
  ...PAIRS.flatMap(([a, b]) => [
    (assert: Assert) => assert.equal(a, b),
    (assert: Assert) => assert.notEqual(a, b),
    (assert: Assert) => assert.deepEqual(a, b),
    (assert: Assert) => assert.notDeepEqual(a, b),
  ]),
  (assert) => assert.ok(1),
  (assert) => assert.ok(0),
  (assert) => assert.ok("", "told so"),
  (assert) => assert.ok(0, new RangeError("told so")),
  (assert) => assert.fail(),
  (assert) => assert.fail("told so"),
  (assert) => assert.match("abc", /b/),
  (assert) => assert.match("abc", /x/),
  (assert) => assert.match(1 as unknown as string, /1/),
  (assert) => assert.doesNotMatch("abc", /x/),
  (assert) => assert.doesNotMatch("abc", /b/),
  (assert) => assert.throws(() => 1),
  (assert) => assert.throws(() => 1, "told so"),
  (assert) => assert.throws(boom(new Error("a"))),
  (assert) => assert.throws(boom(new Error("a")), /a/),
  (assert) => assert.throws(boom(new Error("a")), /^Error: a$/),
  (assert) => assert.throws(boom(new Error("a")), /^a$/),
  (assert) => assert.throws(boom(new Error("a")), TypeError),
  (assert) => assert.throws(boom(new TypeError("a")), Error),
  (assert) => assert.throws(boom(new TypeError("a")), { name: "TypeError", message: "a" }),
  (assert) => assert.throws(boom(new TypeError("a")), { name: "TypeError", message: /^b/ }),
  (assert) => assert.throws(boom(new TypeError("a")), { message: /^a$/ }),
  (assert) => assert.throws(boom(new TypeError("a")), { code: "X" }),
  (assert) => assert.throws(boom(new TypeError("a")), new TypeError("a")),
  (assert) => assert.throws(boom(new TypeError("a")), new TypeError("b")),
  (assert) => assert.throws(boom(new TypeError("a")), {}),
  (assert) => assert.throws(boom(new Error("a")), () => true),
  (assert) => assert.throws(boom(new Error("a")), () => false),
  (assert) => assert.throws(boom(new Error("a")), (() => 1) as unknown as () => boolean),
  (assert) => assert.throws(boom("text"), /text/),
  (assert) => assert.doesNotThrow(() => 1),
  (assert) => assert.doesNotThrow(boom(new Error("a"))),
  (assert) => assert.rejects(Promise.resolve(1)),
  (assert) => assert.rejects(late(new Error("a"))),
  (assert) => assert.rejects(late(new Error("a")), /a/),
  (assert) => assert.rejects(late(new Error("a")), /b/),
  (assert) => assert.rejects(late(new Error("a")), { name: "Error", message: "a" }),
  (assert) => assert.rejects(late(new Error("a")), { name: "Error", message: "b" }),
  (assert) => assert.rejects(late(new Error("a")), RangeError),
  (assert) => assert.rejects(boom(new SyntaxError("at once"))),
];

/** What a call ends with: nothing, a failed assertion, or another error by its name. */
async function endOf(call: (assert: Assert) => unknown, assert: Assert): Promise<string> {
  try {
    await call(assert);
    return "holds";
  } catch (error) {
    const { name, code } = error as Error & { code?: string };
    if (code === "ERR_INVALID_ARG_VALUE") return "TypeError"; // Node's name for what is no check
    return name;
  }
}

test("every check of the stand-in ends as Node's does", async () => {
  for (const [i, call] of CALLS.entries()) {
    const expected = await endOf(call, nodeAssert);
    nodeAssert.equal(await endOf(call, standIn as Assert), expected, `call ${i}: ${String(call)}`);
  }
});

test("the stand-in runs tests in order, between before() and after(), and tells what happened", async () => {
  const order: string[] = [];
  after(() => order.push("after"));
  before(() => order.push("before"));
  register("passes", (t) => {
    t.diagnostic("a note");
    t.after(() => order.push("after passes"));
    order.push("passes");
  });
  register("fails", async () => {
    order.push("fails");
    await Promise.reject(new Error("on purpose"));
  });
  register("is skipped", { skip: "a reason" }, () => order.push("never"));
  register("is not skipped", { skip: false }, () => order.push("runs"));
  register("mocks a method", (t) => {
    const counter = { count: (by: number) => by + 1 };
    t.mock.method(counter, "count", () => 7);
    nodeAssert.equal(counter.count(2), 7);
    const { mock } = counter.count as unknown as { mock: { calls: unknown[]; restore(): void } };
    nodeAssert.deepEqual(mock.calls, [{ arguments: [2] }]);
    mock.restore();
    nodeAssert.equal(counter.count(2), 3);
  });
  register("skips itself", (t) => t.skip("by itself"));
  register("is late", { timeout: 5 }, () => new Promise(() => {}));
  nodeAssert.throws(() => register("has nothing to run", Object(1)), TypeError);
  const outcomes: Outcome[] = [];
  await runTests((outcome) => outcomes.push(outcome));
  nodeAssert.deepEqual(order, ["before", "passes", "after passes", "fails", "runs", "after"]);
  nodeAssert.deepEqual(
    outcomes.map(({ name, result }) => [name, result]),
    [
      ["passes", "passed"],
      ["fails", "failed"],
      ["is skipped", "skipped"],
      ["is not skipped", "passed"],
      ["mocks a method", "passed"],
      ["skips itself", "skipped"],
      ["is late", "failed"],
    ],
  );
  nodeAssert.deepEqual(outcomes[0]!.notes, ["a note"]);
  nodeAssert.match(outcomes[1]!.reason!, /on purpose/);
  nodeAssert.equal(outcomes[2]!.reason, "a reason");
  nodeAssert.match(outcomes.at(-1)!.reason!, /timed out after 5 ms/);
});
