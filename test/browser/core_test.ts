import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { missing } from "../pretrained/stories.ts";
import { noChromium } from "./chromium.ts";
import { bundle, ROOT } from "./core/bundle.ts";
import { failuresOf, runInBrowser } from "./core/run.ts";
import { coreTestFiles, NOT_CORE, SMALL_SET } from "./core/test_files.ts";

/** Most that one file of the small set may take, on a machine that others use too. */
const TIMEOUT_SECONDS = 600;

/**
 * Tests of the core that need more of Node than files to read: programs, files to write, or a
 * compiled tokenizer to compare with. Everything else runs in browsers.
 */
const NEEDS_NODE = [
  "test/career/career_family_test.ts",
  "test/checkpoint/export_hugging_face_test.ts",
  "test/data/crosswalk/crosswalk_test.ts",
  "test/data/surveys_test.ts",
  "test/data/tokenizer_json_test.ts",
  "test/data/tokenizer_test.ts",
  "test/data/vocabulary_test.ts",
  "test/engine/subgroups_test.ts",
  "test/logit/families_test.ts",
  "test/pretrained/load_pretrained_test.ts",
];

test(
  "the core's tests pass in Chromium, from the files that Node and Deno run",
  {
    skip: noChromium,
  },
  async (t) => {
    const run = await runInBrowser(SMALL_SET, { timeoutSeconds: TIMEOUT_SECONDS });
    assert.deepEqual(failuresOf(run), []);
    assert.deepEqual(run.files.map(({ file }) => file).toSorted(), SMALL_SET.toSorted());
    const passed = run.files.flatMap(({ outcomes }) =>
      outcomes.filter(({ result }) => result === "passed").map(({ name }) => name),
    );
    assert.ok(passed.length > 90, `only ${passed.length} tests passed`);
    // The model's own files lie beside the repository, or its tests are skipped in every runtime.
    const stories = passed.filter((name) => name.startsWith("200 greedy steps print the expected"));
    assert.equal(stories.length, missing === false ? 2 : 0);
    for (const { file, seconds } of run.files) t.diagnostic(`${file}: ${seconds.toFixed(1)} s`);
  },
);

test(
  "a file that fails, hangs or throws in Chromium is reported",
  { skip: noChromium },
  async () => {
    const files = ["planted", "planted_hang", "planted_crash"].map(
      (name) => `test/browser/core/${name}.ts`,
    );
    const run = await runInBrowser(files, { timeoutSeconds: 5 });
    assert.deepEqual(
      run.files[0]!.outcomes.map(({ result }) => result),
      ["passed", "failed", "skipped"],
      run.files[0]!.outcomes[0]?.reason,
    );
    const failures = failuresOf(run);
    assert.equal(failures.length, 3);
    assert.match(failures[0]!, /planted\.ts: fails on purpose\nAssertionError: Missing/);
    assert.match(failures[1]!, /planted_hang\.ts: still running after 5000 ms/);
    assert.match(failures[2]!, /planted_crash\.ts: .*thrown at once, on purpose/);
  },
);

test("every test of the core runs in a browser, except for those that need Node", async () => {
  const files = await coreTestFiles();
  const { leftOut, entries } = await bundle(files);
  assert.deepEqual([...leftOut.keys()].toSorted(), NEEDS_NODE);
  assert.equal(entries.size, files.length - NEEDS_NODE.length);
});

test("npm run test:deno leaves out what is not the core's, and nothing else", () => {
  const { scripts } = JSON.parse(readFileSync(`${ROOT}package.json`, "utf8")) as {
    scripts: Record<string, string>;
  };
  const ignored = /--ignore=(\S+)/.exec(scripts["test:deno"] ?? "")?.[1]?.split(",");
  assert.deepEqual(ignored, NOT_CORE);
});
