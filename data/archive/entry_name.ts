/** Names that are no files' but an object's own. */
const RESERVED = new Set(["__proto__", "constructor", "prototype"]);

/**
 * Says what is wrong with the name of a file in an archive, so that it can neither lead out of a
 * folder nor stand for anything but itself.
 *
 * @returns `"<what must hold>, got <what is>"`, or `undefined` if the name is plain.
 */
export function entryNameProblem(name: string): string | undefined {
  const got = `got ${JSON.stringify(name.length > 120 ? `${name.slice(0, 120)}…` : name)}`;
  if (name === "") return `a name must not be empty, ${got}`;
  if (name.length > 1024) return `a name must have at most 1024 characters, ${got}`;
  if (/[\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}]/u.test(name)) {
    return `a name must have no control characters, ${got}`;
  }
  if (name.includes("\\")) return `folders must be separated by "/", ${got}`;
  if (name.startsWith("/")) return `a name must be relative, ${got}`;
  if (/^[a-z]:/i.test(name)) return `a name must not begin with a drive, ${got}`;
  const parts = name.replace(/\/$/, "").split("/");
  if (parts.some((part) => part === "" || part === "." || part === "..")) {
    return `a name must not lead out of its folder, ${got}`;
  }
  if (parts.some((part) => RESERVED.has(part))) return `a name must be a file's, ${got}`;
  return undefined;
}

/** What two names have in common if a file system that ignores case takes them for one. */
export function foldedName(name: string): string {
  return name.replace(/\/$/, "").normalize("NFC").toLowerCase();
}
