import type { EncodedResume } from "../../data/batch.ts";
import { isInner, type TokenTree } from "../token_tree.ts";
import type { Expansion, Question } from "./tree_layout.ts";

/** What one question came to; see `LanguageModelScore`. */
export interface Judgment {
  readonly raw: number;
  readonly normalized: number;
  readonly stay: number;
  readonly rank: number;
  readonly unexplored: number;
}

/** Which nodes of a tree of titles to compute, and what their probabilities say of the titles. */
export class TitleSearch {
  readonly tree: TokenTree;
  readonly #tolerance: number;
  /** Nodes that have children, in order. */
  readonly #inner: readonly number[];
  /** Titles that end strictly below each node, those of leaves empty, `[numNodes]`. */
  readonly #titlesBelow: readonly (readonly number[])[];

  /**
   * @param tree Tokens of all titles.
   * @param tolerance Share of the titles' mass that may stay unexplored; 0 explores every title.
   */
  constructor(tree: TokenTree, tolerance: number) {
    this.tree = tree;
    this.#tolerance = tolerance;
    const nodes = Array.from(tree.tokens, (_, node) => node);
    this.#inner = nodes.filter((node) => isInner(tree, node));
    this.#titlesBelow = titlesBelow(tree);
  }

  /** How many nodes a whole tree places. */
  get numInner(): number {
    return this.#inner.length;
  }

  /** A question of which nothing is known. */
  question(resume: EncodedResume, observation: number): Question {
    const logProbabilities = new Float64Array(this.tree.tokens.length).fill(NaN);
    return { resume, observation, logProbabilities };
  }

  /** What to compute first: the whole tree, or the first tokens of titles where the rest may be pruned. */
  first(question: Question): Expansion {
    const nodes = this.#tolerance > 0 ? [] : this.#inner;
    return { question, withRoots: true, nodes };
  }

  /** The whole tree, whatever the tolerance. */
  everything(question: Question): Expansion {
    return { question, withRoots: true, nodes: this.#inner };
  }

  /**
   * What to expand next: of the nodes whose probability is known and whose children are not, all
   * but the least probable, below which the titles' mass together stays within the tolerance; and
   * in any case those on the way to given titles.
   *
   * The tolerance is a share of the titles' own mass, for which all that is known and all that the
   * frontier may hold stands at first: a model that never learned titles gives them little.
   */
  next(question: Question, occupations: readonly number[]): Expansion {
    const { tree } = this;
    const own = new Set(occupations.flatMap((occupation) => [...this.#wayTo(occupation)]));
    const { known, frontier } = this.#explored(question);
    const mass = frontier.reduce((sum, node) => sum + node.mass, known);
    const limit = this.#tolerance * Math.min(1, mass);
    const byMass = frontier
      .filter(({ node }) => !own.has(node))
      .toSorted((a, b) => a.mass - b.mass);
    let left = 0;
    let pruned = 0;
    while (pruned < byMass.length && left + byMass[pruned]!.mass <= limit) {
      left += byMass[pruned]!.mass;
      pruned += 1;
    }
    const nodes = byMass.slice(pruned).map(({ node }) => node);
    for (const node of own) if (isUnexplored(question, node)) nodes.push(node);
    // A node with one child decides nothing: go on to where the ways part.
    for (let index = 0; index < nodes.length; index++) {
      const node = nodes[index]!;
      const child = node + 1;
      const onlyChild = tree.ends[child] === tree.ends[node];
      if (onlyChild && isInner(tree, child) && !nodes.includes(child)) nodes.push(child);
    }
    return { question, withRoots: false, nodes };
  }

  /** Judges the true occupation, and that of the observation before. */
  judge(question: Question, occupation: number, previous: number | undefined): Judgment {
    const { paths, known, frontier } = this.#explored(question);
    const raw = paths[this.tree.endNodes[occupation]!]!;
    const rank = this.tree.endNodes.reduce((count, node) => count + +(paths[node]! > raw), 0);
    const unexplored = frontier.reduce((sum, { mass }) => sum + mass, 0);
    const total = known + unexplored;
    const before = previous === undefined ? NaN : paths[this.tree.endNodes[previous]!]!;
    const stay = Math.exp(before) / total;
    return { raw, normalized: raw - Math.log(total), stay, rank, unexplored };
  }

  /**
   * Distribution over the titles, `[numTitles]`. The probability of a prefix that was not followed
   * is shared by the titles below it, so that the distance in total variation from the exact
   * distribution is within the tolerance.
   */
  distribution(question: Question): Float64Array {
    const { paths, frontier } = this.#explored(question);
    const probabilities = Float64Array.from(this.tree.endNodes, (node) =>
      Number.isNaN(paths[node]!) ? 0 : Math.exp(paths[node]!),
    );
    for (const { node } of frontier) {
      const below = this.#titlesBelow[node]!;
      const share = Math.exp(paths[node]!) / below.length;
      for (const title of below) probabilities[title]! += share;
    }
    const total = probabilities.reduce((sum, p) => sum + p, 0);
    return probabilities.map((p) => p / total);
  }

  /** Log-probability of the path to each node, the mass of the titles computed, and what is left. */
  #explored(question: Question): Explored {
    const { parents, endNodes, nesting } = this.tree;
    const { logProbabilities } = question;
    const paths = new Float64Array(logProbabilities.length);
    parents.forEach((parent, node) => {
      paths[node] = logProbabilities[node]! + (parent < 0 ? 0 : paths[parent]!);
    });
    let known = 0;
    for (const node of endNodes) if (!Number.isNaN(paths[node]!)) known += Math.exp(paths[node]!);
    const frontier = this.#inner.flatMap((node) =>
      !Number.isNaN(paths[node]!) && isUnexplored(question, node)
        ? [{ node, mass: Math.exp(paths[node]!) * nesting[node]! }]
        : [],
    );
    return { paths, known, frontier };
  }

  /** The nodes on the way to a title, its own excluded. */
  #wayTo(occupation: number): Set<number> {
    const way = new Set<number>();
    for (let at = this.tree.endNodes[occupation]!; at >= 0; at = this.tree.parents[at]!) {
      if (at !== this.tree.endNodes[occupation]) way.add(at);
    }
    return way;
  }
}

interface Explored {
  /** `[numNodes]`; NaN where unexplored. */
  readonly paths: Float64Array;
  readonly known: number;
  /** Nodes whose probability is known and whose children are not, with a bound of the titles' mass below. */
  readonly frontier: readonly { readonly node: number; readonly mass: number }[];
}

/** Whether the children of an inner node are yet to be computed. */
function isUnexplored({ logProbabilities }: Question, node: number): boolean {
  return Number.isNaN(logProbabilities[node + 1]!); // its first child
}

function titlesBelow({ tokens, parents, endNodes }: TokenTree): number[][] {
  const below = Array.from(tokens, (): number[] => []);
  endNodes.forEach((end, title) => {
    for (let at = parents[end]!; at >= 0; at = parents[at]!) below[at]!.push(title);
  });
  return below;
}
