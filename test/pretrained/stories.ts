import { existsSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { bytesSource } from "../../model/checkpoint/byte_source.ts";
import type { StoredModel } from "../../model/checkpoint/stored_model.ts";
import { openFile } from "../../model/pretrained/open_model.ts";

const FOLDER = new URL("../../../shared/fixtures/stories260K/", import.meta.url);

/** Reason to skip a test that needs the small Llama, or `false` if it is there. */
export const missing: string | false = existsSync(FOLDER)
  ? false
  : "needs ../shared/fixtures/stories260K beside the repository, which is not there";

const source = async (name: string) =>
  bytesSource(new Uint8Array(await readFile(new URL(name, FOLDER))), name);

/** A real Llama of 260 thousand weights, with its tokenizer. */
export async function openStories(): Promise<StoredModel> {
  return openFile(await source("stories260K.bin"), await source("tok512.bin"));
}

/** What 200 greedy steps from an empty prompt must print. */
export async function expectedStory(): Promise<string> {
  return (await readFile(new URL("expected_stdout.txt", FOLDER), "utf8")).replace(/\n$/, "");
}
