import type { FormatResult, PeerResult } from "./generation.ts";

const HEAD = ["weights", "MB", "load ms", "cold ms", "first 64", "prefill 64", "256"].concat([
  "decode",
  "batch 8",
  "submit",
  "wait",
  "host",
  "quality",
]);
const UNITS = ["", "", "", "1st token", "ms", "tokens/s", "", "tokens/s", "tokens/s"].concat([
  "ms/token",
  "",
  "",
  "",
]);

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

/** Prints rows below their heads. */
export function printTable(rows: readonly (readonly string[])[]): void {
  const lines = [HEAD, UNITS, ...rows];
  const widths = HEAD.map((_, i) => Math.max(...lines.map((line) => line[i]!.length)));
  for (const line of lines) {
    const cells = line.map((cell, i) =>
      i === 0 || i === HEAD.length - 1 ? cell.padEnd(widths[i]!) : cell.padStart(widths[i]!),
    );
    process.stdout.write(`  ${cells.join("  ").trimEnd()}\n`);
  }
}
