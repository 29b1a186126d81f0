import type { Career } from "../../../data/career.ts";
import { OCCUPATIONS, occupationIndex } from "../../../data/occupations.ts";
import type { Prediction } from "../../engine/api.ts";
import { el, replace } from "../dom.ts";
import { percent } from "../shell/words.ts";
import { barChart, stayMoveBar } from "./bars.ts";
import { button } from "./controls.ts";
import { ranked, uncertainty, type Share } from "./distribution.ts";
import { searchView } from "./search_view.ts";

/** Bars before all are asked for. */
const FEW = 10;

/** The next occupations as bars and as a table, stay against move, and one occupation looked up. */
export function nextView() {
  let prediction: Prediction | undefined;
  let isAll = false;
  const summary = el("p", { class: "summary", role: "status" });
  const stay = el("div", {});
  const chart = el("div", {});
  const table = el("table", { class: "figures" });
  const figures = el(
    "details",
    { ontoggle: () => drawTable() },
    el("summary", {}, "The same figures as a table"),
    table,
  );
  const search = searchView();
  const all = button("", () => {
    isAll = !isAll;
    draw();
  });

  let [rows, caption]: [readonly Share[], string] = [[], ""];
  // Hundreds of rows that nobody sees would hold up the page.
  const drawTable = () => {
    if (figures.open) replace(table, ...tableRows(rows, caption));
  };
  const draw = () => {
    if (prediction === undefined) return;
    const { probabilities, year, last } = prediction;
    const shares = ranked(probabilities);
    rows = isAll ? shares : shares.slice(0, FEW);
    caption = isAll ? `All occupations in ${year}` : `The ten likeliest occupations in ${year}`;
    replace(chart, barChart({ shares: rows, last, label: caption }));
    drawTable();
    all.textContent = isAll ? "Show the ten likeliest" : `Show all ${OCCUPATIONS.length}`;
    all.setAttribute("aria-pressed", String(isAll));
    search.show(shares);
  };
  const show = (now: Prediction, career: Career | undefined) => {
    prediction = now;
    summary.textContent = summaryOf(now, career);
    replace(
      stay,
      now.stay !== undefined && now.last !== undefined && stayMoveBar(now.stay, titleOf(now.last)),
    );
    draw();
  };
  const element = el(
    "div",
    { class: "next-view" },
    summary,
    stay,
    chart,
    el("p", { class: "chart-actions" }, all),
    figures,
    search.element,
  );
  return { element, show };
}

/** What is likeliest, how sure that is, and, where the year is told, what really was. */
function summaryOf(prediction: Prediction, career: Career | undefined): string {
  const { probabilities, year, education } = prediction;
  const [first] = ranked(probabilities);
  const told = career?.observations.find((observation) => observation.year === year);
  const really =
    told === undefined
      ? ""
      : ` You entered “${titleOf(told.occupation)}” for ${year}, which has ` +
        `${percent(probabilities[occupationIndex(told.occupation)] ?? 0)}.`;
  return (
    `In ${year}, with “${education}” as education, “${first!.title}” is likeliest ` +
    `(${percent(first!.probability)}). ${uncertainty(probabilities)}${really}`
  );
}

function tableRows(shares: readonly Share[], caption: string): HTMLElement[] {
  const head = ["Rank", "Occupation", "Code", "Probability"];
  return [
    el("caption", {}, caption),
    el("thead", {}, el("tr", {}, ...head.map((text) => el("th", { scope: "col" }, text)))),
    el(
      "tbody",
      {},
      ...shares.map(({ code, title, probability }, i) =>
        el(
          "tr",
          {},
          el("td", { class: "amount" }, String(i + 1)),
          el("th", { scope: "row" }, title),
          el("td", {}, code),
          el("td", { class: "amount" }, percent(probability)),
        ),
      ),
    ),
  ];
}

function titleOf(code: string): string {
  return OCCUPATIONS[occupationIndex(code)]!.title;
}
