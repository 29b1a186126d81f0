import type { Batch, EncodedResume } from "../../data/batch.ts";
import { childrenOf, type TokenTree } from "../token_tree.ts";

/** One distribution to compute: that of the occupation at an observation of a resume. */
export interface Question {
  readonly resume: EncodedResume;
  /** Which observation of the resume. */
  readonly observation: number;
  /**
   * Log-probability of each node of the tree given its parent, `[numNodes]`; NaN where unknown.
   * A pass fills it in.
   */
  readonly logProbabilities: Float64Array;
}

/** What of the tree a pass computes for a question. */
export interface Expansion {
  readonly question: Question;
  /** Whether to compute the nodes of depth 1. */
  readonly withRoots: boolean;
  /** Nodes whose children to compute; none is a leaf. */
  readonly nodes: readonly number[];
}

/** How much a pass holds. */
export interface Capacity {
  readonly numTokens: number;
  readonly numRows: number;
  readonly numPairs: number;
}

/** What a model can read. */
export interface Reach {
  readonly maxSeqLen: number;
  /** Tokens of the text that stands before every document. @default {0} */
  readonly contextLength?: number;
}

/** Whether one size is within another. */
export function fits(size: Capacity, capacity: Capacity): boolean {
  return (
    size.numTokens <= capacity.numTokens &&
    size.numRows <= capacity.numRows &&
    size.numPairs <= capacity.numPairs
  );
}

/**
 * One row of a batch: resumes, each with trees of title tokens hung behind its prompts.
 *
 *     header … 1997 (…):  [tree]  title ⏎ 1998 (…):  [tree]  title ⏎ …
 *
 * A node stands right after the prompt or after its ancestors, at the position that its depth
 * gives it, and is seen by its own subtree alone; so no tree disturbs another or the resume.
 * Leaves need no place: their probability comes from their parent's.
 */
export class TreeLayout {
  readonly #tree: TokenTree;
  readonly #capacity: Capacity;
  readonly #maxSeqLen: number;
  readonly #contextLength: number;
  readonly #tokens: number[] = [];
  readonly #positions: number[] = [];
  readonly #starts: number[] = [];
  readonly #ends: number[] = [];
  /** Places whose next-token distribution is needed. */
  readonly #rows: number[] = [];
  readonly #pairs: { row: number; node: number; question: Question }[] = [];

  constructor(tree: TokenTree, capacity: Capacity, { maxSeqLen, contextLength = 0 }: Reach) {
    this.#tree = tree;
    this.#capacity = capacity;
    this.#maxSeqLen = maxSeqLen;
    this.#contextLength = contextLength;
  }

  /** How much has been added. */
  get size(): Capacity {
    return {
      numTokens: this.#tokens.length,
      numRows: this.#rows.length,
      numPairs: this.#pairs.length,
    };
  }

  /**
   * Adds a resume up to its last asked observation.
   *
   * @param expansions Questions about one resume, in the order of their observations.
   * @returns Whether there was room; if not, nothing was added.
   * @throws {RangeError} If the resume is longer than the model can read.
   */
  add(expansions: readonly Expansion[]): boolean {
    const begin = this.#tokens.length;
    const numRows = this.#rows.length;
    const numPairs = this.#pairs.length;
    const { resume } = expansions[0]!.question;
    let copied = 0;
    for (const expansion of expansions) {
      const prompt = resume.titles[expansion.question.observation]!.start;
      this.#checkFits(resume, prompt);
      for (; copied < prompt; copied++) {
        this.#place({ token: resume.tokens[copied]!, position: copied, begin });
      }
      this.#expand(expansion, { prompt, begin });
    }
    const end = this.#tokens.length;
    // Tokens of the resume are seen to the end of the document, nodes to that of their subtree.
    for (let i = begin; i < end; i++) if (this.#ends[i] === 0) this.#ends[i] = end;
    if (fits(this.size, this.#capacity)) return true;
    for (const list of [this.#tokens, this.#positions, this.#starts, this.#ends])
      list.length = begin;
    this.#rows.length = numRows;
    this.#pairs.length = numPairs;
    return false;
  }

  /**
   * The row as a batch, and the pairs of (place, token) to compute.
   *
   * @param capacity What to pad to.
   */
  inputs({ numTokens, numRows, numPairs }: Capacity): {
    batch: Batch;
    rows: Uint32Array<ArrayBuffer>;
    pairRows: Uint32Array<ArrayBuffer>;
    pairTokens: Uint32Array<ArrayBuffer>;
  } {
    const padded = (values: ArrayLike<number>, length: number, padding: (i: number) => number) =>
      Uint32Array.from({ length }, (_, i) => (i < values.length ? values[i]! : padding(i)));
    const zero = () => 0;
    const batch: Batch = {
      label: "title trees",
      numRows: 1,
      seqLen: numTokens,
      tokens: padded(this.#tokens, numTokens, zero),
      positions: padded(this.#positions, numTokens, zero),
      starts: padded(this.#starts, numTokens, (i) => i),
      ends: padded(this.#ends, numTokens, (i) => i + 1),
      targets: new Uint32Array(numTokens),
      weights: new Float32Array(numTokens),
    };
    const pairRows = this.#pairs.map(({ row }) => row);
    const pairTokens = this.#pairs.map(({ node }) => this.#tree.tokens[node]!);
    return {
      batch,
      rows: padded(this.#rows, numRows, zero),
      pairRows: padded(pairRows, numPairs, zero),
      pairTokens: padded(pairTokens, numPairs, zero),
    };
  }

  /** Hands every pair's log-probability to its question. */
  deliver(logProbabilities: Float32Array): void {
    this.#pairs.forEach(({ node, question }, index) => {
      question.logProbabilities[node] = logProbabilities[index]!;
    });
  }

  /** Asks for children at the prompt and below the nodes; places the nodes and their ancestors. */
  #expand(
    { question, withRoots, nodes }: Expansion,
    { prompt, begin }: { readonly prompt: number; readonly begin: number },
  ): void {
    const tree = this.#tree;
    if (withRoots) this.#ask(this.#tokens.length - 1, tree.roots, question);
    const asked = new Set(nodes);
    const open: { readonly place: number; readonly end: number }[] = [];
    for (const node of withAncestors(tree, nodes)) {
      while (open.length > 0 && open.at(-1)!.end <= node) this.#close(open.pop()!.place);
      const position = prompt + tree.depths[node]! - 1;
      this.#checkFits(question.resume, position + 1);
      const place = this.#place({ token: tree.tokens[node]!, position, begin });
      open.push({ place, end: tree.ends[node]! });
      if (asked.has(node)) this.#ask(place, childrenOf(tree, node), question);
    }
    while (open.length > 0) this.#close(open.pop()!.place);
  }

  #place({ token, position, begin }: { token: number; position: number; begin: number }): number {
    this.#positions.push(position);
    this.#starts.push(begin);
    this.#ends.push(0);
    return this.#tokens.push(token) - 1;
  }

  /** The node placed last is the last that sees `place`. */
  #close(place: number): void {
    this.#ends[place] = this.#tokens.length;
  }

  #ask(place: number, nodes: readonly number[], question: Question): void {
    const row = this.#rows.push(place) - 1;
    for (const node of nodes) this.#pairs.push({ row, node, question });
  }

  #checkFits({ id }: EncodedResume, length: number): void {
    const [numTokens, context] = [this.#contextLength + length, this.#contextLength];
    if (numTokens <= this.#maxSeqLen) return;
    const [what, remedy] =
      context === 0
        ? ["its resume", "prepare with fewer rows of history or train with a longer context"]
        : [
            `the ${context} tokens before it and its resume`,
            "tell fewer example resumes, no list of titles, or fewer of the latest rows",
          ];
    throw new RangeError(
      `Cannot score career "${id}": ${what} must fit the model's ${this.#maxSeqLen} tokens, got ${numTokens}; ${remedy}`,
    );
  }
}

/** The nodes and all their ancestors, in depth-first order. */
function withAncestors({ parents }: TokenTree, nodes: readonly number[]): number[] {
  const all = new Set<number>();
  for (const node of nodes) {
    for (let at = node; at >= 0 && !all.has(at); at = parents[at]!) all.add(at);
  }
  return [...all].toSorted((a, b) => a - b);
}
