const UNITS = ["B", "kB", "MB", "GB", "TB"] as const;

/** An amount of memory, in powers of 1000 as browsers and drives count: `"41.2 MB"`. */
export function bytesInWords(bytes: number): string {
  let value = bytes;
  let unit = 0;
  // What would be rounded to 1000 belongs to the next unit.
  while (value >= 999.5 && unit < UNITS.length - 1) {
    value /= 1000;
    unit++;
  }
  const digits = unit === 0 || value >= 99.95 ? 0 : 1;
  return `${value.toFixed(digits)} ${UNITS[unit]!}`;
}

/** A time as a person says it: `"8 s"`, `"2 min 05 s"`, `"1 h 10 min"`. */
export function secondsInWords(seconds: number): string {
  const whole = Math.max(0, Math.round(seconds));
  if (whole < 60) return `${whole} s`;
  const minutes = Math.floor(whole / 60);
  if (minutes < 60) return `${minutes} min ${String(whole % 60).padStart(2, "0")} s`;
  return `${Math.floor(minutes / 60)} h ${String(minutes % 60).padStart(2, "0")} min`;
}

/** A short time: `"0.42 s"`, `"38 ms"`. */
export function millisecondsInWords(ms: number): string {
  return ms < 100 ? `${Math.round(ms)} ms` : `${(ms / 1000).toFixed(ms < 10_000 ? 2 : 1)} s`;
}

/** How many, as people read it: `"134.5 M"`, `"912 k"`, `"37"`. */
export function countInWords(count: number): string {
  if (count >= 999_500_000) return `${(count / 1e9).toFixed(1)} billion`;
  if (count >= 999_500) return `${(count / 1e6).toFixed(1)} million`;
  if (count >= 10_000) return `${Math.round(count / 1e3)} thousand`;
  return String(count);
}

/** A moment in the reader's own words for dates. @param iso ISO 8601. */
export function dateInWords(iso: string): string {
  const date = new Date(iso);
  if (Number.isNaN(date.getTime())) return iso;
  return date.toLocaleString(undefined, { dateStyle: "medium", timeStyle: "short" });
}

/** A share or probability as a percentage: `"34.2%"`, `"0.04%"`, `"under 0.01%"`; `"-"` for none. */
export function percent(share: number | undefined): string {
  if (share === undefined || !Number.isFinite(share)) return "-";
  if (share > 0 && share < 0.0001) return "under 0.01%";
  if (share < 1 && share > 0.999) return "over 99.9%";
  return `${(100 * share).toFixed(share > 0 && share < 0.001 ? 2 : 1)}%`;
}
