import { existsSync, readFileSync } from "node:fs";

/** Path of a fixture beside the repository. */
export function fixturePath(name: string): URL {
  return new URL(`../../../shared/fixtures/${name}`, import.meta.url);
}

/** Reason to skip a test that needs fixtures, or `false` if they are there. */
export const noFixtures: string | false = existsSync(fixturePath("README.md"))
  ? false
  : "needs ../shared/fixtures beside the repository, which is not there";

/** A fixture's bytes. */
export function fixture(name: string): Uint8Array<ArrayBuffer> {
  return new Uint8Array(readFileSync(fixturePath(name)));
}

/** Inputs of llama.cpp's vocabulary tests with the ids they must have. */
export function vocabularyCases(name: string): { text: string; ids: number[] }[] {
  const decoder = new TextDecoder("utf-8", { ignoreBOM: true });
  const inputs = decoder.decode(fixture(`gguf_vocab/${name}.gguf.inp`));
  const outputs = decoder.decode(fixture(`gguf_vocab/${name}.gguf.out`)).split("\n");
  return inputs.split("\n__ggml_vocab_test__\n").map((text, i) => ({
    text,
    ids: (outputs[i]?.match(/\d+/g) ?? []).map(Number),
  }));
}

/** Characters that tokenizers trip over: spaces of all kinds, marks, digits, letters, emoji. */
export const AWKWARD = [
  ...Array.from("   \n\n\r\t\u0085\u00a0\u2003\u3000\ufeff\u200b▁"),
  ...Array.from("aAbtheingxyzÄéßñłπЖ漢字かな한글ه"),
  ...Array.from("0123456789٣५½²Ⅷ"),
  ...Array.from("'’.,!?-_()[]{}<>/\\|@#$%^&*+=~`\""),
  "'s",
  "'ll",
  "'S",
  " the",
  " and",
  "  ",
  "<0x41>",
  "e\u0301",
  "🦙",
  "👩‍👩‍👧",
  "\0",
  "\u0001",
  "\u007f",
];
