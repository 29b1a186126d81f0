import assert from "node:assert/strict";
import { after, test } from "node:test";
import { bytesSource } from "../../model/checkpoint/byte_source.ts";
import { encodeSafetensors, type FloatTensor } from "../../model/checkpoint/safetensors.ts";
import { CareerModel, careerWeightShapes } from "../../model/career/career_model.ts";
import { careerFiles, readCareerModel } from "../../model/career/checkpoint.ts";
import { CareerOccupationModel } from "../../model/career/occupation_model.ts";
import { careerFromBase, type CareerParts } from "../../model/career/transfer.ts";
import { covariatesOf } from "../../model/career/covariates.ts";
import { openGpu } from "../support.ts";
import { peopleOf, TINY_CAREER, tinyCareer, vocabularyOf } from "./career_support.ts";

const gpu = await openGpu();
after(() => gpu.destroy());

const PEOPLE = peopleOf([5, 1, 3, 7, 2]);
const VOCABULARY = vocabularyOf(PEOPLE);

async function partsOf(model: CareerModel): Promise<CareerParts> {
  const values = new Map<string, Float32Array<ArrayBuffer>>();
  for (const parameter of model.parameters) {
    values.set(parameter.label, await gpu.read(parameter));
  }
  return { config: model.config, vocabulary: model.vocabulary, values };
}

type Files = Map<string, Uint8Array<ArrayBuffer>>;

async function written(parts: CareerParts): Promise<Files> {
  const files: Files = new Map();
  for (const { name, chunks } of careerFiles(parts)) {
    for await (const chunk of chunks) files.set(name, chunk);
  }
  return files;
}

function read(files: Files): Promise<CareerParts> {
  return readCareerModel({
    name: "folder",
    open(name) {
      const bytes = files.get(name);
      return Promise.resolve(bytes && bytesSource(bytes, name));
    },
  });
}

const PARTS = await partsOf(tinyCareer(gpu, VOCABULARY));

test("a model comes back from its files as it was, covariates included", async () => {
  assert.deepEqual(await read(await written(PARTS)), PARTS);
  const model = new CareerModel(gpu, await read(await written(PARTS)));
  assert.deepEqual(await partsOf(model), PARTS);
  model.destroy();
});

test("files that are missing, of another model or tampered with are refused by name", async () => {
  const refuse = async (
    change: (files: Files, config: Record<string, unknown>) => void,
    error: { name: string; message: string | RegExp },
  ) => {
    const files = await written(PARTS);
    const text = new TextDecoder().decode(files.get("config.json"));
    const config = JSON.parse(text) as Record<string, unknown>;
    change(files, config);
    if (files.has("config.json")) {
      files.set("config.json", new TextEncoder().encode(JSON.stringify(config)));
    }
    await assert.rejects(read(files), error);
  };
  await refuse((files) => files.delete("config.json"), {
    name: "SyntaxError",
    message:
      'Cannot read a CAREER model from "folder": there must be a file "config.json", got none; name the folder of a model that was fitted',
  });
  await refuse((_, config) => (config["model_type"] = "llama"), {
    name: "SyntaxError",
    message: /model_type must be "tenure-career", got "llama"/,
  });
  await refuse((_, config) => (config["numBlocks"] = 0), {
    name: "SyntaxError",
    message: /numBlocks must be an integer from 1/,
  });
  await refuse((_, config) => (config["birthYear"] = false), {
    name: "SyntaxError",
    message: /covariates must list year, education, gender, ethnicity, region, each with its/,
  });
  await refuse((_, config) => (config["covariates"] = [{ name: "year", values: [2, 1] }]), {
    name: "SyntaxError",
    message: /covariates must list/,
  });
  await refuse((_, config) => (config["dHidden"] = 13), {
    name: "RangeError",
    message:
      'Cannot read "model.safetensors": tensor "model.layers.0.mlp.up_proj.weight" must have shape [13, 8], got [12, 8]; the file must be of the model that config.json describes',
  });
  await refuse((_, config) => (config["numBlocks"] = 1), {
    name: "RangeError",
    message: /its tensors must be the model's \d+, got "model.layers.1.*" too/,
  });
  const weights = new Map<string, FloatTensor>();
  for (const { label, shape } of careerWeightShapes(TINY_CAREER, VOCABULARY)) {
    if (label !== "lm_head.weight") weights.set(label, { shape, values: PARTS.values.get(label)! });
  }
  await refuse((files) => files.set("model.safetensors", encodeSafetensors(weights)), {
    name: "RangeError",
    message: /tensor "lm_head.weight" must have shape \[8, 8\], got none/,
  });
});

test("a model that goes on from another begins with what that one thinks of anybody", async () => {
  const others = peopleOf([4, 16, 9], 3).map((person, which) => ({
    ...person,
    career: { ...person.career, ethnicity: "asian", birthYear: 1950 + 30 * which },
  }));
  const own = covariatesOf(
    others.map(({ career }) => career),
    TINY_CAREER,
  );
  const grown = careerFromBase(PARTS, own, TINY_CAREER);
  assert.ok(grown.vocabulary.some(({ values }) => values.includes("asian")));
  assert.ok(grown.vocabulary.some(({ values }) => values.includes(2010)));
  const scores = [];
  for (const parts of [PARTS, grown]) {
    const model = new CareerModel(gpu, parts);
    const asked = new CareerOccupationModel(gpu, model);
    for await (const { normalized } of asked.score([...PEOPLE, ...others])) scores.push(normalized);
    await asked.destroy();
    model.destroy();
  }
  assert.deepEqual(scores.slice(0, 8), scores.slice(8));
});

test("a base of other sizes or other covariates is refused", () => {
  const wider = { ...TINY_CAREER, dHidden: 24 };
  assert.throws(() => careerFromBase(PARTS, VOCABULARY, wider), {
    name: "RangeError",
    message:
      "Cannot go on from a CAREER model: dHidden must be the base's, 12, got 24; choose the same sizes for both",
  });
  assert.throws(() => careerFromBase(PARTS, VOCABULARY.slice(0, -1), TINY_CAREER), {
    name: "RangeError",
    message:
      /covariates must be those of the base, year, education, gender, ethnicity, region, birthYear, got year/,
  });
});
