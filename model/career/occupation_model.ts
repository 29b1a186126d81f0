import type { Gpu } from "../../engine/gpu.ts";
import { twoStageDistribution, twoStageLoss } from "../../engine/ops/two_stage.ts";
import { Plan, submitAndRead } from "../../engine/plan.ts";
import { Tape } from "../../engine/tape.ts";
import type { Tensor } from "../../engine/tensor.ts";
import type {
  OccupationModel,
  OccupationQuestion,
  Person,
  Score,
} from "../occupation/occupation_model.ts";
import type { CareerModel } from "./career_model.ts";
import { CareerInputs } from "./inputs.ts";
import { type CareerBatch, packPeople } from "./pack.ts";
import { personYears, type PersonYears } from "./person_years.ts";

/** Options of {@linkcode CareerOccupationModel}. */
export interface CareerOccupationOptions {
  /** Names the model in tables. @default {"CAREER"} */
  readonly name?: string;
  /** Person-years of a forward pass, padding included. @default {1024} */
  readonly batchSize?: number;
}

/** People that are packed together; their scores come out in order. */
const PEOPLE_AT_A_TIME = 512;

/** Rows are as long as the longest career, rounded up to so many years: few plans serve all. */
const ROW_STEP = 32;

/** What a forward pass is for: a score of every place, or a distribution. */
type Output = "statistics" | "probabilities";

/** A compiled forward pass over batches of one size. */
interface Pass {
  readonly inputs: CareerInputs;
  readonly plan: Plan;
  readonly output: Tensor;
}

/**
 * A {@linkcode CareerModel} as an occupation model: people side by side in rows, so that a pass
 * scores all of their years.
 */
export class CareerOccupationModel implements OccupationModel {
  readonly name: string;
  readonly #gpu: Gpu;
  readonly #model: CareerModel;
  readonly #batchSize: number;
  readonly #passes = new Map<string, Promise<Pass>>();

  constructor(
    gpu: Gpu,
    model: CareerModel,
    { name = "CAREER", batchSize = 1024 }: CareerOccupationOptions = {},
  ) {
    this.name = name;
    this.#gpu = gpu;
    this.#model = model;
    this.#batchSize = batchSize;
  }

  /** Size of the occupation vocabulary. */
  get numOccupations(): number {
    return this.#model.config.numOccupations;
  }

  /**
   * As {@linkcode OccupationModel.score}.
   *
   * @throws {RangeError} If a career is too long for the model, or an occupation is unknown.
   */
  async *score(people: readonly Person[]): AsyncGenerator<Score, void> {
    for (let begin = 0; begin < people.length; begin += PEOPLE_AT_A_TIME) {
      const some = people.slice(begin, begin + PEOPLE_AT_A_TIME);
      const encoded = some.map((person) => this.#encode(person));
      const scores: Score[] = [];
      await this.#each(encoded, "statistics", (person, statistics) => {
        scores[person] = scoreOf(statistics);
      });
      yield* scores;
    }
  }

  /** As {@linkcode OccupationModel.distribution}. */
  async distribution(person: Person, index: number): Promise<Float64Array> {
    const [answer] = await this.distributions([{ person, index }]);
    return answer!;
  }

  /** As {@linkcode OccupationModel.distributions}. */
  async distributions(questions: readonly OccupationQuestion[]): Promise<Float64Array[]> {
    const { numOccupations } = this;
    const answers: Float64Array[] = [];
    for (let begin = 0; begin < questions.length; begin += PEOPLE_AT_A_TIME) {
      const some = questions.slice(begin, begin + PEOPLE_AT_A_TIME);
      const encoded = some.map((question) => this.#encode(upTo(question)));
      await this.#each(encoded, "probabilities", (which, rows) => {
        answers[begin + which] = Float64Array.from(rows.subarray(-numOccupations));
      });
    }
    return answers;
  }

  /** Frees the memory of plans; the weights stay. */
  async destroy(): Promise<void> {
    const passes = await Promise.all(this.#passes.values());
    this.#passes.clear();
    for (const { inputs, plan } of passes) {
      inputs.destroy();
      plan.destroy();
    }
  }

  #encode(person: Person): PersonYears {
    return personYears(person, this.#model.vocabulary, this.#model.config);
  }

  /** Hands over the rows of the output that are each person's. */
  async #each(
    people: readonly PersonYears[],
    output: Output,
    take: (person: number, rows: Float32Array) => void,
  ): Promise<void> {
    const longest = people.reduce((most, { targets }) => Math.max(most, targets.length), 1);
    const seqLen = Math.ceil(longest / ROW_STEP) * ROW_STEP;
    const numRows = Math.max(1, Math.floor(this.#batchSize / seqLen));
    for (const { batch, places } of packPeople(people, { numRows, seqLen })) {
      const values = await this.#run(batch, output);
      const width = values.length / (numRows * seqLen);
      for (const { person, begin } of places) {
        const end = begin + people[person]!.targets.length;
        take(person, values.subarray(begin * width, end * width));
      }
    }
  }

  async #run(batch: CareerBatch, output: Output): Promise<Float32Array> {
    const key = `${output} of [${batch.numRows}, ${batch.seqLen}]`;
    let pass = this.#passes.get(key);
    if (pass === undefined) this.#passes.set(key, (pass = this.#record(batch, output)));
    const { inputs, plan, output: tensor } = await pass;
    inputs.write(batch);
    const [values] = await submitAndRead(this.#gpu, [plan], [plan.source(tensor)]);
    return values!;
  }

  async #record(sizes: CareerBatch, output: Output): Promise<Pass> {
    const gpu = this.#gpu;
    const inputs = new CareerInputs(gpu, this.#model, sizes);
    const tape = new Tape(gpu);
    const logits = this.#model.logits(tape, inputs, { training: false });
    const previous = inputs.tokens.ids;
    const { targets, weights } = inputs;
    const rank = output === "statistics";
    const { statistics } = twoStageLoss(tape, { logits, previous, targets, weights }, { rank });
    const kept = rank ? statistics : twoStageDistribution(tape, { logits, previous, statistics });
    const plan = await new Plan(gpu, tape, { keep: [kept] }).compile();
    return { inputs, plan, output: kept };
  }
}

/** A person's years up to the one that is asked about, whose occupation is not read. */
function upTo({ person, index }: OccupationQuestion): Person {
  const { career, occupations } = person;
  if (!Number.isInteger(index) || index < 0 || index >= occupations.length) {
    throw new RangeError(
      `Cannot predict career "${career.id}": the observation must be an integer in [0, ${occupations.length}), got ${index}`,
    );
  }
  const observations = career.observations.slice(0, index + 1);
  return {
    career: { ...career, observations },
    occupations: [...occupations.slice(0, index), 0],
  };
}

/** A person's rows of statistics, `[numObservations, 4]`, as a score. */
function scoreOf(statistics: Float32Array): Score {
  const length = statistics.length / 4;
  const normalized = new Float64Array(length);
  const stay = new Float64Array(length);
  const rank = new Uint16Array(length);
  for (let i = 0; i < length; i++) {
    [normalized[i], stay[i], rank[i]] = [
      statistics[4 * i + 1]!,
      i === 0 ? NaN : statistics[4 * i + 2]!,
      statistics[4 * i + 3]!,
    ];
  }
  return { raw: normalized, normalized, stay, rank };
}
