import { InvalidArgumentError } from "commander";

/** What a number on the command line may be. */
interface Range {
  readonly least?: number;
  readonly most?: number;
  /** Excludes `least` itself. */
  readonly above?: number;
}

/** Parser of a whole number within a range, for an option of commander. */
export function wholeNumber({ least = 0, most = 2 ** 31 }: Range = {}): (text: string) => number {
  return (text) => {
    const value = Number(text);
    if (/^-?\d+$/.test(text) && value >= least && value <= most) return value;
    throw new InvalidArgumentError(`It must be a whole number from ${least} to ${most}.`);
  };
}

/** Parser of a number within a range, such as `2e-3`, for an option of commander. */
export function realNumber({ least = 0, most = Infinity, above }: Range = {}): (
  text: string,
) => number {
  return (text) => {
    const value = Number(text);
    const isNumber = text.trim() !== "" && Number.isFinite(value);
    const isLarge = above === undefined ? value >= least : value > above;
    if (isNumber && isLarge && value <= most) return value;
    const lower = above === undefined ? `of at least ${least}` : `above ${above}`;
    const upper = most === Infinity ? "" : ` and at most ${most}`;
    throw new InvalidArgumentError(`It must be a number ${lower}${upper}.`);
  };
}
