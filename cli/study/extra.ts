import type { OpenedModel, OpenTask } from "./family.ts";
import type { ExtraStep } from "./plan.ts";
import type { Extras } from "./results.ts";

/** Measures what takes more than scores. */
export async function measureExtra(
  step: ExtraStep,
  _opened: OpenedModel,
  _task: OpenTask<unknown> & { readonly seed: number },
): Promise<Extras> {
  throw new Error(`Cannot measure ${step.kind} yet`);
}
