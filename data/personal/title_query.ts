import { occupationIndex, OCCUPATIONS } from "../occupations.ts";
import { joinWords, type TitleEntry, type TitleIndex } from "./title_index.ts";
import { isSlip, kinOfWord, rootOfWord, titleWords, weightOfWord } from "./title_words.ts";

/** An occupation that a text may mean. */
export interface OccupationMatch {
  /** Code of `OCCUPATIONS`. */
  readonly code: string;
  readonly title: string;
  /** How well the text fits, above 0 and up to 1; no probability. */
  readonly score: number;
  /** The synonym that matched; absent where the title itself did. */
  readonly via?: string;
}

/** A word of a query, and the words of the index that it may be. */
export interface QueryWord {
  readonly weight: number;
  /** How well each fits, up to 1. */
  readonly candidates: ReadonlyMap<string, number>;
}

/** What is looked for. */
export interface TitleQuery {
  readonly words: readonly QueryWord[];
  /** Place of the word that says what somebody is; -1 for none. */
  readonly head: number;
  /** Share of the score that an entry has for saying nothing besides. */
  readonly coverage: number;
  /** Whether titles count also with what they say they leave out. */
  readonly isTyped: boolean;
}

/** How well a relative and a slip of a word fit. */
const [RELATIVE, SLIP] = [0.82, 0.8];

/** How well a word must fit to count as said in full. */
const WHOLE = 0.8;

/** What is left of a score if the query's kind of person is another, unknown, or only beside. */
const OTHER_HEAD = 0.6;
const UNKNOWN_HEAD = 0.75;
const BESIDE_HEAD = 0.85;

/** The words of a text, joined and parted as the index has them. */
export function knownWords(text: string, { entriesOf }: TitleIndex): string[] {
  const isWord = (word: string): boolean => entriesOf.has(word);
  const words = titleWords(text).flatMap((word) => {
    if (isWord(word) || word.length < 7) return [word];
    for (let at = 3; at <= word.length - 3; at++) {
      const [left, right] = [word.slice(0, at), word.slice(at)];
      if (isWord(left) && isWord(right)) return [left, right];
    }
    return [word];
  });
  return [...new Set(joinWords(words, isWord))];
}

/**
 * A word with the words that it may be. One that the index knows weighs what it does there, another
 * what the heaviest of its candidates does.
 *
 * @param fits Candidates, the best of each counting.
 * @param unknown What it weighs if there are none.
 */
export function queryWord(
  text: string,
  fits: readonly (readonly [string, number])[],
  { index, unknown }: { readonly index: TitleIndex; readonly unknown: number },
): QueryWord {
  const candidates = new Map<string, number>();
  for (const [word, fit] of fits) candidates.set(word, Math.max(fit, candidates.get(word) ?? 0));
  if (index.entriesOf.has(text)) return { candidates, weight: index.weightOf(text) };
  const known = Math.max(0, ...Array.from(candidates.keys(), (word) => index.weightOf(word)));
  return { candidates, weight: weightOfWord(text) * (known > 0 ? known : unknown) };
}

/** The word itself, its relatives, and where the index does not have it, words that differ by a slip. */
export function fitting(text: string, index: TitleIndex): [string, number][] {
  const found: [string, number][] = [];
  for (const word of index.relativesOf.get(rootOfWord(text)) ?? []) {
    if (word !== text) found.push([word, RELATIVE]);
  }
  if (index.entriesOf.has(text)) return [...found, [text, 1]];
  for (const word of index.entriesOf.keys()) if (isSlip(text, word)) found.push([word, SLIP]);
  return found;
}

/** Other words for the same kind of person. */
export function kindred(text: string): Iterable<[string, number]> {
  return kinOfWord(text).entries();
}

/** Words that begin with what is typed. The fewer letters are missing, the better. */
export function startingWith(text: string, index: TitleIndex, best = 1): [string, number][] {
  return Array.from(index.entriesOf.keys())
    .filter((word) => word.startsWith(text))
    .map((word) => [word, best * (0.5 + (0.5 * text.length) / word.length)]);
}

/** All occupations that have a word of the query, each by its best title or synonym, best first. */
export function rank(query: TitleQuery, index: TitleIndex): OccupationMatch[] {
  const places = new Set<number>();
  for (const { candidates } of query.words) {
    for (const word of candidates.keys()) {
      for (const place of index.entriesOf.get(word) ?? []) places.add(place);
    }
  }
  const best = new Map<string, { score: number; entry: TitleEntry }>();
  for (const place of places) {
    const entry = index.entries[place]!;
    if (entry.isLong && !query.isTyped) continue;
    const score = scoreOf(query, entry, index);
    const known = best.get(entry.code);
    if (known === undefined || score > known.score) best.set(entry.code, { score, entry });
  }
  return sorted(Array.from(best.values(), ({ score, entry }) => matchOf(entry, score)));
}

/** An entry as a match. */
export function matchOf({ code, synonym }: TitleEntry, score: number): OccupationMatch {
  const title = OCCUPATIONS[occupationIndex(code)]!.title;
  return { code, title, score, ...(synonym !== undefined && { via: synonym }) };
}

/** Best first; of equals, in the order of the vocabulary. */
export function sorted(matches: readonly OccupationMatch[]): OccupationMatch[] {
  return matches.toSorted(
    (a, b) => b.score - a.score || occupationIndex(a.code) - occupationIndex(b.code),
  );
}

/**
 * How well an entry fits a query: the share of the query that it explains, less for what it says
 * besides, less if it is about another kind of person.
 *
 *     score = explained * (1 - coverage + coverage * covered) * head
 */
function scoreOf(query: TitleQuery, entry: TitleEntry, index: TitleIndex): number {
  let [explained, all, head] = [0, 0, 1];
  const covered = new Map<string, number>();
  for (const [i, word] of query.words.entries()) {
    const { matched, fit } = bestFit(word, entry);
    all += word.weight;
    explained += word.weight * fit;
    if (fit > 0) covered.set(matched, Math.max(fit, covered.get(matched) ?? 0));
    if (i === query.head) head = headFactor(word, { matched, entry, index });
  }
  if (all === 0) return 0;
  let coveredWeight = 0;
  for (const [word, fit] of covered) {
    coveredWeight += (fit >= WHOLE ? 1 : fit) * index.weightOf(word);
  }
  const share = entry.weight === 0 ? 1 : coveredWeight / entry.weight;
  return (explained / all) * (1 - query.coverage + query.coverage * share) * head;
}

function bestFit({ candidates }: QueryWord, entry: TitleEntry): { matched: string; fit: number } {
  let [matched, fit] = ["", 0];
  for (const word of entry.words) {
    const own = candidates.get(word) ?? 0;
    if (own > fit) [matched, fit] = [word, own];
  }
  return { matched, fit };
}

function headFactor(
  { candidates }: QueryWord,
  { matched, entry, index }: { matched: string; entry: TitleEntry; index: TitleIndex },
): number {
  if (matched !== "") {
    return entry.head === undefined || entry.head === matched ? 1 : BESIDE_HEAD;
  }
  const isKnown = Array.from(candidates.keys()).some((word) => index.heads.has(word));
  return isKnown ? OTHER_HEAD : UNKNOWN_HEAD;
}
