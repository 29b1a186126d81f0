/** Target of a token that carries no loss. */
export const IGNORED = 0xffff_ffff;

/**
 * Rows of packed documents, ready for a decoder.
 *
 * Visibility is data: within a row, query `t` sees key `s` exactly when
 * `s ≤ t < ends[s]`. With documents one after another, `ends` is the end of the
 * document; with a tree in depth-first order, the end of a node's subtree. So one
 * array masks causally, between documents and between branches alike.
 */
export interface Batch {
  /** Names the batch in progress lines and errors, such as `"epoch 2, batch 17"`. */
  readonly label: string;
  /** Number of rows. */
  readonly numRows: number;
  /** Tokens per row. */
  readonly seqLen: number;
  /** Token ids, `[numRows, seqLen]`. */
  readonly tokens: Uint32Array<ArrayBuffer>;
  /** Token to predict at each place, or {@linkcode IGNORED}, `[numRows, seqLen]`. */
  readonly targets: Uint32Array<ArrayBuffer>;
  /** Weight of each token's loss, `[numRows, seqLen]`; 0 where the target is ignored. */
  readonly weights: Float32Array<ArrayBuffer>;
  /** Position of each token in its own document, from 0, `[numRows, seqLen]`. */
  readonly positions: Uint32Array<ArrayBuffer>;
  /** First key, as an index into the row, that a query may see, `[numRows, seqLen]`. */
  readonly starts: Uint32Array<ArrayBuffer>;
  /** End, exclusive, as an index into the row, of the queries that see this key, `[numRows, seqLen]`. */
  readonly ends: Uint32Array<ArrayBuffer>;
}

/** A career's resume as tokens. */
export interface EncodedResume {
  /** Identifier of the person. */
  readonly id: string;
  /** Token ids of the whole resume, the end mark included. */
  readonly tokens: Uint32Array<ArrayBuffer>;
  /** Where each observation's title stands; `tokens[0, start)` is the prompt that precedes it. */
  readonly titles: readonly TitleSpan[];
}

/** Tokens `[start, end)` of one observation's title. */
export interface TitleSpan {
  readonly start: number;
  readonly end: number;
  /** Index of the occupation in `OCCUPATIONS`. */
  readonly occupation: number;
  /** Index of the occupation in the preceding observation; absent for the first. */
  readonly previous?: number;
}
