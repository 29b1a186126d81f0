import type { Wording } from "../../../data/wording.ts";
import type { WeightDType } from "../../../engine/pack.ts";

/** The model that the page loads by itself when it opens: the last one that was kept and loaded. */
export interface StartModel {
  readonly id: string;
  readonly dtype: WeightDType;
  readonly wording?: Partial<Wording>;
}

const KEY = "tenure.startModel";

/** Keeps in mind which model to begin with. Private windows may refuse: then nothing is remembered. */
export function rememberStart(model: StartModel): void {
  quietly(() => localStorage.setItem(KEY, JSON.stringify(model)));
}

/** Begins without a model. @param id Only if it is this one. */
export function forgetStart(id?: string): void {
  quietly(() => {
    if (id === undefined || rememberedStart()?.id === id) localStorage.removeItem(KEY);
  });
}

/** The model to begin with, if it is still told and well-formed. */
export function rememberedStart(): StartModel | undefined {
  return quietly(() => {
    const value: unknown = JSON.parse(localStorage.getItem(KEY) ?? "null");
    const isModel =
      typeof value === "object" &&
      value !== null &&
      "id" in value &&
      typeof value.id === "string" &&
      "dtype" in value &&
      typeof value.dtype === "string";
    return isModel ? (value as StartModel) : undefined;
  });
}

function quietly<T>(task: () => T): T | undefined {
  try {
    return task();
  } catch {
    return undefined;
  }
}
