import type { OpenedAdapter } from "../../cli/platform/dawn.ts";
import type { Gpu } from "../../engine/gpu.ts";
import type { MeasuredRoofline } from "../../engine/profile/roofline.ts";
import type { Scale } from "../cases/mod.ts";
import type { BenchRow } from "../report/row.ts";

/** What sections share, and what earlier ones leave for later ones. */
export interface CheckContext {
  /** Opened with Dawn's checks on, to find what is wrong. */
  readonly safe: OpenedDevice;
  /** Opened with `--fast`, to be measured. */
  readonly fast: OpenedDevice;
  readonly scale: Scale;
  /** Tells the person who waits how far it has come. */
  readonly say: (line: string) => void;
  /** The adapter's ceilings, once they are measured. */
  roofline?: MeasuredRoofline;
  /** Everything that was measured so far. */
  readonly rows: BenchRow[];
}

/** An adapter and its open device. */
export interface OpenedDevice {
  readonly opened: OpenedAdapter;
  readonly gpu: Gpu;
}

/** What a section found. */
export interface Finding {
  /** What goes into the file. */
  readonly body: object;
  /** A few lines for people. */
  readonly lines: readonly string[];
  /** What is wrong; none if all is well. */
  readonly failures?: readonly string[];
}

/** A part of the check. A failure of one does not keep the others from running. */
export interface Section {
  readonly name: string;
  /**
   * Time that it may take, in seconds, besides what earlier sections left; the longest parts look at
   * it as they go.
   */
  readonly budgetS: number;
  readonly run: (context: CheckContext, deadline: number) => Promise<Finding>;
}
