import type { FormatResult, PeerResult } from "./generation.ts";
import { table } from "./report/markdown.ts";

const HEAD = [
  "weights",
  "MB",
  "load ms",
  "cold 1st token ms",
  "64 tokens ms",
  "prefill 64 tokens/s",
  "prefill 256 tokens/s",
  "decode tokens/s",
  "8 rows tokens/s",
  "submit ms/token",
  "wait ms/token",
  "host ms/token",
  "quality",
];

const rate = (tokensPerSecond: number | undefined): string => tokensPerSecond?.toFixed(0) ?? "-";

/** A line of the table for a format of weights. */
export function formatRow(name: string, result: FormatResult): readonly string[] {
  const { msPerToken: split, prefillTokensPerSecond: prefill, klToF32 } = result;
  const quality =
    klToF32 === undefined
      ? `perplexity ${result.perplexity!.toFixed(4)}`
      : `KL to f32 ${klToF32.toExponential(1)}`;
  return [
    name,
    (result.weightBytes / 1e6).toFixed(2),
    result.loadMs.toFixed(0),
    result.coldFirstTokenMs.toFixed(0),
    result.firstTokenMs["64"]!.toFixed(1),
    rate(prefill["64"]),
    rate(prefill["256"]),
    rate(result.decodeTokensPerSecond),
    rate(result.batchTokensPerSecond),
    ...[split.submit, split.wait, split.host].map((ms) => ms.toFixed(2)),
    quality,
  ];
}

/** A line of the table for a peer. */
export function peerRow(name: string, result: PeerResult): readonly string[] {
  const { loadMs, prefillTokensPerSecond: prefill, decodeTokensPerSecond } = result;
  const prefills = [prefill?.["64"], prefill?.["256"]].map(rate);
  const unknown = Array.from({ length: 5 }, () => "-");
  const begin = [name, "-", loadMs.toFixed(0), "-", "-"];
  return [...begin, ...prefills, rate(decodeTokensPerSecond), ...unknown];
}

/** Rows below their heads. */
export function generationTable(rows: readonly (readonly string[])[]): string {
  return table(HEAD, rows);
}
