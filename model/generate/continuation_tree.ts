import { buildTokenTree, isInner, type TokenTree } from "../token_tree.ts";

/** Continuations of a text as a tree, and where each of their tokens is in it. */
export interface ContinuationTree {
  readonly tree: TokenTree;
  /** Nodes of the tokens of each continuation, in order. */
  readonly nodesOf: readonly (readonly number[])[];
}

/** Shares the tokens that continuations begin with in common; some may be empty or the same. */
export function continuationTree(continuations: readonly Uint32Array[]): ContinuationTree {
  const unique = new Map<string, number>();
  const sequences: Uint32Array[] = [];
  const indices = continuations.map((tokens) => {
    const key = tokens.join();
    const known = unique.get(key);
    if (tokens.length === 0 || known !== undefined) return known;
    unique.set(key, sequences.length);
    return sequences.push(tokens) - 1;
  });
  const tree = buildTokenTree(sequences);
  const paths = Array.from(tree.endNodes, (last) => {
    const path: number[] = [];
    for (let node = last; node >= 0; node = tree.parents[node]!) path.unshift(node);
    return path;
  });
  return { tree, nodesOf: indices.map((index) => (index === undefined ? [] : paths[index]!)) };
}

/** Nodes that must be read, since the probabilities of their children are asked for. */
export function innerNodes({ tree }: ContinuationTree): number[] {
  return Array.from(tree.tokens, (_, node) => node).filter((node) => isInner(tree, node));
}
