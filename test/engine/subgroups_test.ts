import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { fileURLToPath } from "node:url";
import { after, test } from "node:test";
import { promisify } from "node:util";
import { openGpu } from "../support.ts";

const gpu = await openGpu();
after(() => gpu.destroy());

const isLavapipe = /llvmpipe|lavapipe/i.test(`${gpu.info.device} ${gpu.info.description}`);
const isNode = !("Deno" in globalThis);
const reason = !isLavapipe
  ? `not covered on this adapter: only Mesa's lavapipe lets its subgroups be sized, got ${gpu.info.description || gpu.info.device}`
  : isNode
    ? false
    : "not covered in Deno: the processes are Node's, and run its suite";

/** Lanes of lavapipe's subgroups, by the width in bits of the vectors that it may use. */
for (const [bits, lanes] of [
  [128, 4],
  [256, 8],
  [512, 16],
] as const) {
  test(`kernels are right in subgroups of ${lanes}, and without`, { skip: reason }, async () => {
    const script = fileURLToPath(new URL("subgroup_check.ts", import.meta.url));
    const { stdout } = await promisify(execFile)(process.execPath, ["--import", "tsx", script], {
      env: { ...process.env, LP_NATIVE_VECTOR_WIDTH: `${bits}`, NODE_TEST_CONTEXT: undefined },
    });
    assert.deepEqual(JSON.parse(stdout.trim().split("\n").at(-1)!), { on: lanes, off: 0 });
  });
}
