import { KINDS } from "../../../model/occupation/metrics.ts";
import { perplexityMeasure } from "../../../model/evaluation/measures.ts";
import { standardErrorOf } from "../../../model/evaluation/resampling.ts";
import type { Section } from "../../report/document.ts";
import type { Analysis } from "./analysis.ts";
import { judgeClaims, type JudgedClaim, type Verdict } from "./claims.ts";
import { columnsOf, inWords, sectionOf, tableOf } from "./section.ts";

const VERDICTS: readonly Verdict[] = ["holds", "does not hold", "undecided", "not measured"];

/** Which claims hold, in words and numbers. */
export function claimsSection(analysis: Analysis): Section | undefined {
  const judged = judgeClaims(analysis, analysis.options.claims);
  const claims = [...new Set(judged.map(({ spec }) => spec.claim))];
  return sectionOf({
    id: "claims",
    title: "Claims",
    text: claims.map((claim) =>
      inSentences(
        analysis,
        claim,
        judged.filter(({ spec }) => spec.claim === claim),
      ),
    ),
    tables: [
      tableOf({
        id: "claims-summary",
        title: "Claims, and in how many comparisons they hold",
        columns: [{ label: "Claim" }, ...columnsOf(["Comparisons", ...VERDICTS.map(capital)], 0)],
        rows: claims.map((claim) => {
          const own = judged.filter(({ spec }) => spec.claim === claim);
          const counts = VERDICTS.map(
            (each) => own.filter(({ verdict }) => verdict === each).length,
          );
          return [claim, own.length, ...counts];
        }),
      }),
      comparisons(analysis, judged),
    ],
  });
}

/** Every comparison, with the kinds of observations that it comes from. */
function comparisons(analysis: Analysis, judged: readonly JudgedClaim[]) {
  const kinds = ["all", ...KINDS] as const;
  return tableOf({
    id: "claims",
    title: "Perplexity of the model said to be worse minus that of the one said to be better",
    columns: [
      { label: "Claim" },
      { label: "Population" },
      { label: "Better" },
      { label: "Worse" },
      ...columnsOf(kinds.map(capital)),
      { label: "Verdict" },
    ],
    rows: judged.map(({ spec, better, worse, verdict, evidence }) => [
      spec.claim,
      evidence?.population ?? spec.population ?? null,
      better,
      worse,
      ...kinds.map((kind) =>
        evidence
          ? analysis.differenceCell(evidence.worse, evidence.better, perplexityMeasure({ kind }))
          : null,
      ),
      verdict,
    ]),
    note: `${analysis.errorNote} Judged by all observations and by the logarithm of perplexity: undecided where its difference is less than 1.96 standard errors.`,
  });
}

function inSentences(analysis: Analysis, claim: string, judged: readonly JudgedClaim[]): string {
  const verdicts = new Set(judged.map(({ verdict }) => verdict));
  const [first] = verdicts;
  const overall = verdicts.size === 1 ? first! : "differs by comparison";
  const details = judged.map((each) => inSentence(analysis, each));
  return `“${claim}”: ${overall}. ${details.join(" ")}`;
}

function inSentence(
  analysis: Analysis,
  { spec, better, worse, verdict, evidence }: JudgedClaim,
): string {
  if (!evidence) {
    const where = spec.population === undefined ? "" : ` of ${spec.population}`;
    return `Not measured: no people${where} were asked about with both ${better} and ${worse}.`;
  }
  const { difference, loss, population } = evidence;
  const perplexity = perplexityMeasure();
  const own = analysis.figure(evidence.better, perplexity).value;
  const other = analysis.figure(evidence.worse, perplexity).value;
  const error = standardErrorOf(difference);
  const { value } = difference;
  const direction = value >= 0 ? "below" : "above";
  const nats = `${inWords(Math.abs(loss.value))} nats (s.e. ${inWords(standardErrorOf(loss))}) a person-year`;
  const doubt = verdict === "undecided" ? ", less than 1.96 standard errors" : "";
  return (
    `${capital(verdict)} on ${population}: ${better} has perplexity ${inWords(own)}, ` +
    `${inWords(Math.abs(value))} (s.e. ${inWords(error)}) ${direction} the ${inWords(other)} of ${worse}: ${nats}${doubt}.`
  );
}

function capital(text: string): string {
  return text.slice(0, 1).toUpperCase() + text.slice(1);
}
