/**
 * `npm run gpu:check`: everything worth knowing of this machine's GPU, in under eight minutes.
 *
 *     npm run gpu:check [-- --output FILE.json] [-- --only tuner,kernels]
 *
 * Checks every kernel against float64, lets the tuner hold every variant that the adapter offers
 * against the default and keep the fastest, measures the adapter's ceilings, and then kernels,
 * training and decoding as shares of these; beside PyTorch, where it is. Sections keep to a time
 * that adds up, and leave to later ones what they do not need. The file is written after every
 * section, so that what was found is kept whatever happens. On a software adapter it runs to the end
 * as well, with smaller shapes.
 */
import { parseArgs } from "node:util";
import { openAdapter } from "../cli/platform/dawn.ts";
import { formatDuration, Progress } from "../cli/run/progress.ts";
import { Gpu } from "../engine/gpu.ts";
import { measureRoofline } from "../engine/profile/roofline.ts";
import { attempt } from "./gpu_check/attempt.ts";
import { isLargeProduct } from "./gpu_check/beside_torch.ts";
import { checkKernels } from "./gpu_check/correctness.ts";
import { decodingItems } from "./gpu_check/decoding.ts";
import { measureItems } from "./gpu_check/measured.ts";
import type { CheckContext, Finding, OpenedDevice, Section } from "./gpu_check/section.ts";
import { measureTorch } from "./gpu_check/torch.ts";
import { tuneKernels } from "./gpu_check/tuning.ts";
import { formatNumber } from "./report/format.ts";
import { writeResult } from "./result_file.ts";
import type { BenchItem } from "./suite/item.ts";
import { kernelItems } from "./suite/kernel_items.ts";
import { trainItems } from "./suite/train_items.ts";

const SECTIONS: readonly Section[] = [
  { name: "correctness", budgetS: 80, run: checkKernels },
  { name: "roofline", budgetS: 20, run: roofline },
  { name: "tuner", budgetS: 110, run: tuneKernels },
  {
    name: "kernels",
    budgetS: 60,
    run: (context, deadline) =>
      measureItems(foremost(kernelItems(context.scale, true)), context, deadline),
  },
  {
    name: "training",
    budgetS: 70,
    run: (context, deadline) =>
      measureItems(trainItems(context.scale).toReversed(), context, deadline), // GPT-2 first
  },
  {
    name: "decoding",
    budgetS: 50,
    run: (context, deadline) =>
      measureItems(decodingItems(context.scale), context, deadline, (id) =>
        id.startsWith("decode"),
      ),
  },
  { name: "PyTorch", budgetS: 80, run: measureTorch },
];

/**
 * Time beyond a section's own before it is given up: a large model may be under way, or a kernel that
 * takes a software adapter long to compile.
 */
const GRACE_MS = { gpu: 60_000, software: 600_000 } as const;

const { values: flags } = parseArgs({
  options: { output: { type: "string" }, only: { type: "string" } },
});
const wanted = flags.only?.split(",");
const unknown = wanted?.find((name) => SECTIONS.every((section) => section.name !== name));
if (unknown !== undefined) {
  const names = SECTIONS.map(({ name }) => name).join(", ");
  process.stderr.write(`Cannot check the GPU: --only takes ${names}, got "${unknown}"\n`);
  process.exit(2);
}

const began = performance.now();
const progress = new Progress();
const safely = await openDevice(false);
const fastest = await openDevice(true);
const { opened } = fastest;
print(opened.line);
const shared: CheckContext = {
  safe: safely,
  fast: fastest,
  scale: opened.kind === "gpu" ? "full" : "small",
  say: (line) => progress.update(() => `  ${line}`),
  rows: [],
};
const body: Record<string, object> = { traits: fastest.gpu.traits, limits: limitsOf(fastest.gpu) };
const failures: string[] = [];
let file = "";
let deadline = performance.now();
for (const { name, budgetS, run } of SECTIONS) {
  if (wanted !== undefined && !wanted.includes(name)) continue;
  const begin = performance.now();
  print(`\n${name}`);
  deadline += 1000 * budgetS;
  const graceMs = GRACE_MS[opened.kind === "gpu" ? "gpu" : "software"];
  const found = await attempt(() => run(shared, deadline), { deadline, graceMs });
  const seconds = (performance.now() - begin) / 1000;
  body[name] = { seconds, ...found.body };
  for (const line of found.lines) print(`  ${line}`);
  for (const failure of found.failures ?? []) print(`  FAILED ${failure}`);
  failures.push(...(found.failures ?? []));
  const { toggles } = opened;
  file = writeResult({
    opened,
    toggles,
    body: { ...body, failures },
    output: flags.output ?? defaultOutput(),
  });
  if (found.hangs) break;
}
print(
  `\n${failures.length} failures in ${formatDuration(performance.now() - began)}; wrote ${file}`,
);
process.exit(failures.length > 0 ? 1 : 0);

async function openDevice(isFast: boolean): Promise<OpenedDevice> {
  const found = await openAdapter({ fast: isFast });
  return { opened: found, gpu: await Gpu.open(found.adapter) };
}

async function roofline(context: CheckContext): Promise<Finding> {
  const { fast, scale } = context;
  const measured = await measureRoofline(fast.gpu, { scale: scale === "small" ? 0.1 : 1 });
  context.roofline = measured;
  const { runs: _, ...ceilings } = measured;
  const lines = Object.entries(ceilings).map(([kind, value]) =>
    typeof value === "number" ? `${kind} ${formatNumber(value / 1e9)} G/s` : kind,
  );
  return { body: measured, lines };
}

/** The products that libraries are compared on, then the others. */
function foremost(items: readonly BenchItem[]): BenchItem[] {
  const [first, others] = [true, false].map((is) =>
    items.filter(({ ids }) => ids.some(isLargeProduct) === is),
  );
  return [...first!, ...others!];
}

/** `<adapter>-<date>.json`, with the GPU's architecture where there is one. */
function defaultOutput(): string {
  const { vendor, architecture, description } = opened.adapter.info;
  const name = opened.kind === "gpu" ? description || `${vendor} ${architecture}` : opened.kind;
  const stem = name
    .toLowerCase()
    .replace(/[^a-z0-9]+/g, "-")
    .replace(/^-|-$/g, "");
  return `bench/results/check-${stem.slice(0, 40)}-${new Date().toISOString().slice(0, 10)}.json`;
}

function limitsOf({ device: { limits } }: Gpu): Record<string, number> {
  const named: Record<string, number> = {};
  for (const name in limits) {
    const value = limits[name as keyof GPUSupportedLimits];
    if (typeof value === "number") named[name] = value;
  }
  return named;
}

function print(text: string): void {
  progress.clear();
  process.stdout.write(`${text}\n`);
}
