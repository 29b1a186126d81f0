import type { EncodedResume } from "../../data/batch.ts";
import type { Gpu } from "../../engine/gpu.ts";
import type { Transformer } from "../transformer/transformer.ts";
import { buildTokenTree, type TokenTree } from "../token_tree.ts";
import type { OccupationModel, OccupationQuestion, Person, Score } from "./occupation_model.ts";
import { SharedContext } from "./shared_context.ts";
import { TitleSearch } from "./title_search.ts";
import { type Expansion, type Question, TreeLayout } from "./tree_layout.ts";
import { TreePasses } from "./tree_pass.ts";

/** Options of a {@linkcode LanguageModel}. */
export interface LanguageModelOptions {
  /** Tokens of each occupation's title, in the order of the vocabulary. */
  readonly titles: readonly Uint32Array[];
  /** Names the model in tables. @default {"language model"} */
  readonly name?: string;
  /**
   * Probability mass that pruning may leave unexplored at each observation, as a share of the mass
   * of all titles; 0 explores every title.
   *
   * @default {1e-2}
   */
  readonly tolerance?: number;
  /**
   * Tokens that stand before every resume, such as example resumes, the token that begins a
   * document among them; they are read once. @default {none}
   */
  readonly context?: Uint32Array;
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
  /** The model itself, which is not freed with this. */
  readonly transformer: Transformer;
  readonly #search: TitleSearch;
  readonly #maxSeqLen: number;
  readonly #context: SharedContext | undefined;
  /** Prompts alone, for the first tokens of titles. */
  readonly #prompts: TreePasses;
  /** Prompts with trees. */
  readonly #trees: TreePasses;

  /**
   * Records the passes; they compile at their first run.
   *
   * @throws {RangeError} If the context alone is more than the model can read.
   */
  constructor(gpu: Gpu, model: Transformer, options: LanguageModelOptions) {
    const { titles, name = "language model", tolerance = 1e-2, context } = options;
    const { maxSeqLen } = model.config;
    const contextLength = context?.length ?? 0;
    if (contextLength >= maxSeqLen) {
      throw new RangeError(
        `Cannot put text before every resume: it must leave room in the model's ${maxSeqLen} tokens, got ${contextLength} tokens; tell fewer example resumes or no list of titles`,
      );
    }
    this.name = name;
    this.transformer = model;
    this.numOccupations = titles.length;
    this.#search = new TitleSearch(buildTokenTree(titles), tolerance);
    this.#maxSeqLen = maxSeqLen;
    const fits = (numTokens: number) => Math.ceil(numTokens / 64) * 64;
    const resumeTokens = maxSeqLen - contextLength;
    const promptTokens = fits(Math.max(PASS_TOKENS, resumeTokens));
    const treeTokens = fits(Math.max(PASS_TOKENS, resumeTokens + this.#search.numInner));
    const numRows = promptTokens / 4;
    const { tree } = this.#search;
    this.#context =
      context === undefined || contextLength === 0
        ? undefined
        : new SharedContext(gpu, model, { tokens: context, passTokens: treeTokens });
    const before = this.#context === undefined ? {} : { context: this.#context };
    this.#prompts = new TreePasses(gpu, model, {
      capacity: { numTokens: promptTokens, numRows, numPairs: numRows * tree.roots.length },
      ...before,
    });
    this.#trees = new TreePasses(gpu, model, {
      capacity: {
        numTokens: treeTokens,
        numRows: treeTokens,
        numPairs: 2 * treeTokens + tree.tokens.length,
      },
      ...before,
    });
  }

  /** The titles' tokens as a prefix tree. */
  get tree(): TokenTree {
    return this.#search.tree;
  }

  async *score(people: Iterable<Person>): AsyncGenerator<LanguageModelScore> {
    for (const group of this.#groups(people, resumeOf)) yield* await this.#scoreGroup(group);
  }

  async distribution(person: Person, index: number): Promise<Float64Array> {
    const question = this.#search.question(resumeOf(person), index);
    await this.#run(this.#trees, [[this.#search.everything(question)]]);
    return this.#search.distribution(question);
  }

  /**
   * Distributions within the tolerance in total variation of those of {@linkcode distribution}:
   * unlikely titles share what is left of the prefixes that were not followed.
   */
  async distributions(asked: readonly OccupationQuestion[]): Promise<Float64Array[]> {
    const distributions: Float64Array[] = [];
    for (const group of this.#groups(asked, ({ person }) => resumeOf(person))) {
      const questions = group.map(({ person, index }) => [
        { question: this.#search.question(resumeOf(person), index), occupations: [] },
      ]);
      await this.#explore(questions);
      for (const [one] of questions) distributions.push(this.#search.distribution(one!.question));
    }
    return distributions;
  }

  /** Frees the passes' memory; the model's weights stay. */
  destroy(): void {
    this.#prompts.destroy();
    this.#trees.destroy();
    this.#context?.destroy();
  }

  /** As many at a time as a pass over their resumes holds. */
  *#groups<T>(items: Iterable<T>, resume: (item: T) => EncodedResume): Generator<T[]> {
    let group: T[] = [];
    let numTokens = 0;
    for (const item of items) {
      const { length } = resume(item).tokens;
      if (group.length > 0 && numTokens + length > this.#prompts.capacity.numTokens) {
        yield group;
        group = [];
        numTokens = 0;
      }
      group.push(item);
      numTokens += length;
    }
    if (group.length > 0) yield group;
  }

  async #scoreGroup(people: readonly Person[]): Promise<LanguageModelScore[]> {
    const inquiries = people.map((person) => {
      const { occupations, askedFrom = 0 } = person;
      return occupations.slice(askedFrom).map((occupation, i): Inquiry => {
        const index = askedFrom + i;
        return {
          question: this.#search.question(resumeOf(person), index),
          occupations: index === 0 ? [occupation] : [occupations[index - 1]!, occupation],
        };
      });
    });
    await this.#explore(inquiries);
    return people.map(({ occupations: { length } }, which) => {
      const all = (value: number) => new Float64Array(length).fill(value);
      const [raw, normalized, stay, unexplored] = [all(NaN), all(NaN), all(NaN), all(0)];
      const rank = new Uint16Array(length);
      for (const { question, occupations } of inquiries[which]!) {
        const index = question.observation;
        const own = occupations.at(-1)!;
        const judgment = this.#search.judge(question, own, occupations.at(-2));
        raw[index] = judgment.raw;
        normalized[index] = judgment.normalized;
        stay[index] = judgment.stay;
        rank[index] = judgment.rank;
        unexplored[index] = judgment.unexplored;
      }
      return { raw, normalized, stay, rank, unexplored };
    });
  }

  /** Computes what matters of the trees of some resumes, first tokens first. */
  async #explore(inquiries: readonly (readonly Inquiry[])[]): Promise<void> {
    const first = inquiries.map((asked) =>
      asked.map(({ question }) => this.#search.first(question)),
    );
    const isWhole = first.some((asked) => asked.some(({ nodes }) => nodes.length > 0));
    await this.#run(isWhole ? this.#trees : this.#prompts, first);
    if (isWhole) return;
    let expansions: Expansion[][];
    do {
      expansions = inquiries.map((asked) =>
        asked
          .map(({ question, occupations }) => this.#search.next(question, occupations))
          .filter(({ nodes }) => nodes.length > 0),
      );
      await this.#run(this.#trees, expansions);
    } while (expansions.some((asked) => asked.length > 0));
  }

  /** Packs documents into as few passes as they fit, splitting the questions of a resume if need be. */
  async #run(passes: TreePasses, documents: readonly (readonly Expansion[])[]): Promise<void> {
    const reach = { maxSeqLen: this.#maxSeqLen, contextLength: this.#context?.tokens.length ?? 0 };
    const fresh = () => new TreeLayout(this.#search.tree, passes.capacity, reach);
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
}

/** A question, and the occupations whose ways are followed in any case: the one before, the true one. */
interface Inquiry {
  readonly question: Question;
  readonly occupations: readonly number[];
}

function resumeOf({ career, resume }: Person): EncodedResume {
  if (resume === undefined) {
    throw new TypeError(
      `Cannot score career "${career.id}" by a language model: the person must carry a resume as tokens, got none; call encodeResume() first`,
    );
  }
  return resume;
}
