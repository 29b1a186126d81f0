import type { DeviceInfo } from "../../engine/api.ts";
import { percent } from "../shell/words.ts";

/** What a person may set. */
export interface TuneSettings {
  readonly steps: number;
  readonly learningRate: number;
  /** Tokens of a step. */
  readonly batchTokens: number;
}

/** A setting: its limits, and what it costs. */
export interface Setting {
  readonly key: keyof TuneSettings;
  readonly name: string;
  readonly hint: string;
  readonly least: number;
  readonly most: number;
  /** Whether it must be a whole number. */
  readonly isWhole: boolean;
}

/** Settings in the order of the form. */
export const SETTINGS: readonly Setting[] = [
  {
    key: "steps",
    name: "Steps",
    hint: "Time grows with them. Few people and many steps: the model learns these people by heart.",
    least: 1,
    most: 2000,
    isWhole: true,
  },
  {
    key: "learningRate",
    name: "Learning rate",
    hint: "How far a step goes. Too much, and the loss rises or jumps; large models want less.",
    least: 1e-7,
    most: 1,
    isWhole: false,
  },
  {
    key: "batchTokens",
    name: "Tokens a step",
    hint: "More are calmer steps; time and memory grow with them.",
    least: 32,
    most: 65_536,
    isWhole: true,
  },
];

/** Models of more parameters are tuned with smaller steps. */
const LARGE_MODEL = 50e6;

/** Defaults: a minute or so on most devices; a software adapter does fewer steps. */
export function defaultSettings(
  { isSoftware }: Pick<DeviceInfo, "isSoftware">,
  numParameters: number,
): TuneSettings {
  return {
    steps: isSoftware ? 20 : 100,
    learningRate: numParameters > LARGE_MODEL ? 1e-4 : 1e-3,
    batchTokens: 512,
  };
}

/** Says what is wrong with a setting as it was typed: `"<what must hold>, got <what is>"`. */
export function settingProblem(
  { name, least, most, isWhole }: Setting,
  text: string,
): string | undefined {
  const value = text.trim() === "" ? NaN : Number(text);
  if (value >= least && value <= most && (!isWhole || Number.isInteger(value))) return undefined;
  const kind = isWhole ? "a whole number" : "a number";
  const limits = `from ${least.toLocaleString("en", { maximumSignificantDigits: 3 })} to ${most.toLocaleString("en")}`;
  return `${name} must be ${kind} ${limits}, got "${text.slice(0, 40)}"`;
}

/** Tokens of a year of a resume, roughly: a year, an education and a title. */
const TOKENS_A_YEAR = 16;

/** What a run takes, in a sentence or two. */
export function costOf(
  { steps, batchTokens }: TuneSettings,
  { numYears, tokensPerSecond }: { readonly numYears: number; readonly tokensPerSecond?: number },
): string {
  const tokens = steps * batchTokens;
  const times = tokens / (numYears * TOKENS_A_YEAR);
  const share = times < 1 ? percent(times) : `${times.toFixed(times < 10 ? 1 : 0)} times all`;
  const seconds = tokens / (tokensPerSecond ?? NaN);
  const time = seconds > 0 ? ` At the last run's speed that takes ${durationOf(seconds)}.` : "";
  return `${tokens.toLocaleString("en")} tokens: roughly ${share} of the file's ${numYears.toLocaleString("en")} years.${time}`;
}

/** A time for people: `"40 s"`, `"3 min"`, `"1 h 5 min"`. */
export function durationOf(seconds: number): string {
  if (seconds < 59.5) return `${Math.max(1, Math.round(seconds))} s`;
  const minutes = Math.round(seconds / 60);
  return minutes < 60 ? `${minutes} min` : `${Math.floor(minutes / 60)} h ${minutes % 60} min`;
}
