import { OCCUPATIONS } from "../occupations.ts";
import { readSynonyms } from "./synonyms.ts";
import { plainWords, rootOfWord, titleWords, weightOfWord } from "./title_words.ts";

/** A way to call an occupation: its title, or a synonym. */
export interface TitleEntry {
  readonly code: string;
  /** The synonym; absent for the title itself. */
  readonly synonym?: string;
  /** Words as they are compared, none twice. */
  readonly words: readonly string[];
  /** The word that says what somebody is: `"engineer"` of "software engineer"; none in titles. */
  readonly head?: string;
  /** Sum of the weights of its words. */
  readonly weight: number;
  /** Whether it counts only for what is typed: a title with what it says to leave out. */
  readonly isLong: boolean;
}

/** All titles and synonyms, found by their words. */
export interface TitleIndex {
  readonly entries: readonly TitleEntry[];
  /** Places in `entries` of each word. */
  readonly entriesOf: ReadonlyMap<string, readonly number[]>;
  /** Words with the same root. */
  readonly relativesOf: ReadonlyMap<string, readonly string[]>;
  /** Words that a person can be: engineer, nurse. */
  readonly heads: ReadonlySet<string>;
  /** Entries by their whole text in plain words; titles before synonyms. */
  readonly entryOf: ReadonlyMap<string, TitleEntry>;
  /** The rarer a word among occupations, the more it says; words of rank and hours say little. */
  weightOf(word: string): number;
}

/** Titles and synonyms in a piece of building. */
const PIECE = 32;

/** The index of the vocabulary, as far as it is built. */
const building = buildIndex();
let built: TitleIndex | undefined;

/** The index of the vocabulary, built, or finished, when it is first asked for. */
export function titleIndex(): TitleIndex {
  indexTitles(() => true);
  return built!;
}

/**
 * Builds the index of the vocabulary a piece at a time, few milliseconds long at most, so that a
 * page stays responsive; the next call goes on where this one ended.
 *
 * @param mayGoOn Asked after each piece.
 * @returns Whether the index is ready.
 */
export function indexTitles(mayGoOn: () => boolean): boolean {
  while (built === undefined) {
    const { done, value } = building.next();
    if (done === true) built = value;
    else if (!mayGoOn()) return false;
  }
  return true;
}

/**
 * Joins words that are written apart where the index knows them as one: child care, sales person.
 *
 * @param isWord Whether the index knows a word.
 */
export function joinWords(words: readonly string[], isWord: (word: string) => boolean): string[] {
  const joined: string[] = [];
  for (let i = 0; i < words.length; i++) {
    const pair = words[i]! + (words[i + 1] ?? "");
    if (i + 1 < words.length && pair.length >= 7 && isWord(pair)) {
      joined.push(pair);
      i++;
    } else {
      joined.push(words[i]!);
    }
  }
  return joined;
}

/** The word before "of", "in", "for", or the last: what somebody is rather than where. */
export function headOf(words: readonly string[], text: string): string | undefined {
  const beginning = titleWords(text.split(/\s(?:of|in|for|to|at|with|on)\s/i)[0] ?? "");
  const own = beginning.filter((word) => weightOfWord(word) > 0.35);
  const last = own.at(-1) ?? beginning.at(-1);
  if (last === undefined) return words.at(-1);
  return words.find((word) => word === last) ?? words.find((word) => word.endsWith(last));
}

/** Stops after each piece of the work. */
function* buildIndex(): Generator<undefined, TitleIndex, void> {
  const synonyms = readSynonyms();
  yield;
  const raw = yield* eachOf(
    [...titleTexts(), ...synonyms.map((entry) => ({ ...entry, isLong: false }))],
    (entry) => ({ ...entry, words: titleWords(entry.text) }),
  );
  const vocabulary = new Set(raw.flatMap(({ words }) => words));
  const codesOf = new Map<string, Set<string>>();
  const joined = yield* eachOf(raw, (entry) => {
    const words = [...new Set(joinWords(entry.words, (word) => vocabulary.has(word)))];
    for (const word of words) codesOf.set(word, (codesOf.get(word) ?? new Set()).add(entry.code));
    return { ...entry, words };
  });
  const weights = new Map(
    Array.from(codesOf, ([word, { size }]) => [
      word,
      weightOfWord(word) * Math.log(1 + OCCUPATIONS.length / size),
    ]),
  );
  const weightOf = (word: string): number => weights.get(word) ?? 0;
  const entries = yield* eachOf(joined, ({ code, words, text, isLong }, i): TitleEntry => {
    const isTitle = i < joined.length - synonyms.length;
    const head = isTitle ? undefined : headOf(words, text);
    return {
      code,
      ...(!isTitle && { synonym: text }),
      isLong,
      words,
      ...(head !== undefined && { head }),
      weight: words.reduce((sum, word) => sum + weightOf(word), 0),
    };
  });
  const entryOf = new Map<string, TitleEntry>();
  yield* eachOf(joined, ({ text }, i) => {
    const plain = plainWords(text).join(" ");
    if (!entryOf.has(plain)) entryOf.set(plain, entries[i]!);
  });
  return { entries, weightOf, entryOf, ...(yield* lookups(entries)) };
}

/** Does something with each item, and stops now and then. */
function* eachOf<T, U>(
  items: readonly T[],
  work: (item: T, index: number) => U,
): Generator<undefined, U[], void> {
  const results: U[] = [];
  for (const [i, item] of items.entries()) {
    results.push(work(item, i));
    if (i % PIECE === 0) yield;
  }
  return results;
}

/**
 * The titles of the vocabulary, those that say what they leave out twice: with it, and without.
 * Code 999, which is no occupation, has none.
 */
function* titleTexts(): Generator<{ code: string; text: string; isLong: boolean }> {
  for (const { code, title } of OCCUPATIONS) {
    if (code === "999") continue;
    const text = title.replace(/,? (?:except|excl|exluding|apart|outside)\b.*/, "");
    yield { code, text, isLong: false };
    if (text !== title) yield { code, text: title, isLong: true };
  }
}

function* lookups(
  entries: readonly TitleEntry[],
): Generator<undefined, Pick<TitleIndex, "entriesOf" | "relativesOf" | "heads">, void> {
  const entriesOf = new Map<string, number[]>();
  const heads = new Set<string>();
  yield* eachOf(entries, ({ words, head }, i) => {
    if (head !== undefined) heads.add(head);
    for (const word of words) {
      const places = entriesOf.get(word);
      if (places === undefined) entriesOf.set(word, [i]);
      else places.push(i);
    }
  });
  const relativesOf = new Map<string, string[]>();
  yield* eachOf([...entriesOf.keys()], (word) => {
    const root = rootOfWord(word);
    relativesOf.set(root, [...(relativesOf.get(root) ?? []), word]);
  });
  return { entriesOf, relativesOf, heads };
}
