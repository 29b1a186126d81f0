import { paperAdapter } from "../../cli/platform/paper_adapter.ts";
import { questionsAsked, questionsOf, type TuningSizes } from "../../cli/run/tuning_questions.ts";
import { Gpu } from "../../engine/gpu.ts";
import type { Choice } from "../../engine/tuning/tunable.ts";
import { tune, type TuningResult } from "../../engine/tuning/tune.ts";
import {
  CAREER,
  GPT2_124M,
  kernelCases,
  planCase,
  type Scale,
  SMOLLM2_135M,
} from "../cases/mod.ts";
import { isLargeProduct } from "./beside_torch.ts";
import type { CheckContext, Finding, OpenedDevice } from "./section.ts";

/** How a rejected candidate tells that its result is wrong, in the words of `tune()`. */
const WRONG = /^results differ/;

/**
 * Tunes what training and decoding ask, what takes the most arithmetic first, and keeps the choices
 * for later sections. A candidate whose result differs from the default's is a failure.
 */
export async function tuneKernels(
  { fast, scale, say }: CheckContext,
  deadline: number,
): Promise<Finding> {
  const failures: string[] = [];
  const { results, skipped } = await tune(fast.gpu, await allQuestions(fast, scale), {
    rounds: 3,
    minMs: 3,
    budgetMs: deadline - performance.now(),
    onResult: (result) => {
      say(lineOf(result));
      for (const { choice, rejected } of result.candidates) {
        if (rejected === undefined || !WRONG.test(rejected)) continue;
        failures.push(`${result.key} ${JSON.stringify(choice)}: ${rejected}`);
      }
    },
  });
  fast.gpu.choices = new Map(results.map(({ key, choice }): [string, Choice] => [key, choice]));
  const changed = results.filter(({ isDefault }) => !isDefault);
  return {
    body: {
      results: results.map((result) => {
        const { question: _, ...told } = result;
        return told;
      }),
      skipped: Object.fromEntries(skipped),
    },
    lines: [
      `${results.length} shapes tuned, ${changed.length} of them away from the default, ${skipped.size} skipped`,
      ...changed.map(lineOf),
    ],
    failures,
  };
}

/** What the large products, first of all, and models ask on such a device. */
async function allQuestions({ opened, gpu }: OpenedDevice, scale: Scale) {
  const { variant, traits } = gpu;
  const openPaperGpu = () => Gpu.open(paperAdapter(opened.adapter), { variant });
  const paper = await openPaperGpu();
  const products = kernelCases(scale).filter(
    ({ id, needsFloat16 }) => isLargeProduct(id) && (traits.hasFloat16 || !needsFloat16),
  );
  const asked = questionsAsked(paper, () => {
    for (const product of products) planCase(paper, product);
  }).map(({ question }) => question);
  for (const sizes of sizesOf(scale, gpu.traits.hasFloat16)) {
    asked.push(...(await questionsOf(openPaperGpu, sizes)).map(({ question }) => question));
  }
  return asked;
}

function sizesOf(scale: Scale, hasFloat16: boolean): TuningSizes[] {
  if (scale === "small") {
    const { config } = CAREER;
    return [{ config, numRows: 1, seqLen: 32, dtype: "f32", phases: ["train", "decode"] }];
  }
  const dtypes = hasFloat16 ? (["f16", "f32"] as const) : (["f32"] as const);
  return [
    ...dtypes.map((dtype): TuningSizes => {
      return { config: GPT2_124M.config, numRows: 4, seqLen: 1024, dtype, phases: ["train"] };
    }),
    { config: SMOLLM2_135M.config, numRows: 1, seqLen: 512, dtype: "f16", phases: ["decode"] },
  ];
}

function lineOf({ key, ms, defaultMs, choice, isDefault }: TuningResult): string {
  const gain = defaultMs === undefined ? "" : ` ${(defaultMs / ms).toFixed(2)} times the default,`;
  return `${key}: ${ms.toPrecision(3)} ms${isDefault ? ", the default" : `,${gain} ${JSON.stringify(choice)}`}`;
}
