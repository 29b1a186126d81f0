import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import { test } from "node:test";
import { parseSync, Visitor } from "vite";
import { shrinkKernelModule, shrinkWgsl } from "../../web/build/shrink_wgsl.ts";

/** The words and signs of WGSL, read as a compiler reads them: the longest sign first. */
const TOKEN =
  /#\w+|\0|[A-Za-z_]\w*|(?:0x[\da-fA-F]+|\d+\.?\d*(?:[eE][+-]?\d+)?|\.\d+)[uifh]?|>>=|<<=|->|&&|\|\||[=!<>+\-*/%&|^]=|<<|>>|\+\+|--|[^\s\w]/g;

const withoutComments = (text: string): string => text.replaceAll(/\/\/[^\0\n]*$/gm, "");

const tokensOf = (text: string): string[] => withoutComments(text).match(TOKEN) ?? [];

/** Texts of a module's templates of several lines, with a NUL for each expression. */
function templatesOf(file: string, source: string): string[] {
  const found: string[] = [];
  const { program } = parseSync(file, source, { lang: "ts" });
  new Visitor({
    TemplateLiteral({ quasis }) {
      found.push(quasis.map(({ value }) => value.raw).join("\0"));
    },
  }).visit(program);
  return found;
}

const modules = readdirSync("shaders")
  .filter((name) => name.endsWith(".wgsl.ts"))
  .map((name) => [name, readFileSync(`shaders/${name}`, "utf8")] as const);

test("every kernel means the same when it is shrunk, and is shorter", () => {
  let numTemplates = 0;
  let [before, after] = [0, 0];
  for (const [name, source] of modules) {
    const shrunk = templatesOf(name, shrinkKernelModule(source, name));
    const original = templatesOf(name, source);
    assert.equal(shrunk.length, original.length, name);
    original.forEach((text, i) => {
      assert.deepEqual(tokensOf(shrunk[i]!), tokensOf(text), `${name}: ${text}`);
      numTemplates += 1;
      before += text.length;
      after += shrunk[i]!.length;
    });
  }
  assert.ok(numTemplates > 300, `expected hundreds of templates, got ${numTemplates}`);
  assert.ok(after < 0.8 * before, `${after} of ${before} characters are left`);
});

test("the preprocessor's lines stay lines, and nothing else is on them", () => {
  for (const [name, source] of modules) {
    for (const text of templatesOf(name, shrinkKernelModule(source, name))) {
      if (!text.includes("\n")) continue;
      for (const line of text.split("\n")) {
        if (/#(if|elif|else|endif)/.test(line)) {
          assert.match(line, /^#(if \0|elif \0|else|endif)$/, `${name}: ${line}`);
        }
      }
    }
  }
});

test("shrunk WGSL keeps its operators apart, its comments with expressions and its lines", () => {
  const cases: readonly (readonly [string, string])[] = [
    ["let a = b - -c;", "let a = b - -c;"],
    ["a - \0 ( b )", "a - \0(b)"],
    ["var<storage, read> x: array<f32>;", "var<storage,read> x:array<f32>;"],
    ["  return a; // why\n\n  }", "return a;\n}"],
    ["a; // see \0 there", "a; // see \0 there"],
    ["#if \0\n  a = b;\n#else\n#endif\n", "#if \0\na = b;\n#else\n#endif\n"],
  ];
  for (const [text, expected] of cases) assert.equal(shrinkWgsl(text), expected);
});

test("a comment of the other kind is refused", () => {
  assert.throws(() => shrinkKernelModule("const a = `\n/* b */`;", "a.wgsl.ts"), /got \/\*/);
});
