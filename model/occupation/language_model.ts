import type { EncodedResume } from "../../data/batch.ts";
import type { Gpu } from "../../engine/gpu.ts";
import type { Transformer } from "../transformer/transformer.ts";
import type { OccupationModel, Person, Score } from "./occupation_model.ts";
import { buildTokenTree, isInner, type TokenTree } from "../token_tree.ts";
import { type Expansion, type Question, TreeLayout } from "./tree_layout.ts";
import { TreePasses } from "./tree_pass.ts";

/** Options of a {@linkcode LanguageModel}. */
export interface LanguageModelOptions {
  /** Tokens of each occupation's title, in the order of the vocabulary. */
  readonly titles: readonly Uint32Array[];
  /** Names the model in tables. @default {"language model"} */
  readonly name?: string;
  /**
   * Probability mass that pruning may leave unexplored at each observation; 0 explores every title.
   *
   * @default {1e-2}
   */
  readonly tolerance?: number;
}

/**
 * A score, and what pruning left out of it. `stay` is never above its exact value; a title that
 * was not computed counts in no `rank`.
 */
export interface LanguageModelScore extends Score {
  /**
   * Upper bound of the probability of the titles that were not computed, `[numObservations]`.
   * They count in full in the normalizer, so `normalized` is never above its exact value, and
   * falls short of it by at most `log(1 + unexplored / known)`, where `known` is the mass of the
   * titles that were computed.
   */
  readonly unexplored: Float64Array;
}

/** Tokens of a pass, unless a single question needs more. */
const PASS_TOKENS = 2048;

/**
 * A language model as an occupation model.
 *
 *     P(occupation | history) = Π_i P(token_i of its title | resume so far, tokens before i)
 *
 * as the paper defines it, and normalized over all titles, which the paper left out as too
 * expensive. The titles form a prefix tree, laid behind each prompt under a tree mask, so that one
 * forward pass serves all titles and all years of many people. Pruning computes less: a first pass
 * gives the probability of every title's first token, and each further one follows those prefixes
 * that still matter; the mass below the others is bounded by their own probability, and reported.
 *
 * @see {@link https://arxiv.org/abs/2406.17972 | Athey et al., "LABOR-LLM", 2024}, section 4
 */
export class LanguageModel implements OccupationModel {
  readonly name: string;
  readonly numOccupations: number;
  readonly tree: TokenTree;
  /** Nodes that have children, in order. */
  readonly #inner: readonly number[];
  readonly #tolerance: number;
  readonly #maxSeqLen: number;
  /** Prompts alone, for the first tokens of titles. */
  readonly #prompts: TreePasses;
  /** Prompts with trees. */
  readonly #trees: TreePasses;

  /** Records the passes; they compile at their first run. */
  constructor(gpu: Gpu, model: Transformer, options: LanguageModelOptions) {
    const { titles, name = "language model", tolerance = 1e-2 } = options;
    this.name = name;
    this.numOccupations = titles.length;
    this.tree = buildTokenTree(titles);
    this.#tolerance = tolerance;
    this.#maxSeqLen = model.config.maxSeqLen;
    const numNodes = this.tree.tokens.length;
    this.#inner = Array.from(this.tree.tokens, (_, node) => node).filter((node) =>
      isInner(this.tree, node),
    );
    const numInner = this.#inner.length;
    const fits = (numTokens: number) => Math.ceil(numTokens / 64) * 64;
    const promptTokens = fits(Math.max(PASS_TOKENS, this.#maxSeqLen));
    const treeTokens = fits(Math.max(PASS_TOKENS, this.#maxSeqLen + numInner));
    const numRows = promptTokens / 4;
    this.#prompts = new TreePasses(gpu, model, {
      numTokens: promptTokens,
      numRows,
      numPairs: numRows * this.tree.roots.length,
    });
    this.#trees = new TreePasses(gpu, model, {
      numTokens: treeTokens,
      numRows: treeTokens,
      numPairs: 2 * treeTokens + numNodes,
    });
  }

  async *score(people: Iterable<Person>): AsyncGenerator<LanguageModelScore> {
    let group: Person[] = [];
    let numTokens = 0;
    for (const person of people) {
      const { length } = resumeOf(person).tokens;
      if (group.length > 0 && numTokens + length > this.#prompts.capacity.numTokens) {
        yield* await this.#scoreGroup(group);
        group = [];
        numTokens = 0;
      }
      group.push(person);
      numTokens += length;
    }
    if (group.length > 0) yield* await this.#scoreGroup(group);
  }

  async distribution(person: Person, index: number): Promise<Float64Array> {
    const question = this.#question(resumeOf(person), index);
    await this.#run(this.#trees, [[this.#everything(question)]]);
    const paths = this.#pathLogProbabilities(question);
    const probabilities = Float64Array.from(this.tree.endNodes, (node) => Math.exp(paths[node]!));
    const total = probabilities.reduce((sum, p) => sum + p, 0);
    return probabilities.map((p) => p / total);
  }

  /** Frees the passes' memory; the model's weights stay. */
  destroy(): void {
    this.#prompts.destroy();
    this.#trees.destroy();
  }

  async #scoreGroup(people: readonly Person[]): Promise<LanguageModelScore[]> {
    const questions = people.map((person) =>
      person.occupations.map((_, index) => this.#question(resumeOf(person), index)),
    );
    if (this.#tolerance > 0) {
      const roots = (question: Question): Expansion => ({ question, withRoots: true, nodes: [] });
      await this.#run(
        this.#prompts,
        questions.map((asked) => asked.map(roots)),
      );
      let expansions: Expansion[][];
      do {
        expansions = questions.map((asked, which) =>
          asked
            .map((question, index) => {
              const { occupations } = people[which]!;
              const asked = index === 0 ? [index] : [index - 1, index];
              return this.#next(
                question,
                asked.map((at) => occupations[at]!),
              );
            })
            .filter(({ nodes }) => nodes.length > 0),
        );
        await this.#run(this.#trees, expansions);
      } while (expansions.some((asked) => asked.length > 0));
    } else {
      const whole = questions.map((asked) => asked.map((question) => this.#everything(question)));
      await this.#run(this.#trees, whole);
    }
    return people.map(({ occupations }, which) => {
      const scores = questions[which]!.map((question, index) =>
        this.#judge(question, occupations[index]!, occupations[index - 1]),
      );
      return {
        raw: Float64Array.from(scores, ({ raw }) => raw),
        normalized: Float64Array.from(scores, ({ normalized }) => normalized),
        stay: Float64Array.from(scores, ({ stay }) => stay),
        rank: Uint16Array.from(scores, ({ rank }) => rank),
        unexplored: Float64Array.from(scores, ({ unexplored }) => unexplored),
      };
    });
  }

  #question(resume: EncodedResume, observation: number): Question {
    const logProbabilities = new Float64Array(this.tree.tokens.length).fill(NaN);
    return { resume, observation, logProbabilities };
  }

  /** The whole tree in one pass. */
  #everything(question: Question): Expansion {
    return { question, withRoots: true, nodes: this.#inner };
  }

  /**
   * What to expand next: of the nodes whose probability is known and whose children are not, all
   * but the least probable, below which the titles' mass together stays within the tolerance; and
   * in any case those on the way to the true occupation and to the one before.
   */
  #next(question: Question, occupations: readonly number[]): Expansion {
    const { tree } = this;
    const own = new Set(occupations.flatMap((occupation) => [...this.#wayTo(occupation)]));
    const frontier = this.#frontier(question).filter(({ node }) => !own.has(node));
    const byMass = frontier.toSorted((a, b) => a.mass - b.mass);
    let left = 0;
    let pruned = 0;
    while (pruned < byMass.length && left + byMass[pruned]!.mass <= this.#tolerance) {
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

  /** Nodes whose probability is known and whose children are not, with the mass of the titles below. */
  #frontier(question: Question): { readonly node: number; readonly mass: number }[] {
    const { tree } = this;
    const paths = this.#pathLogProbabilities(question);
    return this.#inner.flatMap((node) =>
      !Number.isNaN(paths[node]!) && isUnexplored(question, node)
        ? [{ node, mass: Math.exp(paths[node]!) * tree.nesting[node]! }]
        : [],
    );
  }

  /** The nodes on the way to a title, its own excluded. */
  #wayTo(occupation: number): Set<number> {
    const way = new Set<number>();
    for (let at = this.tree.endNodes[occupation]!; at >= 0; at = this.tree.parents[at]!) {
      if (at !== this.tree.endNodes[occupation]) way.add(at);
    }
    return way;
  }

  /** Packs documents into as few passes as they fit, splitting the questions of a resume if need be. */
  async #run(passes: TreePasses, documents: readonly (readonly Expansion[])[]): Promise<void> {
    const fresh = () => new TreeLayout(this.tree, passes.capacity, this.#maxSeqLen);
    let layout = fresh();
    const waiting = documents.filter((document) => document.length > 0).toReversed();
    while (waiting.length > 0) {
      const document = waiting.pop()!;
      if (layout.add(document)) continue;
      if (layout.size.numTokens > 0) {
        await passes.run(layout);
        layout = fresh();
        waiting.push(document);
      } else if (document.length > 1) {
        const half = Math.ceil(document.length / 2);
        waiting.push(document.slice(half), document.slice(0, half));
      } else {
        throw new RangeError(
          `Cannot score career "${document[0]!.question.resume.id}": a resume and its titles must fit ${passes.capacity.numTokens} tokens`,
        );
      }
    }
    await passes.run(layout);
  }

  /** Log-probability of the path to each node, `[numNodes]`; NaN where unexplored. */
  #pathLogProbabilities({ logProbabilities }: Question): Float64Array {
    const paths = new Float64Array(logProbabilities.length);
    this.tree.parents.forEach((parent, node) => {
      paths[node] = logProbabilities[node]! + (parent < 0 ? 0 : paths[parent]!);
    });
    return paths;
  }

  #judge(question: Question, occupation: number, previous: number | undefined): Judgment {
    const paths = this.#pathLogProbabilities(question);
    const raw = paths[this.tree.endNodes[occupation]!]!;
    let known = 0;
    let rank = 0;
    for (const node of this.tree.endNodes) {
      const path = paths[node]!;
      if (Number.isNaN(path)) continue;
      known += Math.exp(path);
      if (path > raw) rank += 1;
    }
    const unexplored = this.#frontier(question).reduce((sum, { mass }) => sum + mass, 0);
    const total = known + unexplored;
    const before = previous === undefined ? NaN : paths[this.tree.endNodes[previous]!]!;
    const stay = Math.exp(before) / total;
    return { raw, normalized: raw - Math.log(total), stay, rank, unexplored };
  }
}

/** What one question came to. */
interface Judgment {
  readonly raw: number;
  readonly normalized: number;
  readonly stay: number;
  readonly rank: number;
  readonly unexplored: number;
}

/** Whether the children of an inner node are yet to be computed. */
function isUnexplored({ logProbabilities }: Question, node: number): boolean {
  return Number.isNaN(logProbabilities[node + 1]!); // its first child
}

function resumeOf({ career, resume }: Person): EncodedResume {
  if (resume === undefined) {
    throw new TypeError(
      `Cannot score career "${career.id}" by a language model: the person must carry a resume as tokens, got none; call encodeResume() first`,
    );
  }
  return resume;
}
