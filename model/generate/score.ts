import type { Gpu } from "../../engine/gpu.ts";
import { pairLogProbabilities } from "../../engine/ops/pair_log_probabilities.ts";
import { Plan, submitAndRead } from "../../engine/plan.ts";
import { Tape } from "../../engine/tape.ts";
import type { Tensor } from "../../engine/tensor.ts";
import { childrenOf } from "../token_tree.ts";
import type { ModelConfig } from "../transformer/config.ts";
import type { Transformer } from "../transformer/transformer.ts";
import { windowStarts } from "../transformer/inputs.ts";
import { CachedInputs, type Span, textSpan } from "./cached_inputs.ts";
import { type ContinuationTree, continuationTree, innerNodes } from "./continuation_tree.ts";
import { KvCache, NO_PLACE } from "./kv_cache.ts";
import { Prefill } from "./prefill.ts";

/** A text and what may follow it, as tokens. */
export interface ScoreRequest {
  /** At least one token: what the first token of each continuation is predicted from. */
  readonly prefix: Uint32Array;
  readonly continuations: readonly Uint32Array[];
}

/** Log-probabilities of each token of each continuation, given the prefix and those before it. */
export type ContinuationScores = readonly Float32Array[];

/** Sizes of a {@linkcode Scorer}. */
export interface ScorerSizes {
  /** Prefixes side by side. */
  readonly numRows: number;
  /** Tokens of a prefix and of its continuations, as a tree, together. */
  readonly capacity: number;
}

/** Vocabulary entries whose logits exist at a time: the same whatever is scored with what. */
const VOCABULARY_TILE = 4096;
/** Fewest tokens and pairs that a pass is made for. */
const LEAST_SIZE = 8;

/** A pass over trees of some size. */
interface TreePlan {
  readonly plan: Plan;
  readonly inputs: CachedInputs;
  readonly pairRows: Tensor;
  readonly pairTokens: Tensor;
  readonly output: Tensor;
}

/** A request on its way: its tree, and which nodes are read after the last token of the prefix. */
interface Laid {
  readonly request: ScoreRequest;
  readonly continuations: ContinuationTree;
  readonly inner: readonly number[];
}

/** A pair of a place in the pass and a token, and the node that its log-probability belongs to. */
interface Pair {
  readonly at: number;
  readonly token: number;
  readonly row: number;
  readonly node: number;
}

/**
 * Scores continuations of texts: each prefix is read once, and continuations share the tokens that
 * they begin with in common.
 *
 *     log P(token_i | prefix, token_1 … token_{i−1})   for every token of every continuation
 *
 * A score depends neither on what else is in the batch nor on padding.
 */
export class Scorer {
  readonly numRows: number;
  readonly capacity: number;
  readonly #gpu: Gpu;
  readonly #model: Transformer;
  readonly #cache: KvCache;
  readonly #prefill: Prefill;
  readonly #plans = new Map<string, TreePlan>();

  constructor(gpu: Gpu, model: Transformer, { numRows, capacity }: ScorerSizes) {
    this.numRows = numRows;
    this.capacity = capacity;
    this.#gpu = gpu;
    this.#model = model;
    this.#cache = new KvCache(gpu, model.config, { numRows, capacity });
    this.#prefill = new Prefill(gpu, model, this.#cache);
  }

  /**
   * Scores up to `numRows` requests at once.
   *
   * @returns By request and continuation.
   * @throws {RangeError} If there are too many, a prefix is empty, or one does not fit.
   */
  async score(requests: readonly ScoreRequest[]): Promise<ContinuationScores[]> {
    const laid = requests.map((request) => layOut(request));
    this.#check(laid);
    this.#cache.writeEnds(this.#ends(laid));
    await this.#prefill.run(requests.map(({ prefix }) => prefix.subarray(0, -1)));
    const pairs: Pair[] = [];
    const longest = Math.max(...laid.map(({ inner }) => inner.length + 1));
    const seqLen = sizeFor(longest);
    const spans = laid.map((one, row) => {
      ask(one, { row, base: row * seqLen, pairs });
      return spanOf(one, this.#model.config.slidingWindow);
    });
    const values = await this.#run(spans, pairs, seqLen);
    const scores = laid.map(
      ({ continuations }) => new Float32Array(continuations.tree.tokens.length),
    );
    pairs.forEach(({ row, node }, index) => (scores[row]![node] = values[index]!));
    return laid.map(({ continuations }, row) =>
      continuations.nodesOf.map((path) => Float32Array.from(path, (node) => scores[row]![node]!)),
    );
  }

  async #run(
    spans: readonly Span[],
    pairs: readonly Pair[],
    seqLen: number,
  ): Promise<Float32Array> {
    if (pairs.length === 0) return new Float32Array();
    const pass = await this.#planFor(seqLen, sizeFor(pairs.length));
    const { plan, inputs, pairRows, pairTokens, output } = pass;
    const numPairs = pairRows.shape[0]!;
    const padded = (valueOf: (pair: Pair) => number) =>
      Uint32Array.from({ length: numPairs }, (_, i) => (i < pairs.length ? valueOf(pairs[i]!) : 0));
    inputs.write(spans);
    this.#gpu.write(
      pairRows,
      padded(({ at }) => at),
    );
    this.#gpu.write(
      pairTokens,
      padded(({ token }) => token),
    );
    const [values] = await submitAndRead(this.#gpu, [plan], [plan.source(output)]);
    return values!;
  }

  async #planFor(seqLen: number, numPairs: number): Promise<TreePlan> {
    const key = `${seqLen} ${numPairs}`;
    let pass = this.#plans.get(key);
    if (pass === undefined) {
      pass = this.#record(seqLen, numPairs);
      this.#plans.set(key, pass);
    }
    await pass.plan.compile();
    return pass;
  }

  #record(seqLen: number, numPairs: number): TreePlan {
    const u32 = (label: string) => this.#gpu.tensor([numPairs], { label, dtype: "u32" });
    const inputs = new CachedInputs(this.#gpu, this.#cache, seqLen);
    const [pairRows, pairTokens] = [u32("pair rows"), u32("pair tokens")];
    const tape = new Tape(this.#gpu);
    const x = this.#model.hidden(tape, inputs);
    const weight = this.#model.weights.output;
    const output = pairLogProbabilities(
      tape,
      { x, weight, rows: pairRows, tokens: pairTokens },
      { tileSize: VOCABULARY_TILE },
    );
    const plan = new Plan(this.#gpu, tape, { keep: [output] });
    return { plan, inputs, pairRows, pairTokens, output };
  }

  /** Text is seen by all that follows; a node by its subtree, as far as that is read. */
  #ends(laid: readonly Laid[]): Uint32Array<ArrayBuffer> {
    const ends = new Uint32Array(this.numRows * this.capacity).fill(NO_PLACE);
    laid.forEach(({ request, continuations, inner }, row) => {
      const first = row * this.capacity + request.prefix.length;
      inner.forEach((node, index) => {
        let end = index + 1;
        while (end < inner.length && inner[end]! < continuations.tree.ends[node]!) end++;
        ends[first + index] = request.prefix.length + end;
      });
    });
    return ends;
  }

  #check(laid: readonly Laid[]): void {
    const { numRows, capacity } = this;
    if (laid.length > numRows) {
      throw new RangeError(
        `Cannot score at once: at most ${numRows} prefixes fit, got ${laid.length}`,
      );
    }
    for (const { request, inner } of laid) {
      checkRequest(request, this.#model.config);
      const places = request.prefix.length + inner.length;
      if (places <= capacity) continue;
      throw new RangeError(
        `Cannot score continuations: prefix and tree must fit ${capacity} places, got ${places}`,
      );
    }
  }

  /** Frees the memory; the model's weights stay. */
  destroy(): void {
    this.#prefill.destroy();
    this.#cache.destroy();
    for (const { plan, inputs, pairRows, pairTokens } of this.#plans.values()) {
      plan.destroy();
      inputs.destroy();
      pairRows.buffer?.destroy();
      pairTokens.buffer?.destroy();
    }
    this.#plans.clear();
  }
}

/**
 * Checks that a model can read a prefix and each continuation.
 *
 * @throws {RangeError} If the prefix is empty, a token is none of the model's, or they are too long.
 */
export function checkRequest(
  { prefix, continuations }: ScoreRequest,
  { maxSeqLen, vocabSize }: Pick<ModelConfig, "maxSeqLen" | "vocabSize">,
): void {
  if (prefix.length === 0) {
    throw new RangeError(
      "Cannot score continuations: the prefix must have at least one token, got none; begin it with the model's begin token",
    );
  }
  for (const tokens of [prefix, ...continuations]) {
    const stranger = tokens.find((token) => token >= vocabSize);
    if (stranger === undefined) continue;
    throw new RangeError(
      `Cannot score continuations: tokens must be below the model's ${vocabSize}, got ${stranger}`,
    );
  }
  const longest = continuations.reduce((most, { length }) => Math.max(most, length), 1);
  if (prefix.length + longest - 1 <= maxSeqLen) return;
  throw new RangeError(
    `Cannot score continuations: prefix and continuation must fit the model's ${maxSeqLen} tokens, got a prefix of ${prefix.length} and a longest continuation of ${longest}`,
  );
}

/** Places that a prefix and the tree of its continuations take. */
export function placesOf(request: ScoreRequest): number {
  return request.prefix.length + layOut(request).inner.length;
}

function layOut(request: ScoreRequest): Laid {
  const continuations = continuationTree(request.continuations);
  return { request, continuations, inner: innerNodes(continuations) };
}

/** The last token of the prefix, then the nodes that have children. */
function spanOf({ request, continuations, inner }: Laid, slidingWindow: number | null): Span {
  const { prefix } = request;
  const { tree } = continuations;
  const last = prefix.length - 1;
  const text = textSpan(prefix.subarray(last), last, slidingWindow);
  const positions = [last, ...inner.map((node) => last + tree.depths[node]!)];
  const places = positions.map((_, index) => last + index);
  return {
    tokens: [...Array.from(text.tokens), ...inner.map((node) => tree.tokens[node]!)],
    positions,
    places,
    starts: startsOf(positions, last, slidingWindow),
  };
}

/** First place that each token sees: under a window, that of the text before or of an ancestor. */
function startsOf(
  positions: readonly number[],
  last: number,
  slidingWindow: number | null,
): Uint32Array {
  const all = [...Array.from({ length: last }, (_, i) => i), ...positions];
  const row = { numRows: 1, seqLen: all.length, starts: new Uint32Array(all.length) };
  return windowStarts({ ...row, positions: Uint32Array.from(all) }, slidingWindow).subarray(last);
}

/** Appends a pair for every node: its token, predicted at its parent or at the end of the prefix. */
function ask(
  { continuations: { tree }, inner }: Laid,
  { row, base, pairs }: { readonly row: number; readonly base: number; readonly pairs: Pair[] },
): void {
  const push = (at: number, nodes: readonly number[]) => {
    for (const node of nodes) pairs.push({ at, token: tree.tokens[node]!, row, node });
  };
  push(base, tree.roots);
  inner.forEach((node, index) => push(base + 1 + index, childrenOf(tree, node)));
}

/** The next power of two, so that few passes serve all sizes. */
function sizeFor(length: number): number {
  return 2 ** Math.ceil(Math.log2(Math.max(LEAST_SIZE, length)));
}
