/**
 * Byte-level BPE writes each byte as one printable character, so that tokens are text and any
 * text has tokens: bytes that print stand for themselves, the others for U+0100 onwards
 * (a space becomes "Ġ", a line feed "Ċ"). The alphabet is GPT-2's.
 *
 * @see {@link https://github.com/openai/gpt-2/blob/master/src/encoder.py | GPT-2}
 */
const CHARACTER_OF_BYTE: readonly string[] = (() => {
  let numHidden = 0;
  return Array.from({ length: 256 }, (_, byte) =>
    printsAlone(byte) ? String.fromCharCode(byte) : String.fromCharCode(256 + numHidden++),
  );
})();

/** The 256 characters in ascending order, which is the order of their tokens. */
export const BYTE_ALPHABET: readonly string[] = CHARACTER_OF_BYTE.toSorted();

/** Place in {@linkcode BYTE_ALPHABET} of each byte's character. */
export const ALPHABET_INDEX_OF_BYTE: Uint8Array = Uint8Array.from(CHARACTER_OF_BYTE, (character) =>
  BYTE_ALPHABET.indexOf(character),
);

/** The byte that each character of the alphabet stands for. */
export const BYTE_OF_CHARACTER: ReadonlyMap<string, number> = new Map(
  CHARACTER_OF_BYTE.map((character, byte) => [character, byte]),
);

function printsAlone(byte: number): boolean {
  return (
    (byte >= 0x21 && byte <= 0x7e) ||
    (byte >= 0xa1 && byte <= 0xac) ||
    (byte >= 0xae && byte <= 0xff)
  );
}
