/**
 * What is measured: one list for tests, benchmarks and the web page. Nothing here knows Node.
 *
 * @module
 */
import { adamWCases } from "./adam_w_cases.ts";
import { attentionCases } from "./attention_cases.ts";
import { crossEntropyCases } from "./cross_entropy_cases.ts";
import { decodeAttentionCases } from "./decode_attention_cases.ts";
import { elementwiseCases } from "./elementwise_cases.ts";
import { embeddingCases } from "./embedding_cases.ts";
import type { KernelCase, Scale } from "./kernel_case.ts";
import { matmulCases } from "./matmul_cases.ts";
import { normCases } from "./norm_cases.ts";
import { samplingCases } from "./sampling_cases.ts";

export * from "./ceilings.ts";
export type { KernelCase, Scale } from "./kernel_case.ts";
export * from "./measure_case.ts";
export * from "./models.ts";
export { planCase, prepareCase } from "./run_case.ts";

/** Every case at a scale, group by group. */
export function kernelCases(scale: Scale): KernelCase[] {
  return [
    matmulCases,
    attentionCases,
    decodeAttentionCases,
    normCases,
    elementwiseCases,
    embeddingCases,
    crossEntropyCases,
    adamWCases,
    samplingCases,
  ].flatMap((casesOf) => casesOf(scale));
}
