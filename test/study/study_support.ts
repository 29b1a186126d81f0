import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { Progress } from "../../cli/run/progress.ts";
import type { StudyRequest } from "../../cli/study/run.ts";
import { silentProgress } from "../cli/run_support.ts";

/** Two populations and three models that need no device. */
export const COUNTS_STUDY = `
study: Counts of synthetic people
seed: 3
populations:
  A: { synthetic: survey, people: 60 }
  B: { synthetic: large, people: 50 }
evaluation: { test_people: 10, replications: 20, reference: kneser-ney }
models:
  - { name: empirical, family: empirical }
  - { name: kneser-ney, label: Kneser-Ney, family: empirical, smoothing: kneser-ney }
  - { name: pooled, family: empirical, smoothing: kneser-ney, train_on: all }
refits:
  resampled: { models: [kneser-ney], replicates: 2 }
  mixed: { models: [kneser-ney], shares: [0.5] }
ablations:
  shuffled: { models: [kneser-ney], fields: [[gender], [gender, ethnicity, region]] }
  history: { models: [kneser-ney], rows: [1, 3] }
  transfer: { models: [kneser-ney] }
claims:
  - { claim: smoothing helps, better: kneser-ney, worse: empirical }
`;

/** Writes a study's file and returns its path. */
export function writeStudyFile(folder: string, text: string, name = "study.yaml"): string {
  const file = join(folder, name);
  writeFileSync(file, text);
  return file;
}

/** A request to run a study without a word. */
export function requestOf(
  file: string,
  output: string,
  changes: Partial<StudyRequest> = {},
): StudyRequest {
  const { signal } = new AbortController();
  return { file, output, progress: silentProgress(), device: {}, signal, ...changes };
}

/** Progress whose lines can be read. */
export function recordedProgress(): { readonly progress: Progress; readonly lines: string[] } {
  const lines: string[] = [];
  return { progress: new Progress({ write: (text) => lines.push(text) }), lines };
}
