import { generationExperiment } from "../generation.ts";
import { curvesExperiment } from "./curves.ts";
import type { Experiment } from "./experiment.ts";
import { overheadExperiment } from "./overhead.ts";
import { planMemoryExperiment } from "./plan_memory.ts";

/** Experiments by the names that `--experiment` takes. */
export const EXPERIMENTS: Readonly<Record<string, Experiment>> = {
  curves: curvesExperiment,
  overhead: overheadExperiment,
  "plan-memory": planMemoryExperiment,
  generation: generationExperiment,
};
