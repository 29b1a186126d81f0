/**
 * `npm run bench`: measures this machine's adapter; see docs/benchmarks.md.
 *
 * Prints tables and writes `bench/results/bench-<adapter>-<date>.json`, with `.md` and `.svg`.
 */
import { argv, exit, stderr, stdout } from "node:process";
import { openAdapter } from "../cli/platform/dawn.ts";
import { EXPERIMENTS } from "./experiments/mod.ts";
import { type BenchOptions, parseOptions, USAGE } from "./options.ts";
import { readResult } from "./read_result.ts";
import { rowsSvg } from "./report/bar_chart.ts";
import { type Comparable, comparisonMarkdown } from "./report/compare.ts";
import { rowsMarkdown } from "./report/markdown.ts";
import { originLine } from "./report/provenance.ts";
import { provenanceOf, writeResult } from "./result_file.ts";
import type { SideBySide } from "./side_by_side.ts";
import { runSuite } from "./suite/suite.ts";

try {
  exit(await main(parseOptions(argv.slice(2))));
} catch (error) {
  stderr.write(`${error instanceof Error ? error.message : String(error)}\n`);
  exit(1);
}

/** Does what was asked for; returns the exit code. */
async function main(options: BenchOptions): Promise<number> {
  const { help, compare, experiment } = options;
  if (help) {
    print(USAGE.replace("EXPERIMENTS", Object.keys(EXPERIMENTS).join(", ")));
    return 0;
  }
  const [before, after] = compare.map(readResult);
  if (before !== undefined && after !== undefined) {
    print(comparisonMarkdown(before, after));
    return 0;
  }
  return experiment === undefined ? suite(options, before) : runExperiment(experiment, options);
}

async function suite(options: BenchOptions, before: Comparable | undefined): Promise<number> {
  const { quick, peers, only, scale, output, tuning, fast } = options;
  const opened = await openAdapter({ fast });
  stderr.write(`${opened.line}\n`);
  const { features, ...found } = await runSuite(opened, {
    isQuick: quick,
    ...(only !== undefined && { only }),
    ...(scale !== undefined && { scale }),
    ...(tuning !== undefined && { tuning }),
  });
  const beside = peers ? await besidePeers(options) : undefined;
  const provenance = provenanceOf({ opened, features });
  const body = { ...found, ...(beside && { sideBySide: beside.sideBySide }) };
  const subtitle = originLine(provenance);
  const missing = found.failures.map(({ message }) => `- ${message}\n`).join("");
  const markdown = `# Benchmarks\n\n${subtitle}\n\n${rowsMarkdown(found.rows)}${missing && `\n## missing\n\n${missing}`}${beside?.markdown ?? ""}`;
  const file = writeResult({
    prefix: quick ? "quick-" : "bench-",
    opened,
    features,
    body,
    ...(output !== undefined && { output }),
    beside: { md: markdown, svg: rowsSvg(found.rows, { title: "Benchmarks", subtitle }) },
  });
  print(markdown);
  if (before !== undefined) {
    // What was not to be measured is not gone.
    const ids = new Set([...found.rows, ...found.failures].map(({ id }) => id));
    const isWhole = !quick && only === undefined;
    const rows = before.rows.filter(({ id }) => isWhole || ids.has(id));
    print(comparisonMarkdown({ ...before, rows }, { ...provenance, ...body }));
  }
  stderr.write(`wrote ${file}, with .md and .svg beside it\n`);
  return found.failures.length === 0 ? 0 : 1;
}

async function runExperiment(name: string, options: BenchOptions): Promise<number> {
  const experiment = EXPERIMENTS[name];
  if (experiment === undefined) {
    const known = Object.keys(EXPERIMENTS).join(", ");
    throw new RangeError(`Cannot run an experiment: it must be one of ${known}, got "${name}"`);
  }
  const opened = await openAdapter({ fast: options.fast });
  stderr.write(`${opened.line}\n`);
  const subtitle = originLine(provenanceOf({ opened }));
  const { body, markdown, images } = await experiment(opened, { ...options, subtitle });
  const file = writeResult({
    prefix: `${name}-`,
    opened,
    body,
    ...(options.output !== undefined && { output: options.output }),
    beside: { md: markdown, ...images },
  });
  print(markdown);
  stderr.write(`wrote ${file}, with .md and .svg beside it\n`);
  return 0;
}

/** The same work in other engines; loaded only then. */
async function besidePeers({
  quick,
  only,
}: BenchOptions): Promise<{ readonly sideBySide: SideBySide; readonly markdown: string }> {
  const { sideBySide, sideBySideLines } = await import("./side_by_side.ts");
  const found = await sideBySide({ ...(quick && { rounds: 1 }), ...(only && { only }) });
  const markdown = `\n## side by side\n\n\`\`\`text\n${sideBySideLines(found).join("\n").trimStart()}\n\`\`\`\n`;
  return { sideBySide: found, markdown };
}

function print(text: string): void {
  stdout.write(`${text}\n`);
}
