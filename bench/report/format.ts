/** Three digits that count: `"0.0123"`, `"4.57"`, `"1,230"`; `"-"` where there is nothing. */
export function formatNumber(value: number | undefined): string {
  if (value === undefined || !Number.isFinite(value)) return "-";
  if (value === 0) return "0";
  const rounded = Number(value.toPrecision(3));
  const digits = Math.max(0, 2 - Math.floor(Math.log10(Math.abs(rounded))));
  if (digits > 6) return value.toExponential(2);
  return rounded.toLocaleString("en", {
    minimumFractionDigits: digits,
    maximumFractionDigits: digits,
  });
}

/** A round number, as axes have them: `"0.05"`, `"1,000"`. */
export function formatTick(value: number): string {
  return Number(value.toPrecision(3)).toLocaleString("en", { maximumSignificantDigits: 3 });
}

/** `"37 %"`; `"-"` where there is nothing. */
export function formatShare(share: number | undefined): string {
  if (share === undefined || !Number.isFinite(share)) return "-";
  return `${(100 * share).toFixed(share > 0 && share < 0.1 ? 1 : 0)} %`;
}

/** Bytes for people, in powers of 1024; `"-"` where there is nothing. */
export function formatBytes(bytes: number | undefined): string {
  if (bytes === undefined || !Number.isFinite(bytes)) return "-";
  const units = ["B", "KiB", "MiB", "GiB", "TiB"];
  const power = bytes < 1 ? 0 : Math.min(units.length - 1, Math.floor(Math.log2(bytes) / 10));
  return `${formatNumber(bytes / 1024 ** power)} ${units[power]}`;
}
