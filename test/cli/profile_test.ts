import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { create, globals } from "webgpu";
import type { ChromeTrace } from "../../engine/profile/chrome_trace.ts";
import { hasCost } from "../../engine/profile/costs.ts";
import type { Phase } from "../../engine/profile/profile.ts";
import { CliError, EXIT } from "../../cli/platform/errors.ts";
import { bar, formatProfile, formatRoofline } from "../../cli/run/profile_report.ts";
import { profileModel, type ProfileRequest } from "../../cli/run/profile.ts";
import { BUILT_IN_SIZES } from "../../cli/run/built_in_sizes.ts";
import { randomModel } from "../../cli/run/random_model.ts";
import { checkConfig } from "../../model/transformer/config.ts";
import { rooflineMatrix } from "../../shaders/roofline.wgsl.ts";
import { tenure, writeSmallModel } from "./model_support.ts";
import { silentProgress, temporaryFolder } from "./run_support.ts";

const folder = temporaryFolder();
const small = await writeSmallModel(join(folder, "small"));

/** Profiles the small model without a word. */
function profile(changes: Partial<ProfileRequest>) {
  return profileModel({
    model: { path: small },
    what: "train",
    numRows: 1,
    dtype: "f32",
    checkpoint: false,
    kernels: "auto",
    device: {},
    runs: 1,
    roofline: false,
    progress: silentProgress(),
    ...changes,
  });
}

test("tenure profile prints tables and writes a trace of the same dispatches", () => {
  const trace = join(folder, "run.json");
  const flags = ["--length", "16", "--runs", "1", "--no-roofline", "--trace", trace];
  const { status, stdout, stderr } = tenure(["profile", small, ...flags]);
  assert.equal(status, EXIT.ok, stderr);
  assert.match(stdout, /^kernel +count +time +ms +GFLOP\/s +GB\/s +of limit\n/m);
  assert.match(stdout, /^op +count/m);
  assert.match(stdout, /^backward +\d+ /m);
  assert.match(stdout, /^Host: encoding .* 1 submit a step/m);
  const counted = Number(/^Sum of (\d+) dispatches/m.exec(stdout)?.[1]);
  const { traceEvents } = JSON.parse(readFileSync(trace, "utf8")) as ChromeTrace;
  const slices = traceEvents.filter(({ ph, pid, tid }) => ph === "X" && pid === 2 && tid === 1);
  assert.ok(counted > 10);
  assert.equal(slices.length, counted);
  assert.match(stderr, /ui\.perfetto\.dev/);
});

test("decoding and prefill are profiled with packed weights, and count what they read", async () => {
  for (const what of ["decode", "prefill"] as const) {
    const { profile: of, numTokens } = await profile({ what, dtype: "int8", numRows: 2 });
    assert.equal(numTokens, what === "decode" ? 2 : 64);
    assert.ok(of.dispatches.length > 5);
    assert.ok(of.dispatches.every(({ phase }) => phase === "forward"));
    const unknown = of.dispatches.filter(({ kernel }) => !hasCost(kernel));
    assert.deepEqual(unknown, [], "engine/profile/costs.ts must know every kernel");
    const samples = of.dispatches.some(({ kernel }) => kernel === "sampleTokens");
    assert.equal(samples, what === "decode");
  }
});

test("checkpointing computes the forward pass of blocks again, in backward", async () => {
  const attentions = async (checkpoint: boolean, phase: Phase) => {
    const { profile: of } = await profile({ checkpoint });
    const forward = of.dispatches.filter(({ kernel }) => kernel.startsWith("attentionForward"));
    return forward.filter((one) => one.phase === phase).length;
  };
  const numBlocks = await attentions(false, "forward");
  assert.ok(numBlocks > 0);
  assert.equal(await attentions(false, "backward"), 0);
  assert.equal(await attentions(true, "backward"), numBlocks);
});

test("what cannot be profiled is refused before anything is loaded", async () => {
  const refused: [Partial<ProfileRequest>, RegExp][] = [
    [{ length: 100_000 }, /--length must be at most 64 for this model, got 100000/],
    [{ what: "decode", length: 64 }, /--length must be at most 63 for this model, got 64/],
    [{ dtype: "int8" }, /--dtype must be f32 or f16, got int8/],
    [{ what: "prefill", length: 9 }, /--length must be a power of two from 8 to 256/],
    [{ model: { size: "huge" } }, /--size must be tiny, small, base, .*gpt2-124m, .* got "huge"/],
  ];
  for (const [changes, message] of refused) {
    await assert.rejects(profile(changes), (error) => {
      assert.ok(error instanceof CliError && error.exitCode === EXIT.usage);
      assert.match(error.message, message);
      return true;
    });
  }
});

test("tenure profile without a model or a size says so on one line", () => {
  const { status, stderr } = tenure(["profile"]);
  assert.equal(status, EXIT.usage);
  assert.match(stderr, /there must be either a model or --size, got neither/);
});

test("a trace whose folder is not there is refused before anything is measured", () => {
  const trace = join(folder, "nowhere", "run.json");
  const { status, stderr } = tenure(["profile", small, "--trace", trace]);
  assert.equal(status, EXIT.usage);
  assert.match(stderr, /Cannot write ".*run\.json": the folder must exist/);
  assert.doesNotMatch(stderr, /Adapter: /);
});

test("--help of profile and bench roofline teaches", () => {
  const help = (args: readonly string[]) => tenure([...args, "--help"]).stdout;
  assert.match(help(["profile"]), /Reading the table:.*Examples:\n {2}\$ tenure profile --size/s);
  assert.match(help(["bench", "roofline"]), /Each ceiling is the best/);
});

test("every size is a model, whose weights are drawn as they are read", async () => {
  for (const config of Object.values(BUILT_IN_SIZES)) checkConfig(config);
  const { weights } = randomModel("tiny", BUILT_IN_SIZES["tiny"]!);
  const [first] = weights.values();
  const { bytes, shape } = await first!.read();
  assert.equal(bytes.length, 4 * shape.reduce((product, length) => product * length, 1));
});

test("bars are as long as shares, to an eighth of a character", () => {
  assert.equal(bar(0, 4), "    ");
  assert.equal(bar(0.5, 4), "██  ");
  assert.equal(bar(1 / 32, 4), "▏   ");
  assert.equal(bar(1, 4), "████");
  assert.equal(bar(7, 4), "████");
  assert.equal(bar(NaN, 4), "    ");
});

test("a report shows shares of limits where they are known, and dashes where not", async () => {
  const profiled = await profile({ what: "decode" });
  assert.match(formatProfile(profiled), /  –\n/);
  const roofline = { bytesPerSecond: 1e9, flopsPerSecond: 1e9 };
  const still = profiled.profile.dispatches.map((one) => ({ ...one, ms: 0 }));
  const coarse = formatProfile({
    ...profiled,
    profile: { ...profiled.profile, dispatches: still, roofline, replayMs: 0 },
  });
  assert.doesNotMatch(coarse, /NaN|undefined|Infinity/, "a clock may be too coarse");
  const dispatches = profiled.profile.dispatches.map((one) => ({ ...one, ms: 4, limitMs: 1 }));
  const known = {
    ...profiled,
    profile: { ...profiled.profile, dispatches, roofline, replayMs: 1 },
  };
  assert.match(formatProfile(known), / 25 %\n/);
  assert.match(formatProfile(known), /^Limit of this adapter: /m);
});

test("a table of ceilings names the launch that reached each, and what is not there", () => {
  const run = { kind: "copy", clock: "wall", perSecond: 2e9 } as const;
  const text = formatRoofline("a GPU", {
    bytesPerSecond: 3e9,
    flopsPerSecond: NaN,
    runs: [
      { ...run, shape: "slow" },
      { ...run, shape: "fast", perSecond: 3e9 },
    ],
  });
  assert.match(text, /copy \(read and written\) +3\.00 GB\/s +fast/);
  assert.match(text, /subgroup matrices, f16 into f32 +– +not on this device/);
});

test("chains of native subgroup matrices are WGSL that Dawn takes", async () => {
  Object.assign(globalThis, globals);
  const entry = create(["backend=null", "enable-dawn-features=allow_unsafe_apis"]);
  const adapter = await entry.requestAdapter();
  const matrices = "chromium-experimental-subgroup-matrix" as GPUFeatureName;
  const device = await adapter!.requestDevice({
    requiredFeatures: ["shader-f16", "subgroups", matrices],
  });
  const shape = { m: 16, n: 16, k: 16, subgroupSize: 32, emulated: false };
  const problems = async (code: string) => {
    device.pushErrorScope("validation");
    const { messages } = await device.createShaderModule({ code }).getCompilationInfo();
    await device.popErrorScope();
    return messages.filter(({ type }) => type === "error").map(({ message }) => message);
  };
  for (const chains of [2, 16]) {
    const code = rooflineMatrix.code({ shape, chains, numSubgroups: 4 });
    assert.deepEqual(await problems(code), []);
    assert.notDeepEqual(await problems(code.replace("sums0", "nothing")), []);
  }
  device.destroy();
  assert.ok(entry); // Dawn needs it to the end
});
