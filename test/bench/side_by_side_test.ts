import assert from "node:assert/strict";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { execPath } from "node:process";
import { after, test } from "node:test";
import { figureOf, interleave, orderOf } from "../../bench/interleaved.ts";
import { attentionInFloat64 } from "../../bench/peers/attention_reference.ts";
import { byHead, byToken } from "../../bench/peers/heads.ts";
import { encodeOnnx } from "../../bench/peers/onnx_model.ts";
import type { Task } from "../../bench/peers/tasks.ts";
import { ATTENTION } from "../../bench/peers/tasks.ts";
import { errorOf, readInputs, writeWork } from "../../bench/peers/work_files.ts";
import { sideBySide, sideBySideLines } from "../../bench/side_by_side.ts";
import type { Engine } from "../../bench/side_by_side_engines.ts";
import { uniform } from "../support.ts";

const folder = mkdtempSync(join(tmpdir(), "tenure-test-"));
after(() => rmSync(folder, { recursive: true }));

/** A program that says this as its last line, and notes that it ran. */
function program(name: string, report: object | string) {
  const said = typeof report === "string" ? report : JSON.stringify(report);
  const code = `
    require("node:fs").appendFileSync(${JSON.stringify(join(folder, "order"))}, "${name} ");
    console.log("a line before");
    console.log(${JSON.stringify(said)});`;
  return { name, command: { file: execPath, args: ["-e", code] } };
}

const OPTIONS = { rounds: 2, reference: "ours", tolerance: 1e-3, timeoutMs: 20_000 };

test("each round begins with the next contender", () => {
  const orders = [0, 1, 2, 3].map((round) => orderOf(["a", "b", "c"], round).join(""));
  assert.deepEqual(orders, ["abc", "bca", "cab", "abc"]);
  assert.deepEqual(orderOf([], 5), []);
});

test("figures are medians of rounds, and ratios are taken round by round", () => {
  const report = (...timesMs: number[]) => ({ error: 0, firstMs: timesMs[0]! * 10, timesMs });
  const base = [report(1, 2, 3), report(10), report(4, 4)];
  const figure = figureOf([report(4), report(30, 10, 20), report(2, 6)], base);
  assert.deepEqual(figure.rounds, [4, 20, 4]);
  assert.equal(figure.ms, 4);
  assert.equal(figure.ratio, 2); // of 2, 2 and 1
  assert.deepEqual(figure.band, [1, 2]);
  assert.equal(figure.firstMs, 40);
  assert.equal(figureOf([report(4)]).ratio, undefined);
});

test("contenders alternate; who is wrong, fails or says nothing is told apart and not timed", async () => {
  const right = (ms: number) => ({ error: 1e-6, firstMs: 50, timesMs: [ms, ms] });
  const lines: string[] = [];
  const outcomes = await interleave(
    [
      program("ours", right(2)),
      program("slower", { ...right(6), note: "as asked" }),
      program("wrong", { error: 0.5, firstMs: 1, timesMs: [0.1] }),
      program("undefined", `{"error":null,"firstMs":1,"timesMs":[0.1]}`),
      program("silent", "no report"),
      { name: "absent", command: { file: join(folder, "no such program"), args: [] } },
    ],
    { ...OPTIONS, onProgress: (line) => lines.push(line) },
  );
  const { slower } = outcomes;
  assert.ok(slower !== undefined && "ms" in slower);
  assert.deepEqual([slower.ms, slower.ratio, slower.note], [6, 3, "as asked"]);
  for (const name of ["wrong", "undefined", "silent", "absent"]) {
    assert.ok("problem" in outcomes[name]!, name);
    assert.ok(!("ms" in outcomes[name]), name);
  }
  assert.match((outcomes["wrong"] as { problem: string }).problem, /wrong result.*5\.0e-1/);
  const order = readFileSync(join(folder, "order"), "utf8").trim();
  assert.equal(order, "ours slower wrong undefined silent slower ours");
  assert.equal(lines.length, 8);
});

test("a contender that takes too long is stopped", async () => {
  const late = {
    name: "late",
    command: { file: execPath, args: ["-e", "setInterval(() => {}, 9)"] },
  };
  const { late: outcome } = await interleave([late], { ...OPTIONS, timeoutMs: 300 });
  assert.deepEqual(outcome, { problem: "took more than 0.3 s" });
});

test("sideBySide() gives rates, the best WebGPU peer and what is missing", async () => {
  const task: Task = { name: "attention", title: "a task", flops: 8e6, tolerance: 1e-3 };
  const engine = (name: string, ms: number, medium: "webgpu" | "cpu" = "webgpu"): Engine => ({
    name,
    medium,
    command: () => program(name, { error: 0, firstMs: ms, timesMs: [ms] }).command,
  });
  const missing: Engine = {
    name: "not here",
    medium: "cpu",
    missing: "it must be installed",
    command: () => assert.fail("must not be asked"),
  };
  const result = await sideBySide({
    rounds: 1,
    tasks: [task],
    engines: [engine("tenure", 4), engine("a", 12), engine("b", 8), engine("c", 1, "cpu"), missing],
    onProgress: () => {},
  });
  const { engines, bestPeer } = result.tasks["attention"]!;
  assert.deepEqual(bestPeer, { name: "b", ratio: 2 });
  assert.equal("ms" in engines["a"]! && engines["a"].gflops, 8e6 / 12 / 1e6);
  assert.deepEqual(result.missing, { "not here": "it must be installed" });
  const text = sideBySideLines(result).join("\n");
  assert.match(text, /not here: it must be installed/);
  assert.match(text, /2\.00 times as fast as the best WebGPU peer, b/);
});

test("errors of results are found wherever they are", () => {
  writeWork(folder, "attention");
  const { v } = readInputs(folder, "attention");
  const y = new Float64Array(readFileSync(join(folder, "y.f64")).buffer.slice(0));
  assert.equal(y.length, v!.length);
  const exact = Float32Array.from(y);
  assert.ok(errorOf(folder, { y: exact }) < 1e-7);
  const last = exact.slice();
  last[last.length - 1]! += 0.01;
  assert.ok(errorOf(folder, { y: last }) > 1e-3);
  last[last.length - 1] = Number.NaN;
  assert.equal(errorOf(folder, { y: last }), Infinity);
  assert.equal(errorOf(folder, { y: exact.subarray(1) }), Infinity);
});

test("the attention that engines are checked against has the gradients of its own values", () => {
  const sizes = { numHeads: 2, seqLen: 5, headDim: 3 };
  const length = 30;
  const inputs = {
    q: Float64Array.from(uniform(length, 1)),
    k: Float64Array.from(uniform(length, 2)),
    v: Float64Array.from(uniform(length, 3)),
    dy: Float64Array.from(uniform(length, 4)),
  };
  const loss = () =>
    attentionInFloat64(inputs, sizes).y.reduce((sum, y, i) => sum + y * inputs.dy[i]!, 0);
  const { dq, dk, dv } = attentionInFloat64(inputs, sizes);
  const step = 1e-5; // central differences in float64 are then right to 1e-9
  for (const [x, dx] of [
    [inputs.q, dq],
    [inputs.k, dk],
    [inputs.v, dv],
  ] as const) {
    for (let i = 0; i < length; i++) {
      const before = x[i]!;
      x[i] = before + step;
      const above = loss();
      x[i] = before - step;
      const below = loss();
      x[i] = before;
      assert.ok(Math.abs((above - below) / (2 * step) - dx[i]!) < 1e-8);
    }
  }
});

test("heads are put first and back", () => {
  const { numHeads, seqLen, headDim } = ATTENTION;
  const values = Float32Array.from({ length: numHeads * seqLen * headDim }, (_, i) => i);
  const ordered = byHead(values);
  assert.equal(ordered[headDim], values[numHeads * headDim]); // head 0 of token 1
  assert.deepEqual(byToken(ordered), values);
});

test("an ONNX model begins with its version and holds its nodes", () => {
  const nodes = [{ op: "MatMul", inputs: ["a", "b"], outputs: ["c"] }];
  const shape = [200, 200]; // sizes of two bytes
  const model = encodeOnnx({
    nodes,
    inputs: { a: shape, b: shape },
    outputs: { c: shape },
    opset: 17,
  });
  assert.deepEqual([...model.subarray(0, 2)], [0x08, 10]);
  const text = new TextDecoder("latin1").decode(model);
  assert.ok(text.includes("MatMul") && text.includes("\u{c8}\u{1}"));
});
