import { readdir } from "node:fs/promises";
import { ROOT } from "./bundle.ts";

/** Folders whose tests are the core's; the others test what knows Node or a page. */
const FOLDERS = [
  "career",
  "checkpoint",
  "data",
  "engine",
  "evaluation",
  "forecast",
  "generate",
  "logit",
  "lora",
  "model",
  "occupation",
  "pretrained",
  "shaders",
];

/** A test file of every part of the core, quick enough for each run of the whole suite. */
export const SMALL_SET: readonly string[] = [
  "test/data/occupations_test.ts",
  "test/data/resume_test.ts",
  "test/data/tokenizer_test.ts",
  "test/engine/adam_w_test.ts",
  "test/engine/attention_test.ts",
  "test/engine/linear_cross_entropy_test.ts",
  "test/engine/linear_test.ts",
  "test/engine/plan_test.ts",
  "test/engine/rms_norm_test.ts",
  "test/model/transformer_test.ts",
  "test/pretrained/stories_test.ts",
];

/** Every test file of the core, in order. */
export async function globTests(): Promise<string[]> {
  const lists = await Promise.all(
    FOLDERS.map(async (folder) => {
      const names = await readdir(`${ROOT}test/${folder}`, { recursive: true });
      return names
        .filter((name) => name.endsWith("_test.ts"))
        .map((name) => `test/${folder}/${name.replaceAll("\\", "/")}`);
    }),
  );
  return [...lists.flat(), "test/float16_test.ts"].toSorted();
}
