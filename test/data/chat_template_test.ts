import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { applyChatTemplate, type ChatMessage, chatTemplateOf } from "../../data/mod.ts";

const user = (content: string): ChatMessage => ({ role: "user", content });
const assistant = (content: string): ChatMessage => ({ role: "assistant", content });
const system = (content: string): ChatMessage => ({ role: "system", content });
const turns = [system("Be brief."), user(" Hi "), assistant("Hello."), user("Bye\nnow")];

const CHAT_ML = `{% for message in messages %}
{{ '<|im_start|>' ~ message.role ~ '\\n' ~ message.content ~ '<|im_end|>\\n' -}}
{% endfor %}
{% if add_generation_prompt %}{{ '<|im_start|>assistant\\n' }}{% endif %}`;

const LLAMA2 = `{%- if messages[0]['role'] == 'system' %}
  {%- set about = '<<SYS>>\\n' + messages[0]['content'] + '\\n<</SYS>>\\n\\n' %}
  {%- set rest = messages[1:] %}
{%- else %}
  {%- set about = '' %}
  {%- set rest = messages %}
{%- endif %}
{%- for message in rest %}
  {%- if (message['role'] == 'user') != (loop.index0 % 2 == 0) %}
    {{- raise_exception('users and assistants must take turns') }}
  {%- endif %}
  {%- if message['role'] == 'user' %}
    {{- bos_token + '[INST] ' + (about if loop.first else '') + message['content'] | trim + ' [/INST]' }}
  {%- else %}
    {{- ' ' + message['content'].strip() + ' ' + eos_token }}
  {%- endif %}
{%- endfor %}`;

const LLAMA3 = `{{- bos_token }}
{%- set ns = namespace(count=0) %}
{%- macro head(role) %}<|start_header_id|>{{ role }}<|end_header_id|>{{ '\\n\\n' }}{% endmacro %}
{%- if tools is not none and tools %}
  {{- head('system') + 'Today: ' + strftime_now('%d %b %Y') + '\\n' }}
  {%- for tool in tools %}{{- tool | tojson(indent=2) + '\\n' }}{%- endfor %}
  {{- '<|eot_id|>' }}
{%- endif %}
{%- for message in messages %}
  {%- set ns.count = ns.count + 1 %}
  {{- head(message.role) + message.content | trim + '<|eot_id|>' }}
{%- endfor %}
{%- if add_generation_prompt %}{{- head('assistant') }}{%- endif %}`;

const MISTRAL = `{%- set dialog = messages | rejectattr('role', 'equalto', 'system') | list %}
{{- bos_token }}
{%- for m in dialog %}
  {%- if m.role == 'user' %}{{- '[INST] ' ~ m.content ~ ' [/INST]' }}
  {%- elif m.role == 'assistant' %}{{- ' ' ~ m.content ~ eos_token }}
  {%- else %}{{- raise_exception('unknown role ' ~ m.role) }}{%- endif %}
{%- endfor %}`;

test("a ChatML template writes turns and begins the answer", () => {
  assert.equal(
    applyChatTemplate(CHAT_ML, { messages: turns.slice(0, 2), addGenerationPrompt: true }),
    "<|im_start|>system\nBe brief.<|im_end|>\n<|im_start|>user\n Hi <|im_end|>\n<|im_start|>assistant\n",
  );
  assert.equal(
    applyChatTemplate(CHAT_ML, { messages: [user("a")] }),
    "<|im_start|>user\na<|im_end|>\n",
  );
});

test("a template in the shape of Llama 2's folds the system message into the first turn", () => {
  const tokens = { beginToken: "<s>", endToken: "</s>" };
  assert.equal(
    applyChatTemplate(LLAMA2, { messages: turns, ...tokens }),
    "<s>[INST] <<SYS>>\nBe brief.\n<</SYS>>\n\nHi [/INST] Hello. </s><s>[INST] Bye\nnow [/INST]",
  );
  assert.throws(
    () => applyChatTemplate(LLAMA2, { messages: [user("a"), user("b")], ...tokens }),
    /^RangeError: Cannot apply a chat template: .* got "users and assistants must take turns"$/,
  );
});

test("a template in the shape of Llama 3's uses macros, namespaces, tools and the date", () => {
  const text = applyChatTemplate(LLAMA3, {
    messages: [user("Hi")],
    tools: [{ name: "add", arguments: ["a", "b"] }],
    beginToken: "<|begin_of_text|>",
    addGenerationPrompt: true,
    now: new Date(2026, 1, 3),
  });
  assert.equal(
    text,
    "<|begin_of_text|><|start_header_id|>system<|end_header_id|>\n\nToday: 03 Feb 2026\n" +
      `${JSON.stringify({ name: "add", arguments: ["a", "b"] }, null, 2)}\n<|eot_id|>` +
      "<|start_header_id|>user<|end_header_id|>\n\nHi<|eot_id|>" +
      "<|start_header_id|>assistant<|end_header_id|>\n\n",
  );
});

test("a template in the shape of Mistral's filters messages and refuses unknown roles", () => {
  const tokens = { beginToken: "<s>", endToken: "</s>" };
  assert.equal(
    applyChatTemplate(MISTRAL, { messages: turns, ...tokens }),
    "<s>[INST]  Hi  [/INST] Hello.</s>[INST] Bye\nnow [/INST]",
  );
  const messages = [{ role: "tool", content: "4" }];
  assert.throws(() => applyChatTemplate(MISTRAL, { messages, ...tokens }), /unknown role tool/);
});

test("a long conversation of a real shape is within the limits", () => {
  const messages = Array.from({ length: 1000 }, (_, i) =>
    (i % 2 === 0 ? user : assistant)("word ".repeat(200)),
  );
  for (const template of [CHAT_ML, LLAMA2, LLAMA3, MISTRAL]) {
    const text = applyChatTemplate(template, { messages, beginToken: "<s>", endToken: "</s>" });
    assert.ok(text.length > 990_000);
  }
});

test("chatTemplateOf() finds the template of a configuration", () => {
  assert.equal(chatTemplateOf({ chat_template: "x" }), "x");
  assert.equal(chatTemplateOf({}), undefined);
  const named = [
    { name: "tool_use", template: "t" },
    { name: "default", template: "d" },
  ];
  assert.equal(chatTemplateOf({ chat_template: named }), "d");
  assert.equal(chatTemplateOf({ chat_template: named }, "tool_use"), "t");
  assert.equal(chatTemplateOf({ chat_template: named }, "rag"), undefined);
  for (const chat_template of [7, [null], [{ name: "default" }], {}]) {
    assert.throws(() => chatTemplateOf({ chat_template }), SyntaxError);
  }
});

/** Templates that would take the machine down, and what stops each. */
const HOSTILE: readonly [template: string, error: typeof RangeError | typeof SyntaxError][] = [
  ["{% for a in range(10**9) %}{% endfor %}", RangeError],
  ["{% for a in range(1, 5, 0) %}x{% endfor %}", RangeError],
  ["{% for a in range(9999) %}{% for b in range(9999) %}{% endfor %}{% endfor %}", RangeError],
  [
    "{% set n = namespace(s='ab') %}{% for a in range(60) %}{% set n.s = n.s ~ n.s %}{% endfor %}{{ n.s }}",
    RangeError,
  ],
  [
    "{% set n = namespace(s=['ab']) %}{% for a in range(60) %}{% set n.s = [n.s, n.s] %}{% endfor %}{{ n.s|tojson }}",
    RangeError,
  ],
  [
    "{% set n = namespace(s=['ab']) %}{% for a in range(60) %}{% set n.s = n.s + n.s %}{% endfor %}",
    RangeError,
  ],
  [
    "{% for a in range(9999) %}{% for b in range(99) %}{{ nope }}{% endfor %}{% endfor %}",
    RangeError,
  ],
  ["{% for a in range(9999) %}{{ messages[0].content[0:1] }}{% endfor %}", RangeError],
  ["{% for a in range(9999) %}{% set b = range(9999)|sort %}{% endfor %}", RangeError],
  [
    "{% for a in range(9999) %}{% set b = messages[0].content.split('o') %}{% endfor %}",
    RangeError,
  ],
  ["{% for a in range(9999) %}{% set b = messages|tojson %}{% endfor %}", RangeError],
  ["{% set n = namespace() %}{% set n.me = [n, n] %}{{ n }}", SyntaxError],
  ["{% set n = namespace() %}{% set n.me = n %}{{ n }}", SyntaxError],
  ["{% macro f() %}{{ f() }}{% endmacro %}{{ f() }}", RangeError],
  ["{% macro f(n) %}{{ f(n) }}{{ f(n) }}{% endmacro %}{{ f(1) }}", RangeError],
  ["{{ ('a' * 10)|indent(width=1000000000) }}", SyntaxError],
  ["{{ 'a\n'|indent(2**28, true) }}", SyntaxError],
  ["{{ messages|tojson(indent=2**28) }}", SyntaxError],
  ["{% set big = 'x' ~ messages[0].content %}{{ big.replace('', big) }}", SyntaxError],
  ["{% set f = messages[0].content.replace %}{{ f('', messages[0].content) }}", SyntaxError],
  ["{{ messages[0].content['rep' ~ 'lace']('', 'x') }}", SyntaxError],
  ["{{ range(9999)|map('string')|join(*[messages[0].content]) }}", SyntaxError],
  ["{{ range(9999)|join('', messages[0].content) }}", SyntaxError],
  ["{% filter join(messages[0].content) %}{{ messages[0].content }}{% endfilter %}", SyntaxError],
  ["{{ messages[0].content|replace('', messages[0].content) }}", SyntaxError],
  ["{{ '('".repeat(3) + "(".repeat(60_000), SyntaxError],
  [`{{ ${"(".repeat(20_000)}1${")".repeat(20_000)} }}`, RangeError],
  [`{{ ${"not ".repeat(15_000)}1 }}`, RangeError],
  ["x".repeat(2 ** 16 + 1), RangeError],
  ["{% if %}", SyntaxError],
  ["{{ messages.constructor.constructor('return 1')() }}", SyntaxError],
  ["{{ messages.__proto__.push(1) }}", SyntaxError],
  ["{{ ''.constructor }}{{ range.constructor('x') }}", SyntaxError],
];

/** A quarter of a second where a machine is idle; tests run beside others. */
const PATIENCE_MS = 60_000; // on a machine with much else to do; without budgets, they take hours

test("hostile templates end in a typed error, and soon", () => {
  const messages = [user("word ".repeat(20_000))];
  for (const [template, error] of HOSTILE) {
    const begin = performance.now();
    assert.throws(() => applyChatTemplate(template, { messages }), error, template.slice(0, 90));
    assert.ok(performance.now() - begin < PATIENCE_MS, `${template.slice(0, 90)} takes too long`);
  }
});

test("texts are joined by what a variable holds", () => {
  const messages = [user("a"), user("b"), user("c")];
  for (const template of [
    "{% set sep = ', ' %}{{ messages|map(attribute='content')|join(sep) }}",
    "{% set sep = ', ' %}{{ messages|map(attribute='content')|join(separator=sep) }}",
    "{% set sep = ',' %}{{ messages|map(attribute='content')|join(sep ~ ' ') }}",
    "{{ messages|map(attribute='content')|join(['x', ', ']|join(beginning)|replace('x', '')) }}",
  ]) {
    const text = `{% set beginning = '' %}${template}`;
    assert.equal(applyChatTemplate(text, { messages }), "a, b, c", template);
  }
});

test("texts that joining would make too long are refused before they are made", () => {
  const messages = [user("word ".repeat(20_000))];
  for (const template of [
    "{{ range(999)|join(messages[0].content) }}",
    "{{ range(999)|join(separator=messages[0].content) }}",
    "{{ messages[0].content|join('x' ~ messages[0].content) }}",
    // What is joined on the way to a separator is not what it separates.
    "{% macro f(x, deep) %}{{ x|join(f([1, 2], false) if deep else messages[0].content) }}{% endmacro %}" +
      "{{ f(range(999), true) }}",
  ]) {
    assert.throws(() => applyChatTemplate(template, { messages }), {
      name: "RangeError",
      message: /it must take texts joined to up to 2097152 characters, got \d+ elements with/,
    });
  }
});

test("loops left early do not count as depth", () => {
  const template =
    "{% for i in range(999) %}{% for j in [1, 2] %}{% break %}{% endfor %}{% endfor %}x";
  assert.equal(applyChatTemplate(template, { messages: [] }), "x");
});

test("templates reach nothing but what they are given", () => {
  const messages = [user("hi")];
  for (const name of ["process", "globalThis", "require", "constructor", "__proto__", "self"]) {
    const text = applyChatTemplate(`{{ ${name} is defined }}{{ messages.${name} is defined }}`, {
      messages,
    });
    assert.equal(text, "falsefalse", name);
  }
});

test("random templates give text or a typed error", () => {
  const words = ["{%", "%}", "{{", "}}", "for", "m", "in", "messages", "endfor", "if", "endif"];
  words.push(
    "set",
    "=",
    "'a'",
    "~",
    "(",
    ")",
    "[",
    "]",
    ".",
    "|",
    "tojson",
    "range",
    "9",
    "-",
    "{",
  );
  words.push("macro", "endmacro", "f", "content", ",", "*", "join", "replace", "call", "#}", "{#");
  fc.assert(
    fc.property(fc.array(fc.constantFrom(...words), { maxLength: 40 }), (parts) => {
      try {
        const text = applyChatTemplate(parts.join(" "), { messages: turns });
        assert.equal(typeof text, "string");
      } catch (error) {
        assert.ok(error instanceof SyntaxError || error instanceof RangeError);
      }
    }),
    { numRuns: 3000, seed: 3 },
  );
});
