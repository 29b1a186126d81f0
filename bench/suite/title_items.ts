import { rowOf } from "../report/row.ts";
import { measureTitleScoring } from "../title_scoring.ts";
import { WrongResultError } from "../cases/mod.ts";
import type { BenchItem } from "./item.ts";

/** Largest difference of a log-probability between one pass and a pass for each title. */
const TOLERANCE = 1e-3;

/** One by one takes seconds a round. */
const MOST_ROUNDS = 5;

const ONE_PASS = "titles f32 one pass";
const ONE_BY_ONE = "titles f32 one by one";

/** The distribution over all titles after a prompt: in one pass over their tree, and one by one. */
export function titleItems(isQuick: boolean): BenchItem[] {
  const ids = isQuick ? [ONE_PASS] : [ONE_PASS, ONE_BY_ONE];
  return [
    {
      ids,
      run: async ({ gpu, effort, wants }) => {
        const found = await measureTitleScoring(gpu, {
          rounds: Math.min(MOST_ROUNDS, effort.rounds),
          onePassOnly: !ids.slice(1).some(wants),
        });
        if (!(found.error <= TOLERANCE)) {
          throw new WrongResultError(
            `Cannot trust titles: both ways must agree within ${TOLERANCE}, got ${found.error}`,
          );
        }
        const error = found.error / TOLERANCE;
        const shape = `${found.treeNodes} nodes after ${found.promptTokens} tokens`;
        const about = { group: "titles", shape, dtype: "f32", error } as const;
        const times = { [ONE_PASS]: found.onePassRounds, [ONE_BY_ONE]: found.oneByOneRounds };
        return Object.entries(times)
          .filter(([id, rounds]) => rounds.length > 0 && wants(id))
          .map(([id, rounds]) => rowOf({ ...about, id }, { rounds, clock: "wall" }));
      },
    },
  ];
}
