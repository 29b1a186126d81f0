/**
 * Weights as kernels unpack them: eight neighbors of a row at a time, for any element type.
 *
 *     f32           as they are
 *     f16, bf16     two a word; rows follow one another without padding
 *     int8          blocks of 9 words: scale f32, 32 × i8               w = scale · i
 *     int4          blocks of 5 words: scale f16 | low f16, 32 × u4     w = scale · i + low
 *
 * Halves are unpacked by arithmetic, so that no device needs `shader-f16`. A run of eight begins at
 * a multiple of eight elements of its row, so it lies within one block.
 */

/** Element types of a weight `[dOut, dIn]`. */
export type WeightStorage = "f32" | "f16" | "bf16" | "int8" | "int4";

/** Elements that are unpacked together. */
export const RUN = 8;

/** Runs of a block of int8 or int4. */
const RUNS_PER_BLOCK = 4;

/** What a kernel must know to read a weight. */
export interface WeightConstants {
  readonly weight: WeightStorage;
  /** A power of two up to 8 that divides `dIn`: how wide loads may be. */
  readonly alignment: number;
}

/** Alignment of a weight: the largest of 1, 2, 4, 8 that divides the length of a row and matters. */
export function alignmentOf(weight: WeightStorage, dIn: number): number {
  const useful = { f32: [8, 4], f16: [8, 2], bf16: [8, 2], int8: [8], int4: [8] }[weight];
  return useful.find((divisor) => dIn % divisor === 0) ?? 1;
}

/** Whether rows come in blocks, padded to whole ones. */
function isBlocked(weight: WeightStorage): weight is "int8" | "int4" {
  return weight === "int8" || weight === "int4";
}

/** WGSL type of the elements of the weight's binding. */
export function weightType({ weight, alignment }: WeightConstants): string {
  if (weight === "f32") return alignment >= 4 ? "vec4f" : "f32";
  return !isBlocked(weight) && alignment === 8 ? "vec4u" : "u32";
}

/** WGSL functions that {@linkcode loadRun} calls. */
export function weightFunctions({ weight }: WeightConstants): string {
  switch (weight) {
    case "f32":
      return "";
    case "f16":
      return "fn unpackWord(word: u32) -> vec2f { return unpack2x16float(word); }";
    case "bf16":
      return "fn unpackWord(word: u32) -> vec2f { return bitcast<vec2f>(vec2u(word << 16u, word & 0xffff0000u)); }";
    case "int8":
      return `fn unpackWord(word: u32) -> vec4f {
      return vec4f(vec4i(vec4u(word << 24u, word << 16u, word << 8u, word)) >> vec4u(24u));
    }`;
    case "int4":
      return `fn unpackWord(word: u32) -> vec4f {
      return vec4f((vec4u(word) >> vec4u(0u, 4u, 8u, 12u)) & vec4u(15u));
    }`;
  }
}

/** Names of the values that a kernel has at hand where it unpacks a run. */
export interface RunNames {
  /** Prefix of what is declared: `<name>0`, `<name>1`: vec4f, eight weights in ascending order. */
  readonly name: string;
  /** Row of the weight, u32. */
  readonly row: string;
  /** Run of the row, u32: elements from `8 · run` on. */
  readonly run: string;
  /** Elements of a row, u32. */
  readonly width: string;
  /** Binding of the weight. @default {"b"} */
  readonly binding?: string;
}

/** WGSL statements that unpack eight weights of a binding; they read nothing else. */
export function loadRun(
  { weight, alignment }: WeightConstants,
  { name, row, run, width, binding: b = "b" }: RunNames,
): string {
  const halves = (index: (pair: number) => string) => `
      let ${name}0 = vec4f(unpackWord(${index(0)}), unpackWord(${index(1)}));
      let ${name}1 = vec4f(unpackWord(${index(2)}), unpackWord(${index(3)}));`;
  const block = (words: number) =>
    `let ${name}At = (${row} * ((${width} + 31u) / 32u) + ${run} / ${RUNS_PER_BLOCK}u) * ${words}u;`;
  if (weight === "int8") {
    return `${block(9)}
      let ${name}Scale = vec4f(bitcast<f32>(${b}[${name}At]));
      let ${name}Word = ${name}At + 1u + ${run} % ${RUNS_PER_BLOCK}u * 2u;
      let ${name}0 = ${name}Scale * unpackWord(${b}[${name}Word]);
      let ${name}1 = ${name}Scale * unpackWord(${b}[${name}Word + 1u]);`;
  }
  if (weight === "int4") {
    return `${block(5)}
      let ${name}Fit = unpack2x16float(${b}[${name}At]);
      let ${name}Word = ${b}[${name}At + 1u + ${run} % ${RUNS_PER_BLOCK}u];
      let ${name}0 = fma(vec4f(${name}Fit.x), unpackWord(${name}Word), vec4f(${name}Fit.y));
      let ${name}1 = fma(vec4f(${name}Fit.x), unpackWord(${name}Word >> 16u), vec4f(${name}Fit.y));`;
  }
  const at = `let ${name}At = ${row} * ${width} + ${run} * ${RUN}u;`;
  if (weight === "f32" && alignment >= 4) {
    return `let ${name}At = (${row} * ${width} + ${run} * ${RUN}u) / 4u;
      let ${name}0 = ${b}[${name}At]; let ${name}1 = ${b}[${name}At + 1u];`;
  }
  if (weight === "f32") {
    const four = (from: number) =>
      [0, 1, 2, 3].map((i) => `${b}[${name}At + ${from + i}u]`).join(", ");
    return `${at} let ${name}0 = vec4f(${four(0)}); let ${name}1 = vec4f(${four(4)});`;
  }
  if (alignment === 8) {
    return `let ${name}Words = ${b}[(${row} * ${width} + ${run} * ${RUN}u) / 8u];
      ${halves((pair) => `${name}Words[${pair}]`)}`;
  }
  if (alignment >= 2) {
    return `${at} ${halves((pair) => `${b}[${name}At / 2u + ${pair}u]`)}`;
  }
  // A row may begin in the middle of a word: each pair is put together from two.
  return `${at} let ${name}Shift = ${name}At % 2u * 16u;
      ${[0, 1, 2, 3, 4].map((i) => `let ${name}Word${i} = ${b}[${name}At / 2u + ${i}u];`).join(" ")}
      ${halves((pair) => `select(${name}Word${pair}, (${name}Word${pair} >> 16u) | (${name}Word${pair + 1} << 16u), ${name}Shift != 0u)`)}`;
}

/** Element `i` of a run whose vectors are `<name>0` and `<name>1`. */
export function elementOf(name: string, i: number): string {
  return `${name}${i >> 2}.${"xyzw"[i & 3]}`;
}

/** What {@linkcode maskRun} needs: prefixes of both runs, and WGSL of the first element's column. */
export interface MaskNames {
  readonly from: string;
  readonly to: string;
  readonly k: string;
  readonly width: string;
}

/**
 * WGSL statements that name a run `to`, with zeros beyond the end of its row. There, an unpadded
 * row reads the next one, whose infinity times 0 would be no 0; padding is always finite.
 */
export function maskRun({ weight }: WeightConstants, { from, to, k, width }: MaskNames): string {
  const mask = (v: number) =>
    `select(vec4f(), ${from}${v}, vec4u(${k}) + vec4u(${[0, 1, 2, 3].map((i) => `${4 * v + i}u`).join(", ")}) < vec4u(${width}))`;
  const value = (v: number) => (isBlocked(weight) ? `${from}${v}` : mask(v));
  return `let ${to}0 = ${value(0)}; let ${to}1 = ${value(1)};`;
}
