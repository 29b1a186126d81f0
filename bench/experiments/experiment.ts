import type { OpenedAdapter } from "../../cli/platform/dawn.ts";

/** How an experiment is run. */
export interface ExperimentOptions {
  /** Smaller sizes and fewer rounds. */
  readonly quick: boolean;
  /** Beside other engines, where the experiment knows any. */
  readonly peers: boolean;
  /** Adapter, commit and date in one line. */
  readonly subtitle: string;
}

/** What an experiment found: figures, and how they look. */
export interface ExperimentResult {
  readonly body: object;
  readonly markdown: string;
  /** SVG files by their ending: `svg`, or such as `tokens.svg` where there are several. */
  readonly images: Readonly<Record<string, string>>;
}

/** Answers one question by measuring. */
export type Experiment = (
  opened: OpenedAdapter,
  options: ExperimentOptions,
) => Promise<ExperimentResult>;
