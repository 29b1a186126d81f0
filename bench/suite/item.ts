import type { Gpu } from "../../engine/gpu.ts";
import type { Scale, Thoroughness } from "../cases/mod.ts";
import type { BenchRow, LimitMs } from "../report/row.ts";

/** What is there to measure with. */
export interface BenchContext {
  readonly gpu: Gpu;
  readonly scale: Scale;
  readonly isQuick: boolean;
  readonly effort: Thoroughness;
  /** The adapter's own limit, where it was measured. */
  readonly limitMs: LimitMs;
  /** Whether a row was asked for. */
  readonly wants: (id: string) => boolean;
}

/** Some rows that are measured together, since they share what is costly to make. */
export interface BenchItem {
  readonly ids: readonly string[];
  /** Measures the rows that the context wants. */
  readonly run: (context: BenchContext) => Promise<readonly BenchRow[]>;
}
