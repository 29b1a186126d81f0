import { type ESTree, parseSync, type Plugin, Visitor } from "vite";

/** Stands for an expression in a template while its text is shrunk; never part of WGSL. */
const HOLE = "\u0000";

/**
 * WGSL without comments, indentation, empty lines and spaces next to brackets, commas and
 * semicolons. Lines stay lines: wgsl-preprocessor's `#if` … `#endif` need theirs.
 *
 * @param text WGSL, with a NUL wherever an expression of the template stands. None of them is lost:
 * a comment that holds one is kept.
 */
export function shrinkWgsl(text: string): string {
  return text
    .split("\n")
    .map((line) => {
      const bare = line
        .replace(/\/\/[^\0]*$/, "")
        .replaceAll(/[ \t]+/g, " ")
        .trim();
      if (bare.includes("//") || bare.startsWith("#")) return bare;
      return bare.replaceAll(/ ?([,;:{}()[\]]) ?/g, "$1");
    })
    .join("\n")
    .replaceAll(/\n{2,}/g, "\n");
}

/**
 * The module of a kernel, with every template of several lines shrunk as WGSL. Templates of one line
 * stay: there is little to gain, and some of them are messages.
 *
 * @throws {Error} If the module does not parse, or a template holds a comment of the other kind.
 */
export function shrinkKernelModule(source: string, file: string): string {
  const edits: { readonly start: number; readonly end: number; readonly text: string }[] = [];
  const edit = ({ quasis }: ESTree.TemplateLiteral) => {
    const texts = quasis.map(({ value }) => value.raw);
    if (!texts.some((text) => text.includes("\n"))) return;
    const whole = texts.join(HOLE);
    if (whole.includes("/*")) {
      throw new Error(`Cannot shrink "${file}": comments must begin with //, got /*`);
    }
    const pieces = shrinkWgsl(whole).split(HOLE);
    quasis.forEach((quasi, i) => {
      const start = source.indexOf(texts[i]!, quasi.start);
      edits.push({ start, end: start + texts[i]!.length, text: pieces[i]! });
    });
  };
  const { program, errors } = parseSync(file, source, { lang: "ts" });
  if (errors.length > 0) throw new Error(`Cannot parse "${file}": ${errors[0]!.message}`);
  new Visitor({ TemplateLiteral: edit }).visit(program);
  let result = source;
  for (const { start, end, text } of edits.toSorted((a, b) => b.start - a.start)) {
    result = result.slice(0, start) + text + result.slice(end);
  }
  return result;
}

/** Shrinks the WGSL of shaders/*.wgsl.ts while it is bundled. */
export function shrinkWgslPlugin(): Plugin {
  return {
    name: "tenure:shrink-wgsl",
    enforce: "pre",
    transform: {
      filter: { id: /\/shaders\/[^/]+\.wgsl\.ts$/ },
      handler: (code, id) => ({ code: shrinkKernelModule(code, id), map: null }),
    },
  };
}
