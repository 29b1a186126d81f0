import { headOf, type TitleIndex, titleIndex } from "./title_index.ts";
import {
  fitting,
  kindred,
  knownWords,
  matchOf,
  type OccupationMatch,
  queryWord,
  type QueryWord,
  rank,
  sorted,
  startingWith,
} from "./title_query.ts";
import { plainWords, weightOfWord } from "./title_words.ts";

export type { OccupationMatch } from "./title_query.ts";

/** Options of {@linkcode suggestOccupations}. */
export interface SuggestOptions {
  /** Most suggestions. @default {8} */
  readonly limit?: number;
}

/** Longest text that is looked at, in UTF-16 units; titles are shorter. */
const MAX_LENGTH = 200;

/** Most matches of a free text. */
const MAX_MATCHES = 8;

/** Below it, a match of free text is more often wrong than right. */
const LEAST_SCORE = 0.4;

/** Below it, a suggestion has little to do with what was typed. */
const LEAST_SUGGESTION = 0.35;

/** What a word weighs that the index does not know, such as the name of an employer. */
const UNKNOWN_WEIGHT = { typed: 4, free: 1.2 };

/** What an entry loses for words that the text does not have. */
const COVERAGE = { typed: 0.35, free: 0.45 };

/** Words that weigh less tell rank, hours or contract only. */
const FAINT = 0.35;

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
    const beginnings = isLast
      ? isOpen
        ? [...startingWith(text, index), ...startingJoined(texts, index)]
        : []
      : [
          ...(text.length >= 3 ? startingWith(text, index, 0.8) : []),
          ...(isOpen && i === texts.length - 2 ? startingJoined(texts, index) : []),
        ];
    const fits = [...fitting(text, index), ...beginnings];
    return queryWord(text, fits, { index, unknown: UNKNOWN_WEIGHT.typed });
  });
  const matches = rank({ words, head: -1, coverage: COVERAGE.typed, isTyped: true }, index);
  const likely = matches.filter(({ score }) => score >= LEAST_SUGGESTION);
  return exactFirst(query, likely, index).slice(0, limit);
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
  const text = freeText.slice(0, MAX_LENGTH);
  for (const segment of segments(text)) {
    for (const match of matchSegment(segment, index)) {
      const score = match.score * segment.factor;
      if (score > (best.get(match.code)?.score ?? 0)) best.set(match.code, { ...match, score });
    }
  }
  const likely = sorted([...best.values()].filter(({ score }) => score >= LEAST_SCORE));
  return exactFirst(text, likely, index).slice(0, MAX_MATCHES);
}

/** A part of a title: its text, the piece of it that says what somebody is, and how much it counts. */
interface Segment {
  readonly text: string;
  readonly main: string;
  readonly factor: number;
}

/** The parts of a title that may each name a job: the whole, then what separators part, the first most. */
function segments(freeText: string): Segment[] {
  const own = freeText.replace(/(?<=^|\s)(?:@|at(?=\s+\p{Lu})).*$/su, "");
  const plain = own.replaceAll(/\([^)]*\)?|\[[^\]]*\]?/g, " ");
  const parts = plain
    .split(/\s[-–—|•·:]+\s|[,;/|•·:–—]|\s(?:&|and|\+)\s/)
    .map((part) => part.trim())
    .filter((part) => part !== "");
  const inner = Array.from(own.matchAll(/[([]([^)\]]+)/g), ([, text = ""]) => text);
  const main = parts[0] ?? "";
  return [
    { text: plain, main, factor: 1 },
    { text: own, main, factor: 1 },
    ...parts.map((text, i) => ({ text, main: text, factor: i === 0 ? 0.95 : 0.75 })),
    ...inner.map((text) => ({ text, main: text, factor: 0.7 })),
  ];
}

/** Nothing for words that tell rank or hours only, unless they are a title: "Principal". */
function matchSegment({ text, main }: Segment, index: TitleIndex): OccupationMatch[] {
  const exact = index.entryOf.get(plainWords(text).join(" "));
  const texts = knownWords(text, index);
  if (texts.every((word) => word.length < 2 || weightOfWord(word) <= FAINT)) {
    return exact === undefined ? [] : [matchOf(exact, 1)];
  }
  const words = texts.map((word) =>
    queryWord(word, [...fitting(word, index), ...kindred(word)], {
      index,
      unknown: UNKNOWN_WEIGHT.free,
    }),
  );
  const head = texts.indexOf(headOf(texts, main) ?? "");
  return rank({ words, head, coverage: COVERAGE.free, isTyped: false }, index);
}

/** Puts the occupation first whose title or synonym a text is. */
function exactFirst(
  text: string,
  matches: readonly OccupationMatch[],
  index: TitleIndex,
): OccupationMatch[] {
  const exact = index.entryOf.get(plainWords(text).join(" "));
  if (exact === undefined) return [...matches];
  return [matchOf(exact, 1), ...matches.filter(({ code }) => code !== exact.code)];
}

/** Words that the last two words together begin: "child ca" begins childcare. */
function startingJoined(texts: readonly string[], index: TitleIndex): [string, number][] {
  return texts.length < 2 ? [] : startingWith(texts.slice(-2).join(""), index);
}
