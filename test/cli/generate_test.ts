import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { existsSync, readFileSync, renameSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { after, test } from "node:test";
import { EXIT } from "../../cli/platform/errors.ts";
import { folderFiles } from "../../cli/platform/model_folder.ts";
import { generate, type GeneratedText, type GenerateRequest } from "../../cli/run/generate.ts";
import { chooseSampling } from "../../model/generate/choose_sampling.ts";
import { loadPretrained } from "../../model/pretrained/load_pretrained.ts";
import { SMALL, WEIGHTS } from "../pretrained/small_model.ts";
import { openGpu } from "../support.ts";
import { COMMAND, modelAt, STORIES, tenure, writeSmallModel } from "./model_support.ts";
import { temporaryFolder } from "./run_support.ts";

const folder = temporaryFolder();
const small = await writeSmallModel(join(folder, "small"));
const gpu = await openGpu();
after(() => gpu.destroy());
const model = await loadPretrained(folderFiles(small), { gpu });

const missing = existsSync(STORIES)
  ? false
  : "needs ../shared/fixtures/stories260K beside the repository, which is not there";

/** What of a request a test changes. */
type Changes = Partial<GenerateRequest> & Pick<GenerateRequest, "prompts">;

/** Generates without a word; gives the pieces of a single text, and all texts. */
async function run(changes: Changes) {
  const pieces: string[] = [];
  const results: GeneratedText[] = [];
  const statistics = await generate({
    ...modelAt(small),
    layout: { chat: false },
    sampling: {},
    maxNewTokens: 12,
    stop: [],
    ignoreEnd: true,
    onText: (text) => pieces.push(text),
    onResult: (result) => results.push(result),
    ...changes,
  });
  return { pieces, results, statistics };
}

/** What the library gives for the same. */
async function expected(prompt: string | Uint32Array, options = {}): Promise<string> {
  let text = "";
  const all = { maxNewTokens: 12, endTokens: [], ...options };
  for await (const piece of model.generate(prompt, all)) text += piece;
  return text;
}

test(
  "tenure generate goes on with the real small Llama to the last byte of the expected story",
  { skip: missing },
  () => {
    const flags = ["--max-new-tokens", "200", "--ignore-end"];
    const { status, stdout, stderr } = tenure(["generate", STORIES, "", ...flags]);
    assert.equal(status, EXIT.ok, stderr);
    const story = join(dirname(STORIES), "expected_stdout.txt");
    assert.equal(stdout, readFileSync(story, "utf8"));
    assert.match(stderr, /0\.260 M weights as f32, loaded in [\d.]+ s/);
    assert.match(stderr, /^greedy \(no generation settings in the model\); at most 200 new/m);
    assert.match(stderr, /^1 prompt token.* · 200 new tokens at [\d.e+]+ tokens\/s · first token/m);
  },
);

test("a single prompt comes piece by piece, and counts tokens and times", async () => {
  const { pieces, results, statistics } = await run({ prompts: { texts: ["the cook"] } });
  const text = await expected("the cook");
  assert.equal(pieces.join(""), text);
  assert.ok(pieces.length > 1);
  const [result] = results;
  assert.equal(result!.text, text);
  assert.deepEqual([result!.numTokens, result!.finish], [12, "length"]);
  assert.ok(result!.logProbability < 0);
  assert.equal(statistics.numPromptTokens, model.encode("the cook").length);
  assert.deepEqual([statistics.numTokens, statistics.numDecodedTokens], [12, 11]);
  for (const key of ["loadMs", "prefillMs", "decodeMs"] as const) assert.ok(statistics[key] > 0);
  const { firstTokenMs, compileMs, prefillMs } = statistics;
  assert.ok(Math.abs(firstTokenMs - compileMs - prefillMs) < 1e-6);
});

test("prompts of a file are generated in order, each as it would be alone", async () => {
  const texts = Array.from({ length: 10 }, (_, index) => `the ${"baker ".repeat(index % 3)}bakes`);
  const file = join(folder, "prompts.jsonl");
  const lines = texts.map((prompt, index) => JSON.stringify({ id: `p${index}`, prompt }));
  writeFileSync(file, `${lines.slice(0, 5).join("\n")}\n\n${lines.slice(5).join("\r\n")}`);
  const sampling = { temperature: 1, seed: 3 };
  const { pieces, results } = await run({ prompts: { file }, sampling });
  assert.deepEqual(pieces, [], "texts side by side cannot be streamed");
  assert.deepEqual(
    results.map(({ id }) => id),
    texts.map((_, index) => `p${index}`),
  );
  for (const [index, { text, number }] of results.entries()) {
    assert.equal(number, index + 1);
    const alone = await expected(texts[index]!, { temperature: 1, seed: 3 + index });
    assert.equal(text, alone, `prompt ${index}`);
  }
});

test("stop strings and end tokens end a text", async () => {
  const whole = await expected("the cook");
  const stop = whole.slice(4, 6);
  const stopped = await run({ prompts: { texts: ["the cook"] }, stop: [stop] });
  assert.equal(stopped.pieces.join(""), whole.slice(0, whole.indexOf(stop)));
  assert.equal(stopped.results[0]!.finish, "stop");
  const tokens: number[] = [];
  const all = { maxNewTokens: 12, endTokens: [] };
  for await (const { token } of model.generateBatch(["the cook"], all)) tokens.push(token);
  const ending = await writeSmallModel(join(folder, "ending"), {
    generation: { endTokens: [tokens[3]!] },
  });
  const prompts = { texts: ["the cook"] };
  const ended = await run({ ...modelAt(ending), prompts, ignoreEnd: false });
  assert.equal(ended.results[0]!.finish, "end");
  assert.equal(ended.results[0]!.numTokens, tokens.indexOf(tokens[3]!) + 1);
});

test("what the flags leave open, generation_config.json decides", async () => {
  const limited = await writeSmallModel(join(folder, "limited"), {
    generation: { endTokens: [0], maxNewTokens: 5, doSample: true, temperature: 0.5, topK: 3 },
  });
  const args = ["generate", limited, "the cook", "--ignore-end", "--seed", "4"];
  const { status, stdout, stderr } = tenure(args);
  assert.equal(status, EXIT.ok, stderr);
  const options = { temperature: 0.5, topK: 3, seed: 4, maxNewTokens: 5 };
  assert.equal(stdout, await expected("the cook", options));
  assert.match(
    stderr,
    /^drawn, temperature 0\.5, top-k 3, seed 4 \(the model's generation settings\); at most 5 new tokens$/m,
  );
});

test("flags go before the model's settings, and filters ask for a draw", () => {
  const doSample = { endTokens: [], doSample: true, temperature: 0.6, topP: 0.9 };
  const silent = { endTokens: [], temperature: 0.6, repetitionPenalty: 1.2 };
  const open = { topK: 0, topP: 1, minP: 0, seed: 0 };
  for (const [asked, generation, settings] of [
    [{}, undefined, { temperature: 0, seed: 0 }],
    [{}, silent, { temperature: 0, seed: 0, repetitionPenalty: 1.2 }],
    [{}, doSample, { ...open, temperature: 0.6, topK: 50, topP: 0.9 }],
    [{ temperature: 0 }, doSample, { temperature: 0, seed: 0 }],
    [{ topK: 0, topP: 0.5 }, doSample, { ...open, temperature: 0.6, topP: 0.5 }],
    [{ topP: 0.5 }, undefined, { ...open, temperature: 1, topP: 0.5 }],
    [
      { minP: 0.1, seed: 9 },
      silent,
      { ...open, temperature: 0.6, minP: 0.1, seed: 9, repetitionPenalty: 1.2 },
    ],
    [
      { temperature: 2, repetitionPenalty: 1 },
      silent,
      { ...open, temperature: 2, repetitionPenalty: 1 },
    ],
    [{ seed: 7 }, undefined, { temperature: 0, seed: 7 }],
    [{ topP: 0 }, undefined, { ...open, temperature: 1, topP: 2 ** -100 }],
  ] as const) {
    assert.deepEqual(chooseSampling(asked, generation).settings, settings, JSON.stringify(asked));
  }
});

const TEMPLATE =
  "{% for message in messages %}[{{ message.role }}] {{ message.content }} {% endfor %}{% if add_generation_prompt %}[assistant]{% endif %}";

test("--chat lays the prompt out by the template, whichever file it lies in", async () => {
  const laidOut = "[user] the cook [assistant]";
  const inJson = await writeSmallModel(join(folder, "chat"), {
    tokenizerConfig: { chat_template: [{ name: "default", template: TEMPLATE }] },
  });
  const prompts = { texts: ["the cook"] };
  const chat = { layout: { chat: true }, prompts };
  const tokens = model.tokenizer.encode(laidOut);
  const { results } = await run({ ...modelAt(inJson), ...chat });
  assert.equal(results[0]!.numPromptTokens, tokens.length);
  assert.equal(results[0]!.text, await expected(tokens));
  writeFileSync(join(inJson, "chat_template.jinja"), `[begin] ${TEMPLATE}`);
  const system = { layout: { chat: true, system: "be kind" }, prompts };
  const withSystem = await run({ ...modelAt(inJson), ...system });
  const all = model.tokenizer.encode(`[begin] [system] be kind ${laidOut}`);
  assert.equal(withSystem.results[0]!.text, await expected(all));
});

test("settings out of range are refused with exit code 2 before the weights are read", async () => {
  for (const [changes, message] of [
    [{ sampling: { temperature: -1 } }, /temperature must be 0 or lie in/],
    [{ sampling: { seed: 2 ** 53 - 1 }, prompts: { texts: ["a", "b"] } }, /seed must be/],
    [{ stop: [""] }, /Cannot stop at a string/],
    [{ maxNewTokens: 0 }, /maxNewTokens must be a positive integer, got 0$/],
  ] as const) {
    const prompts = { texts: ["the"] };
    await assert.rejects(run({ prompts, ...changes }), { exitCode: EXIT.usage, message });
  }
});

test("a cache that the device cannot bind is the device's fault: exit code 4", async () => {
  const wide = { ...SMALL, numBlocks: 1, maxSeqLen: 2 ** 24 };
  const path = await writeSmallModel(join(folder, "wide"), { config: wide });
  const changes = { ...modelAt(path), prompts: { texts: ["the"] }, maxNewTokens: 2 ** 30 };
  await assert.rejects(run(changes), {
    exitCode: EXIT.device,
    message: /^Cannot .*keys and values of 1 × \d+/,
  });
});

test("what cannot be gone on with is refused, naming the place and the remedy", async () => {
  const refused = async (changes: Changes, exitCode: number, message: RegExp) => {
    await assert.rejects(run(changes), { exitCode, message });
  };
  await refused(
    { prompts: { texts: ["a", ""] } },
    EXIT.data,
    /^Cannot go on with prompt 2: .*empty/,
  );
  const long = "cook ".repeat(SMALL.maxSeqLen);
  const file = join(folder, "long.txt");
  writeFileSync(file, `the cook\n\n${long}\n`);
  const room = new RegExp(`^Cannot go on with ${file}, line 3: .* context of 64 tokens, got \\d+`);
  await refused({ prompts: { file } }, EXIT.data, room);
  const bad = join(folder, "bad.jsonl");
  writeFileSync(bad, '{"prompt": "a"}\n{"prompt": 1}\n');
  const typed = /^Cannot read .*bad\.jsonl, line 2: prompt must be a string, got 1$/;
  await refused({ prompts: { file: bad } }, EXIT.data, typed);
  writeFileSync(bad, '{"promt": "a"}\n');
  await refused({ prompts: { file: bad } }, EXIT.data, /line 1: .* keys id, prompt, got "promt"$/);
  const chat = { prompts: { texts: ["a"] }, layout: { chat: true } };
  await refused(chat, EXIT.usage, /^Cannot chat: the model must have a chat template .* leave out/);
  const nowhere = { ...modelAt(join(folder, "none")), prompts: { texts: ["a"] } };
  await refused(nowhere, EXIT.checkpoint, /^Cannot read .*none"/);
  const empty = join(folder, "empty.txt");
  writeFileSync(empty, "");
  await refused({ prompts: { file: empty } }, EXIT.data, /at least one prompt/);
});

test("a model without a tokenizer takes one by --tokenizer, and says so where there is none", async () => {
  const bare = await writeSmallModel(join(folder, "bare"));
  const tokenizer = join(folder, "tokenizer.json");
  renameSync(join(bare, "tokenizer.json"), tokenizer);
  const prompts = { texts: ["the cook"] };
  const without = run({ ...modelAt(bare), prompts });
  const message = /^Cannot use ".*bare": it must have a tokenizer, got none; .* --tokenizer/;
  await assert.rejects(without, { exitCode: EXIT.checkpoint, message });
  const { results } = await run({ ...modelAt(bare), tokenizer, prompts });
  assert.equal(results[0]!.text, await expected("the cook"));
  const narrow = await writeSmallModel(join(folder, "narrow"), {
    config: { ...SMALL, vocabSize: SMALL.vocabSize - 1 },
    weights: (label: string) => {
      const values = WEIGHTS.get(label)!;
      return Promise.resolve(label.includes("embed") ? values.slice(SMALL.dModel) : values);
    },
    tokenizer: undefined,
  } as object);
  const misfit = run({ ...modelAt(narrow), tokenizer, prompts });
  await assert.rejects(misfit, {
    exitCode: EXIT.checkpoint,
    message: /tokenizer\.json".* vocabSize/,
  });
});

test("a prompt on a pipe is generated; several on the command line come as blocks or JSON", async () => {
  const flags = ["--max-new-tokens", "12", "--ignore-end"];
  const piped = tenure(["generate", small, ...flags], "the cook\n");
  assert.equal(piped.stdout, await expected("the cook"), piped.stderr);
  const blocks = tenure(["generate", small, "the cook", "baker", ...flags]);
  assert.equal(
    blocks.stdout,
    `=== 1: "the cook" · 12 tokens · length\n${await expected("the cook")}\n\n` +
      `=== 2: "baker" · 12 tokens · length\n${await expected("baker")}\n\n`,
  );
  const json = tenure(["generate", small, "the cook", "--json", "--stop", "zzz", ...flags]);
  const { logProbability, ...object } = JSON.parse(json.stdout) as GeneratedText;
  assert.ok(logProbability < 0);
  assert.deepEqual(object, {
    prompt: "the cook",
    text: await expected("the cook"),
    finish: "length",
    numPromptTokens: model.encode("the cook").length,
    numTokens: 12,
  });
});

test("impossible combinations of flags exit with 2 before anything is loaded", () => {
  for (const [args, line] of [
    [["a", "--prompts", "b.txt"], /either prompts or --prompts, got both$/m],
    [["a", "--system", "b"], /--system must come with --chat/],
  ] as const) {
    const { status, stderr } = tenure(["generate", small, ...args]);
    assert.match(stderr, line);
    assert.equal(status, EXIT.usage);
    assert.doesNotMatch(stderr, /loaded/);
  }
});

for (const [signal, exitCode] of [
  ["SIGINT", 130],
  ["SIGTERM", 143],
] as const) {
  test(`${signal} ends a text where it is, with what it took so far and exit code ${exitCode}`, async () => {
    const endless = await writeSmallModel(join(folder, `endless_${exitCode}`), {
      config: { ...SMALL, maxSeqLen: 8192 },
    });
    const flags = ["--max-new-tokens", "8000", "--ignore-end"];
    const child = spawn(process.execPath, [COMMAND, "generate", endless, "the cook", ...flags]);
    let [stdout, stderr] = ["", ""];
    child.stderr.on("data", (chunk: Buffer) => (stderr += chunk.toString()));
    child.stdout.on("data", (chunk: Buffer) => {
      if (stdout === "") child.kill(signal);
      stdout += chunk.toString();
    });
    const code = await new Promise<number | null>((resolve) => child.on("close", resolve));
    assert.equal(code, exitCode, stderr);
    const whole = await expected("the cook");
    assert.ok(stdout.length > 0 && (stdout.startsWith(whole) || whole.startsWith(stdout)), stdout);
    const [, numTokens] = /· (\d+) new tokens? /.exec(stderr) ?? [];
    assert.ok(Number(numTokens) > 0 && Number(numTokens) < 8000, stderr);
  });
}
