import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { GpuLostError } from "../../engine/gpu.ts";
import { CliError, EXIT, explain, failingAs } from "../../cli/platform/errors.ts";

const COMMAND = fileURLToPath(new URL("../../bin/tenure.js", import.meta.url));

/** Runs the command line; lines that Dawn itself prints are left out of `stderr`. */
function tenure(
  args: readonly string[],
  env: Record<string, string> = {},
): { status: number | null; stdout: string; stderr: string } {
  const { status, stdout, stderr } = spawnSync(process.execPath, [COMMAND, ...args], {
    encoding: "utf8",
    env: { ...process.env, TENURE_DEBUG: "", ...env },
  });
  const ours = stderr
    .split("\n")
    .filter((line) => /^(tenure: |Cause: |\s+at .*\.ts:|\w*Error\b)/.test(line));
  return { status, stdout, stderr: ours.join("\n") };
}

test("tenure --help teaches with examples and exits with 0", () => {
  const { status, stdout } = tenure(["--help"]);
  assert.equal(status, EXIT.ok);
  assert.match(stdout, /^Usage: tenure .*Examples:\n {2}\$ tenure doctor.*Exit codes:/s);
});

test("tenure without a command shows its help and exits with 2", () => {
  const { status, stderr } = tenure([]);
  assert.equal(status, EXIT.usage);
  assert.equal(stderr, "");
});

test("tenure with an unknown command or option says so on one line and exits with 2", () => {
  for (const [args, line] of [
    [["doctr"], "tenure: unknown command 'doctr' (Did you mean doctor?); see tenure --help"],
    [
      ["doctor", "--jsn"],
      "tenure: unknown option '--jsn' (Did you mean --json?); see tenure --help",
    ],
  ] as const) {
    const { status, stderr } = tenure(args);
    assert.equal(stderr, line);
    assert.equal(status, EXIT.usage);
  }
});

test("tenure doctor --json describes a working adapter", () => {
  const { status, stdout } = tenure(["doctor", "--json"]);
  const { ok, adapter } = JSON.parse(stdout);
  assert.equal(ok, true);
  assert.match(adapter.kind, /^(gpu|lavapipe|swiftshader|software)$/);
  assert.ok(adapter.limits.maxStorageBufferBindingSize >= 2 ** 27);
  assert.equal(status, EXIT.ok);
});

test("tenure doctor without an adapter gives the remedy and exits with 4", () => {
  const { status, stdout } = tenure(["doctor", "--json"], {
    TENURE_ADAPTER: "",
    VK_DRIVER_FILES: "/nonexistent.json",
  });
  const { ok, adapter, advice } = JSON.parse(stdout);
  assert.deepEqual([ok, adapter], [false, null]);
  assert.match(
    advice[0],
    /^Cannot open an adapter with the Vulkan drivers "\/nonexistent\.json": .*unset/,
  );
  assert.equal(status, EXIT.device);
});

test("an error shows its stack only when TENURE_DEBUG is 1", () => {
  const env = { TENURE_ADAPTER: "abacus" };
  const line = /^tenure: Cannot choose an adapter: .*, got "abacus"$/;
  assert.match(tenure(["doctor"], env).stderr, line);
  assert.match(tenure(["doctor"], { ...env, TENURE_DEBUG: "1" }).stderr, /\n\s+at .*\.ts:/);
});

test("explain() makes one line of any error", () => {
  assert.deepEqual(explain(new CliError(EXIT.checkpoint, "Cannot load\n  it")), {
    line: "Cannot load it",
    exitCode: EXIT.checkpoint,
  });
  assert.deepEqual(explain(new Error("x")), { line: "x", exitCode: EXIT.failure });
  const lost = new GpuLostError({ reason: "unknown", message: "reset" } as GPUDeviceLostInfo);
  assert.equal(explain(lost).exitCode, EXIT.device);
  assert.deepEqual(explain("thrown text"), { line: "thrown text", exitCode: EXIT.failure });
  assert.deepEqual(explain(new Error("")), { line: "Unknown error", exitCode: EXIT.failure });
});

test("failingAs() gives an error its exit code, and keeps one that is there", async () => {
  const cause = new SyntaxError("Cannot parse line 3");
  const data = failingAs(EXIT.data, () => {
    throw cause;
  });
  await assert.rejects(data, { exitCode: EXIT.data, message: "Cannot parse line 3", cause });
  const device = failingAs(EXIT.data, () => {
    throw new CliError(EXIT.device, "lost");
  });
  await assert.rejects(device, { exitCode: EXIT.device });
  assert.equal(await failingAs(EXIT.data, () => 7), 7);
});
