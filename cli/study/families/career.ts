import { CareerModel } from "../../../model/career/career_model.ts";
import { readCareerModel } from "../../../model/career/checkpoint.ts";
import { CareerOccupationModel } from "../../../model/career/occupation_model.ts";
import { folderFiles, withPath } from "../../platform/file_source.ts";
import { openDevice } from "../../run/device.ts";
import type { Family, OpenedModel, OpenTask } from "../family.ts";
import { fitCareer } from "./career_fit.ts";
import { CAREER_SCHEMA, careerFolderOf, type CareerSpec } from "./career_spec.ts";
import { countedPerson } from "./empirical.ts";

/** CAREER: new models, and such that go on from one fitted on other people. */
export const careerFamily: Family<typeof CAREER_SCHEMA> = {
  name: "career",
  schema: CAREER_SCHEMA,
  canPretrain: true,
  fit: fitCareer,
  open: openCareer,
};

async function openCareer(task: OpenTask<CareerSpec>): Promise<OpenedModel> {
  const path = careerFolderOf(task);
  const parts = await withPath(path, () => readCareerModel(folderFiles(path)));
  const { gpu } = await openDevice("auto", task.device);
  try {
    const model = new CareerModel(gpu, parts);
    return {
      model: new CareerOccupationModel(gpu, model, { name: task.name }),
      person: countedPerson,
      close: () => gpu.destroy(),
    };
  } catch (error) {
    gpu.destroy();
    throw error;
  }
}
