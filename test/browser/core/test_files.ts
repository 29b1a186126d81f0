import { readdir } from "node:fs/promises";
import { ROOT } from "./bundle.ts";

/**
 * What is not the core's under `test/`: tests of what knows Node or a page. `npm run test:deno`
 * leaves out the same.
 */
export const NOT_CORE: readonly string[] = [
  "test/bench",
  "test/browser",
  "test/cli",
  "test/docs_test.ts",
  "test/fuzz",
  "test/imports_test.ts",
  "test/report",
  "test/study",
  "test/web",
];

/**
 * Test files of all parts of the core, quick enough for each run of the whole suite: between them
 * they train, go on from a checkpoint, and run and train a real Llama.
 */
export const SMALL_SET: readonly string[] = [
  "test/career/career_model_test.ts",
  "test/checkpoint/checkpoint_test.ts",
  "test/data/occupations_test.ts",
  "test/data/resume_test.ts",
  "test/data/train_bpe_test.ts",
  "test/engine/adam_w_test.ts",
  "test/engine/plan_test.ts",
  "test/engine/rms_norm_test.ts",
  "test/model/token_tree_test.ts",
  "test/model/trainer_test.ts",
  "test/pretrained/stories_test.ts",
];

/** Every test file of the core, in order. */
export async function coreTestFiles(): Promise<string[]> {
  const names = await readdir(`${ROOT}test`, { recursive: true });
  return names
    .map((name) => `test/${name.replaceAll("\\", "/")}`)
    .filter((file) => file.endsWith("_test.ts"))
    .filter((file) => !NOT_CORE.some((path) => file === path || file.startsWith(`${path}/`)))
    .toSorted();
}
