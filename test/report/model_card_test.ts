import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { parse } from "yaml";
import { modelCard, type ModelCardInput } from "../../cli/report/model_card.ts";
import { anyText, sampleCard } from "./report_support.ts";

function frontMatter(card: ModelCardInput): Record<string, unknown> {
  const [, yaml = ""] = /^---\n([\s\S]*?\n)---\n/.exec(modelCard(card)) ?? [];
  return parse(yaml) as Record<string, unknown>;
}

test("a card's front matter is YAML that the hub reads, with figures and errors", () => {
  assert.deepEqual(frontMatter(sampleCard), {
    language: ["en"],
    license: "other",
    license_name: "to-be-filled-in",
    library_name: "tenure",
    pipeline_tag: "text-generation",
    base_model: "HuggingFaceTB/SmolLM2-135M",
    tags: ["occupation", "career", "labor-economics", "synthetic-data"],
    "model-index": [
      {
        name: "Language model, fine-tuned",
        results: [
          {
            task: { type: "other", name: "Next occupation" },
            dataset: { type: "other", name: "NLSY97" },
            metrics: [
              {
                type: "perplexity",
                name: "Perplexity",
                value: 6.35,
                args: { standard_error: 0.101 },
              },
            ],
          },
        ],
      },
    ],
  });
});

test("a card says who was learned from, how it was judged, and what it is not for", () => {
  const text = modelCard(sampleCard);
  const headings = [...text.matchAll(/^## (.*)$/gm)].map(([, title]) => title);
  assert.deepEqual(headings, [
    "Training",
    "Evaluation",
    "Intended use",
    "Limits",
    "Privacy",
    "License",
  ]);
  assert.match(
    text,
    /^\| Pretraining \| Synthetic careers \(synthetic\) \| 20,000 \| 400,000 \|$/m,
  );
  assert.match(text, /^\| Fine-tuning \| NLSY97 \| 6,288 \| 104,043 \|$/m);
  assert.match(text, /^\| NLSY97 \| Perplexity \| 6\.350 \(0\.101\) \|$/m);
  assert.match(text, /^- It was fine-tuned for one epoch\.$/m);
  assert.match(text, /answers of real people \(NLSY97\)/);
  assert.match(text, /To be filled in by whoever publishes this model/);
});

test("a card of synthetic careers alone says that nobody's data are in it", () => {
  const [pretraining] = sampleCard.training;
  const { base: _, ...rest } = { ...sampleCard, training: [pretraining!], isLanguageModel: false };
  const text = modelCard(rest);
  assert.match(text, /nobody's data are in it/);
  assert.match(text, /there is no base model/);
  assert.doesNotMatch(text, /pipeline_tag|base_model|real people/);
});

test("cards of any text keep their front matter and their headings", () => {
  fc.assert(
    fc.property(anyText, (any) => {
      const card: ModelCardInput = {
        ...sampleCard,
        name: any,
        description: any,
        base: any,
        limits: [any],
        settings: [[any, any]],
        training: [{ ...sampleCard.training[1]!, name: any, population: any }],
        evaluation: {
          text: any,
          results: [{ population: any, metric: any, value: { value: NaN, error: 1 } }],
        },
      };
      assert.equal(frontMatter(card)["library_name"], "tenure");
      assert.equal(frontMatter(card)["model-index"], undefined);
      const [, ...body] = modelCard(card).split(/^---$/m).slice(1);
      assert.equal(body.join("").match(/^##? /gm)!.length, 7);
      assert.doesNotMatch(body.join(""), /<[a-z!/]/i);
    }),
  );
});

test("a card's id is checked", () => {
  assert.throws(() => modelCard({ ...sampleCard, id: "../x" }), /Cannot name a model card: its id/);
});
