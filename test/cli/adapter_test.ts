import assert from "node:assert/strict";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import {
  adapterLine,
  kindOf,
  lavapipeManifests,
  planAttempts,
} from "../../cli/platform/adapter.ts";
import { openAdapter } from "../../cli/platform/dawn.ts";
import { EXIT } from "../../cli/platform/errors.ts";
import { readTar } from "../../cli/platform/swiftshader.ts";

const folder = mkdtempSync(join(tmpdir(), "tenure-adapter-"));
after(() => rmSync(folder, { recursive: true }));

const MESA = {
  vendor: "mesa",
  device: "llvmpipe-llvm-15-0-6-256-bits-",
  description: "llvmpipe: Mesa 25.0.7 (LLVM 15.0.6)",
  isFallbackAdapter: true,
};
const SWIFTSHADER = {
  vendor: "google",
  device: "swiftshader",
  description: "SwiftShader driver 5.0.0",
  isFallbackAdapter: true,
};
const GPU = { vendor: "nvidia", device: "", description: "NVIDIA H100", isFallbackAdapter: false };
const WARP = {
  vendor: "microsoft",
  device: "",
  description: "Microsoft Basic Render Driver",
  isFallbackAdapter: true,
};

test("kindOf() tells the drivers apart by their descriptions", () => {
  assert.deepEqual([MESA, SWIFTSHADER, GPU, WARP].map(kindOf), [
    "lavapipe",
    "swiftshader",
    "gpu",
    "software",
  ]);
});

test("planAttempts() looks for a GPU, then lavapipe, then SwiftShader", () => {
  const attempts = planAttempts({});
  assert.deepEqual(
    attempts.map(({ drivers }) => drivers),
    ["system", "swiftshader", "system"],
  );
  assert.deepEqual(attempts[0]?.accept, ["gpu", "lavapipe"]);
});

test("planAttempts() tries only what TENURE_ADAPTER names", () => {
  for (const [choice, drivers] of [
    ["gpu", "system"],
    ["lavapipe", "lavapipe"],
    ["swiftshader", "swiftshader"],
  ] as const) {
    assert.deepEqual(planAttempts({ TENURE_ADAPTER: choice }), [{ drivers, accept: [choice] }]);
  }
});

test("planAttempts() leaves the drivers to a user who chose them", () => {
  for (const name of ["VK_DRIVER_FILES", "VK_ICD_FILENAMES"]) {
    assert.deepEqual(
      planAttempts({ [name]: "/opt/icd.json" }).map(({ drivers }) => drivers),
      ["user"],
    );
  }
});

test("adapterLine() is one line, with advice unless a GPU runs", () => {
  assert.equal(adapterLine("gpu", GPU), "Adapter: NVIDIA H100 (GPU)");
  assert.match(adapterLine("swiftshader", SWIFTSHADER), /^Adapter: SwiftShader.*7 times faster.*$/);
  assert.match(adapterLine("lavapipe", MESA), /^Adapter: llvmpipe.*a GPU.*faster$/);
});

test("lavapipeManifests() finds lavapipe among other drivers, and none in no folder", () => {
  for (const name of ["lvp_icd.json", "lvp_icd.x86_64.json", "intel_icd.json"]) {
    writeFileSync(join(folder, name), "{}");
  }
  assert.deepEqual(lavapipeManifests([folder, join(folder, "none")]).toSorted(), [
    join(folder, "lvp_icd.json"),
    join(folder, "lvp_icd.x86_64.json"),
  ]);
});

test("openAdapter() opens one adapter after another, each good for a device", async () => {
  for (let i = 0; i < 2; i++) {
    const { adapter, kind } = await openAdapter();
    assert.equal(kind, kindOf(adapter.info));
    (await adapter.requestDevice()).destroy();
  }
});

test("openAdapter() has unsafe APIs always: more features than by Dawn's own defaults", async () => {
  const { features } = (await openAdapter()).adapter;
  const { create } = await import("webgpu");
  instance = create([]);
  const usual = (await instance.requestAdapter({ powerPreference: "high-performance" }))!.features;
  assert.ok([...features].some((name) => !usual.has(name)));
});

// Dawn crashes if an instance is collected too early.
let instance: GPU;

// The npm package holds a build for this one platform.
if (process.platform === "linux" && process.arch === "x64") {
  test("openAdapter() brings SwiftShader out of the npm package", async () => {
    const before = process.env["VK_DRIVER_FILES"];
    const { adapter, kind } = await openAdapter({ env: { TENURE_ADAPTER: "swiftshader" } });
    assert.equal(kind, "swiftshader");
    (await adapter.requestDevice()).destroy();
    assert.equal(process.env["VK_DRIVER_FILES"], before, "the environment is as before");
  });
}

test("openAdapter() refuses a kind that it does not know", async () => {
  await assert.rejects(openAdapter({ env: { TENURE_ADAPTER: "abacus" } }), {
    exitCode: EXIT.usage,
    message:
      'Cannot choose an adapter: TENURE_ADAPTER must be gpu, lavapipe, swiftshader, got "abacus"',
  });
});

/** A tar archive of one file, as ustar lays it out. */
function tarOf(name: string, body: string, size = body.length): Uint8Array {
  const archive = Buffer.alloc(1024 + Math.ceil(body.length / 512) * 512);
  archive.write(name, 0);
  archive.write(size.toString(8).padStart(11, "0"), 124);
  archive.write("0", 156);
  archive.write(body, 512);
  return archive;
}

test("readTar() lists files with their bytes", () => {
  const archive = Buffer.concat([
    tarOf("a/one", "x".repeat(512)).subarray(0, 1024),
    tarOf("two", "hello"),
  ]);
  const entries = [...readTar(archive)].map(({ name, bytes }) => [name, bytes.length]);
  assert.deepEqual(entries, [
    ["a/one", 512],
    ["two", 5],
  ]);
});

test("readTar() refuses a file that ends behind the archive", () => {
  assert.throws(() => [...readTar(tarOf("two", "hello", 5000))], {
    name: "SyntaxError",
    message: /^Cannot read the tar archive: "two" must end inside its 1536 bytes, got the size/,
  });
});
