import type { GgufVocabulary } from "../../data/mod.ts";

/**
 * SentencePiece's BPE by its definition: of all adjacent symbols whose union is a token, those
 * with the highest score merge, of equals the leftmost; what is no token in the end becomes bytes.
 * Quadratic.
 *
 * @param text Without special tokens.
 */
export function sentencePieceBpe(vocabulary: GgufVocabulary, text: string): number[] {
  const { tokens, scores, tokenTypes, addSpacePrefix = true } = vocabulary;
  if (text === "") return [];
  const ids = new Map<string, number>();
  for (const [id, token] of tokens.entries()) {
    if ((tokenTypes?.[id] ?? 1) === 1) ids.set(token, id);
  }
  const symbols = Array.from((addSpacePrefix ? " " : "") + text, (c) => (c === " " ? "▁" : c));
  for (;;) {
    let [best, score] = [-1, -Infinity];
    for (let i = 0; i + 1 < symbols.length; i++) {
      const id = ids.get(symbols[i]! + symbols[i + 1]!);
      if (id !== undefined && scores![id]! > score) [best, score] = [i, scores![id]!];
    }
    if (best < 0) break;
    symbols.splice(best, 2, symbols[best]! + symbols[best + 1]!);
  }
  return symbols.flatMap((symbol) => {
    const id = ids.get(symbol);
    if (id !== undefined) return [id];
    return Array.from(new TextEncoder().encode(symbol), (byte) =>
      tokens.indexOf(`<0x${byte.toString(16).toUpperCase().padStart(2, "0")}>`),
    );
  });
}
