import { type Archive, noEntry } from "./archive.ts";

/**
 * Several sets of files as one. A file keeps its name, unless another set has one of that name: then
 * all of its set's are named `<set>/<name>`.
 *
 * @throws {RangeError} If two sets are the same.
 */
export function joinArchives(archives: readonly Archive[]): Archive {
  const [only] = archives;
  if (only !== undefined && archives.length === 1) return only;
  const name = archives.map((archive) => archive.name).join(", ");
  const counts = new Map<string, number>();
  for (const entry of archives.flatMap(({ entries }) => entries)) {
    counts.set(entry.name, (counts.get(entry.name) ?? 0) + 1);
  }
  const origin = new Map<string, { archive: Archive; own: string }>();
  const entries = archives.flatMap((archive) =>
    archive.entries.map((entry) => {
      const isShared = counts.get(entry.name)! > 1;
      const joined = isShared ? `${archive.name}/${entry.name}` : entry.name;
      if (origin.has(joined)) {
        throw new RangeError(
          `Cannot read "${name}": each set must be given once, got ${JSON.stringify(joined)} twice`,
        );
      }
      origin.set(joined, { archive, own: entry.name });
      return { ...entry, name: joined };
    }),
  );
  return {
    name,
    entries,
    open(wanted) {
      const found = origin.get(wanted);
      if (found === undefined) throw noEntry(name, wanted);
      return found.archive.open(found.own);
    },
  };
}
