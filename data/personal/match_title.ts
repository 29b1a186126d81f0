import { occupationIndex, OCCUPATIONS } from "../occupations.ts";
import { headOf, joinWords, type TitleEntry, type TitleIndex, titleIndex } from "./title_index.ts";
import { isSlip, plainWords, rootOfWord, titleWords, weightOfWord } from "./title_words.ts";

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

/** Options of {@linkcode suggestOccupations}. */
export interface SuggestOptions {
  /** Most suggestions. @default {8} */
  readonly limit?: number;
}

/** Longest text that is looked at, in UTF-16 units; titles are shorter. */
const MAX_LENGTH = 200;

/** Below it, a match of free text is more often wrong than right. */
const LEAST_SCORE = 0.45;

/** Below it, a suggestion has little to do with what was typed. */
const LEAST_SUGGESTION = 0.35;

/** What a word counts that the index does not know, such as the name of an employer. */
const UNKNOWN_WEIGHT = { typed: 4, free: 1.2 };

/** How well a word must fit to count as said in full. */
const WHOLE = 0.8;

/** A word of the query, and the words of the index that it may be. */
interface QueryWord {
  readonly weight: number;
  /** How well each fits, up to 1. */
  readonly candidates: ReadonlyMap<string, number>;
}

interface Query {
  readonly words: readonly QueryWord[];
  /** The word that says what somebody is. */
  readonly head: number;
  /** How much of the score an entry loses that says nothing of the query but more besides. */
  readonly coverage: number;
}

/**
 * Occupations for what somebody has typed so far: by beginnings of words, in any order, in titles
 * and synonyms, small slips forgiven. Best first.
 *
 * @example
 * ```ts ignore
 * suggestOccupations("software eng")[0]; // { code: "229", title: "Computer programmers", ... }
 * ```
 */
export function suggestOccupations(
  query: string,
  { limit = 8 }: SuggestOptions = {},
): OccupationMatch[] {
  const index = titleIndex();
  const typed = plainWords(query.slice(0, MAX_LENGTH));
  let texts = knownWords(typed.join(" "), index);
  if (texts.length === 0) texts = typed.slice(-1);
  if (texts.length === 0) return [];
  const isOpen = /[\p{L}\p{N}]$/u.test(query);
  const words = texts.map((text, i): QueryWord => {
    const isLast = i === texts.length - 1;
    const candidates = bestOf([
      ...fitting(text, index),
      ...(isOpen && isLast ? startingWith(text, index) : []),
      ...(!isLast && text.length >= 3 ? startingWith(text, index, 0.8) : []),
    ]);
    return queryWord(candidates, { index, text, unknown: UNKNOWN_WEIGHT.typed });
  });
  if (isOpen) addJoined(texts, words, index);
  const matches = rank({ words, head: -1, coverage: 0.35 }, index);
  return matches.filter(({ score }) => score >= LEAST_SUGGESTION).slice(0, limit);
}

/**
 * Occupations for a job title as people write it in a resume: "Sr. Software Engineer II @ Acme",
 * "RN, ICU". What stands behind "@" or "at" is not looked at; rank, hours and contract count little.
 *
 * @returns At most eight, best first; none where nothing fits.
 */
export function matchTitle(freeText: string): OccupationMatch[] {
  const index = titleIndex();
  const best = new Map<string, OccupationMatch>();
  for (const { text, factor } of segments(freeText.slice(0, MAX_LENGTH))) {
    const texts = knownWords(text, index);
    if (texts.length === 0) continue;
    const words = texts.map((word) =>
      queryWord(bestOf(fitting(word, index)), { index, text: word, unknown: UNKNOWN_WEIGHT.free }),
    );
    const head = texts.indexOf(headOf(texts, text) ?? "");
    for (const match of rank({ words, head, coverage: 0.45 }, index)) {
      const score = match.score * factor;
      if (score > (best.get(match.code)?.score ?? 0)) best.set(match.code, { ...match, score });
    }
  }
  return sorted([...best.values()].filter(({ score }) => score >= LEAST_SCORE)).slice(0, 8);
}

/** The parts of a title that may each name a job: the whole, then what separators part, the first most. */
function segments(freeText: string): { text: string; factor: number }[] {
  const own = freeText.replace(/(?<=\S)\s*(?:@|\bat\b(?=\s+\p{Lu})).*$/su, "");
  const plain = own.replaceAll(/\([^)]*\)?|\[[^\]]*\]?/g, " ");
  const parts = plain
    .split(/\s[-–—|•·:]+\s|[,;/|•·:–—]|\s(?:&|and|\+)\s/)
    .map((part) => part.trim())
    .filter((part) => part !== "");
  const inner = Array.from(own.matchAll(/[([]([^)\]]+)/g), ([, text = ""]) => text);
  return [
    { text: plain, factor: 1 },
    ...parts.map((text, i) => ({ text, factor: i === 0 ? 0.95 : 0.8 })),
    ...inner.map((text) => ({ text, factor: 0.7 })),
  ];
}

/** The words of a text, joined and parted as the index has them. */
function knownWords(text: string, { entriesOf }: TitleIndex): string[] {
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

function queryWord(
  candidates: ReadonlyMap<string, number>,
  { index, text, unknown }: { index: TitleIndex; text: string; unknown: number },
): QueryWord {
  const known = Math.max(0, ...Array.from(candidates.keys(), (word) => index.weightOf(word)));
  const weight = known > 0 ? known * weightOfWord(text) : unknown * weightOfWord(text);
  return { candidates, weight: index.entriesOf.has(text) ? index.weightOf(text) : weight };
}

/** The word itself; its relatives; or, if the index has neither, words that differ by a slip. */
function fitting(text: string, index: TitleIndex): [string, number][] {
  const found: [string, number][] = [];
  if (index.entriesOf.has(text)) found.push([text, 1]);
  for (const word of index.relativesOf.get(rootOfWord(text)) ?? []) {
    if (word !== text) found.push([word, 0.82]);
  }
  if (index.entriesOf.has(text)) return found;
  for (const word of index.entriesOf.keys()) if (isSlip(text, word)) found.push([word, 0.8]);
  return found;
}

/** Each word with the best of its fits. */
function bestOf(fits: readonly (readonly [string, number])[]): Map<string, number> {
  const best = new Map<string, number>();
  for (const [word, fit] of fits) best.set(word, Math.max(fit, best.get(word) ?? 0));
  return best;
}

/** Words that begin with what is typed. The fewer letters are missing, the better. */
function startingWith(text: string, { entriesOf }: TitleIndex, best = 1): [string, number][] {
  return Array.from(entriesOf.keys())
    .filter((word) => word.startsWith(text))
    .map((word) => [word, best * (0.5 + (0.5 * text.length) / word.length)]);
}

/** Lets the last two words together begin one: "child ca" for childcare. */
function addJoined(texts: readonly string[], words: QueryWord[], index: TitleIndex): void {
  if (texts.length < 2) return;
  const found = startingWith(texts.slice(-2).join(""), index);
  if (found.length === 0) return;
  for (let i = words.length - 2; i < words.length; i++) {
    const { candidates, weight } = words[i]!;
    words[i] = { weight, candidates: new Map([...candidates, ...found]) };
  }
}

/** All occupations that have a word of the query, each by its best title or synonym. */
function rank(query: Query, index: TitleIndex): OccupationMatch[] {
  const places = new Set<number>();
  for (const { candidates } of query.words) {
    for (const word of candidates.keys()) {
      for (const place of index.entriesOf.get(word) ?? []) places.add(place);
    }
  }
  const best = new Map<string, { score: number; entry: TitleEntry }>();
  for (const place of places) {
    const entry = index.entries[place]!;
    const score = scoreOf(query, entry, index);
    const known = best.get(entry.code);
    if (known === undefined || score > known.score) best.set(entry.code, { score, entry });
  }
  return sorted(
    Array.from(best.values(), ({ score, entry: { code, synonym } }) => ({
      code,
      title: OCCUPATIONS[occupationIndex(code)]!.title,
      score,
      ...(synonym !== undefined && { via: synonym }),
    })),
  );
}

/**
 * How well an entry fits a query: the share of the query that it explains, less for what it says
 * besides, less if it is about another kind of person.
 *
 *     score = explained * (1 - coverage + coverage * covered) * head
 */
function scoreOf(query: Query, entry: TitleEntry, index: TitleIndex): number {
  let [explained, all, headFactor] = [0, 0, 1];
  const covered = new Map<string, number>();
  for (const [i, { candidates, weight }] of query.words.entries()) {
    let [quality, matched] = [0, ""];
    for (const word of entry.words) {
      const fit = candidates.get(word) ?? 0;
      if (fit > quality) [quality, matched] = [fit, word];
    }
    all += weight;
    explained += weight * quality;
    if (quality > 0) covered.set(matched, Math.max(quality, covered.get(matched) ?? 0));
    if (i === query.head) {
      const isHead = entry.head === undefined || entry.head === matched;
      if (quality === 0) {
        const isKnown = Array.from(candidates.keys()).some((word) => index.heads.has(word));
        headFactor = isKnown ? 0.6 : 0.9;
      } else if (!isHead) headFactor = 0.85;
    }
  }
  let coveredWeight = 0;
  for (const [word, quality] of covered) {
    coveredWeight += (quality >= WHOLE ? 1 : quality) * index.weightOf(word);
  }
  const share = entry.weight === 0 ? 1 : coveredWeight / entry.weight;
  return (explained / all) * (1 - query.coverage + query.coverage * share) * headFactor;
}

function sorted(matches: readonly OccupationMatch[]): OccupationMatch[] {
  return matches.toSorted(
    (a, b) => b.score - a.score || occupationIndex(a.code) - occupationIndex(b.code),
  );
}
