/**
 * Sequences of tokens, such as the titles of all occupations, as a prefix tree in depth-first order:
 * a node comes before its children, and its subtree is the nodes `[node, ends[node])`.
 */
export interface TokenTree {
  /** Token of each node, `[numNodes]`. */
  readonly tokens: Uint32Array<ArrayBuffer>;
  /** Parent of each node, −1 for the first tokens of titles, `[numNodes]`. */
  readonly parents: Int32Array;
  /** Tokens from the root to each node, itself included, `[numNodes]`. */
  readonly depths: Uint32Array;
  /** End, exclusive, of each node's subtree, `[numNodes]`. */
  readonly ends: Uint32Array;
  /** Nodes of depth 1. */
  readonly roots: readonly number[];
  /** Node at which each title ends, `[numTitles]`. */
  readonly endNodes: Uint32Array;
  /**
   * Most titles that end on one path strictly below each node, `[numNodes]`: more than one where
   * a title begins another. Times a node's probability, it bounds the mass of the titles below.
   */
  readonly nesting: Uint32Array;
}

/**
 * Builds the tree.
 *
 * @param titles Tokens of each title, none empty, no two the same.
 * @throws {RangeError} If a title is empty or stands twice.
 */
export function buildTokenTree(titles: readonly Uint32Array[]): TokenTree {
  const order = titles.map((_, title) => title).toSorted((a, b) => compare(titles[a]!, titles[b]!));
  const tokens: number[] = [];
  const parents: number[] = [];
  const endNodes = new Uint32Array(titles.length);
  let path: number[] = [];
  let previous = new Uint32Array();
  for (const title of order) {
    const own = titles[title]!;
    const shared = commonPrefix(previous, own);
    if (own.length === shared) {
      const problem = own.length === 0 ? "no token at all" : "the tokens of another title";
      throw new RangeError(
        `Cannot build a tree of titles: each must have tokens of its own, got ${problem} for title ${title}`,
      );
    }
    path = path.slice(0, shared);
    for (const token of own.subarray(shared)) {
      parents.push(path.at(-1) ?? -1);
      path.push(tokens.push(token) - 1);
    }
    endNodes[title] = path.at(-1)!;
    previous = Uint32Array.from(own);
  }
  return finish({ tokens, parents, endNodes });
}

function finish({
  tokens,
  parents,
  endNodes,
}: {
  tokens: readonly number[];
  parents: readonly number[];
  endNodes: Uint32Array;
}): TokenTree {
  const numNodes = tokens.length;
  const depths = new Uint32Array(numNodes);
  const ends = Uint32Array.from({ length: numNodes }, (_, node) => node + 1);
  const nesting = new Uint32Array(numNodes);
  const isTitle = new Uint8Array(numNodes);
  for (const node of endNodes) isTitle[node] = 1;
  parents.forEach((parent, node) => (depths[node] = parent < 0 ? 1 : depths[parent]! + 1));
  for (let node = numNodes - 1; node >= 0; node--) {
    const parent = parents[node]!;
    if (parent < 0) continue;
    ends[parent] = Math.max(ends[parent]!, ends[node]!);
    nesting[parent] = Math.max(nesting[parent]!, nesting[node]! + isTitle[node]!);
  }
  const roots = parents.flatMap((parent, node) => (parent < 0 ? [node] : []));
  return {
    tokens: Uint32Array.from(tokens),
    parents: Int32Array.from(parents),
    depths,
    ends,
    roots,
    endNodes,
    nesting,
  };
}

/** Whether a node has children. */
export function isInner({ ends }: TokenTree, node: number): boolean {
  return ends[node]! > node + 1;
}

/** Children of a node, in order. */
export function childrenOf({ ends }: TokenTree, node: number): number[] {
  const children: number[] = [];
  for (let child = node + 1; child < ends[node]!; child = ends[child]!) children.push(child);
  return children;
}

function compare(a: Uint32Array, b: Uint32Array): number {
  const shared = commonPrefix(a, b);
  if (shared === a.length || shared === b.length) return a.length - b.length;
  return a[shared]! - b[shared]!;
}

function commonPrefix(a: Uint32Array, b: Uint32Array): number {
  let length = 0;
  while (length < a.length && length < b.length && a[length] === b[length]) length++;
  return length;
}
