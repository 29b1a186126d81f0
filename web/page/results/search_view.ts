import { OCCUPATIONS } from "../../../data/occupations.ts";
import { choiceOf, suggestChoices } from "../career/choices.ts";
import { Combobox } from "../career/combobox.ts";
import { titlesReady } from "../career/prepare_titles.ts";
import { el } from "../dom.ts";
import { percent } from "../shell/words.ts";
import { rankOf, type Share } from "./distribution.ts";

/** Asks for one occupation, and says how likely it is. */
export function searchView() {
  let code: string | undefined;
  let shares: readonly Share[] = [];
  const answer = el("p", { class: "search-answer", role: "status" });
  const tell = () => {
    const share = shares.find((each) => each.code === code);
    answer.textContent = share === undefined ? "" : likelihood(share, rankOf(shares, share.code));
  };
  const box = new Combobox({
    label: "Occupation to look up",
    placeholder: "nurse, carpenter, …",
    suggest: (text) => suggestChoices(text),
    wait: titlesReady,
    onPick: (picked) => {
      code = picked;
      box.show(choiceOf(picked));
      tell();
    },
  });
  const element = el(
    "div",
    { class: "search" },
    el("div", { class: "field" }, el("span", { class: "label" }, "How likely is…"), box.element),
    answer,
  );
  const show = (now: readonly Share[]) => {
    shares = now;
    tell();
  };
  return { element, show };
}

/** `"Registered nurses: 1.2%, the 7th likeliest of 335."` */
export function likelihood({ title, probability }: Share, rank: number): string {
  const place = rank === 1 ? "the likeliest" : `the ${ordinal(rank)} likeliest`;
  return `${title}: ${percent(probability)}, ${place} of ${OCCUPATIONS.length}.`;
}

/** `"1st"`, `"12th"`, `"23rd"`. */
export function ordinal(n: number): string {
  const isTeen = n % 100 > 10 && n % 100 < 14;
  const ending = isTeen ? "th" : (["th", "st", "nd", "rd"][n % 10] ?? "th");
  return `${n}${ending}`;
}
