/** A file of apt's configuration. */
export interface SourceFile {
  readonly path: string;
  readonly text: string;
}

/** What it takes to install Mesa's lavapipe. */
export interface InstallPlan {
  /** A package source to add, or undefined when none is needed. */
  readonly addSource: SourceFile | undefined;
  /** The commands to run as root, in order. */
  readonly commands: readonly (readonly string[])[];
}

/** Lavapipe itself, and the loader that finds it. */
const PACKAGES = ["mesa-vulkan-drivers", "libvulkan1"];

/** The one release whose own Mesa (22.3) Dawn refuses while its backports suffice. */
const BACKPORTED_RELEASE = "bookworm";

/** Releases whose Mesa is too old, and for which no newer one is offered. */
const OLD_DEBIAN = ["buster", "bullseye"];
const FIRST_UBUNTU = 24.04;

/** Parses `/etc/os-release`: `KEY=value` lines, values quoted or not. */
export function parseOsRelease(text: string): Readonly<Record<string, string>> {
  const entries = [...text.matchAll(/^([A-Z_]+)=(?:"(.*)"|'(.*)'|(.*))$/gm)];
  return Object.fromEntries(entries.map(([, key, a, b, c]) => [key!, a ?? b ?? c ?? ""]));
}

/**
 * Plans the installation of a lavapipe that Dawn accepts (Mesa 23 or newer).
 *
 * On Debian 12 it comes from backports. Their source is a copy of the machine's
 * own source for the release with the suite changed, so that mirrors, proxies
 * and keys stay as the machine's owner chose them.
 *
 * @param osRelease Contents of `/etc/os-release`, parsed.
 * @param sources Files of apt's configuration, in the order apt reads them.
 * @throws {RangeError} If the system is not a Debian or Ubuntu that offers one.
 */
export function planLavapipe(
  osRelease: Readonly<Record<string, string>>,
  sources: readonly SourceFile[],
): InstallPlan {
  const { ID: id, VERSION_CODENAME: codename = "", VERSION_ID: version = "" } = osRelease;
  const name = osRelease["PRETTY_NAME"] || id || "an unknown system";
  const isSupported =
    id === "debian"
      ? !OLD_DEBIAN.includes(codename)
      : id === "ubuntu" && Number(version) >= FIRST_UBUNTU;
  if (!isSupported) {
    throw new RangeError(
      `Cannot install lavapipe: the system must be Debian 12 or newer or Ubuntu ${FIRST_UBUNTU} or newer, got ${name}; elsewhere, install Mesa's Vulkan drivers (23 or newer) and a Vulkan loader by hand`,
    );
  }
  if (codename !== BACKPORTED_RELEASE) return { addSource: undefined, commands: commandsFor([]) };
  const suite = `${BACKPORTED_RELEASE}-backports`;
  return {
    addSource: backportsSource(sources, BACKPORTED_RELEASE, suite),
    commands: commandsFor(["-t", suite]),
  };
}

function commandsFor(release: readonly string[]): string[][] {
  return [
    ["apt-get", "update"],
    ["apt-get", "install", "--yes", "--no-install-recommends", ...release, ...PACKAGES],
  ];
}

/** A source of `suite` copied from that of `release`; undefined if there is one already. */
function backportsSource(
  sources: readonly SourceFile[],
  release: string,
  suite: string,
): SourceFile | undefined {
  const entries = sources.flatMap((file) =>
    file.path.endsWith(".sources") ? parseStanzas(file.text) : parseLines(file.text),
  );
  if (entries.some(({ suites }) => suites.includes(suite))) return undefined;
  const model = entries.find(({ suites }) => suites.includes(release));
  if (model === undefined) {
    throw new RangeError(
      `Cannot add ${suite}: apt's sources must name the release "${release}" with the component "main", got none that does`,
    );
  }
  return {
    path: `/etc/apt/sources.list.d/${suite}.${model.extension}`,
    text: model.withSuite(suite),
  };
}

/** A package source, in either of apt's two notations. */
interface SourceEntry {
  readonly suites: readonly string[];
  readonly extension: "sources" | "list";
  readonly withSuite: (suite: string) => string;
}

/** Sources of binary packages of "main" in deb822 notation: stanzas of `Field: value`. */
function parseStanzas(text: string): SourceEntry[] {
  const stanzas = text
    .replaceAll(/^#.*\n?/gm, "")
    .split(/\n[ \t]*\n/)
    .map((stanza) => [...stanza.matchAll(/^([^\s:]+):[ \t]*((?:.*)(?:\n[ \t].*)*)/gm)])
    .map((fields) => fields.map(([, field = "", value = ""]) => [field, value.trimEnd()] as const));
  return stanzas.flatMap((fields) => {
    const valueOf = (name: string): string =>
      fields.find(([field]) => field.toLowerCase() === name)?.[1] ?? "";
    const isOff = ["no", "false", "off", "0", "without", "disable"].includes(
      valueOf("enabled").toLowerCase(),
    );
    if (isOff || !words(valueOf("types")).includes("deb")) return [];
    if (!words(valueOf("components")).includes("main")) return [];
    const withSuite = (suite: string): string => {
      const changed: Record<string, string> = { types: "deb", suites: suite, components: "main" };
      const lines = fields.map(([field, value]) => {
        const kept = changed[field.toLowerCase()] ?? value;
        return `${field}:${kept.startsWith("\n") ? "" : " "}${kept}\n`;
      });
      return lines.join("");
    };
    return [{ suites: words(valueOf("suites")), extension: "sources", withSuite }];
  });
}

/** Sources of binary packages of "main" in one-line notation: `deb [options] uri suite components`. */
function parseLines(text: string): SourceEntry[] {
  return [...text.matchAll(/^[ \t]*deb[ \t]+(\[[^\]]*\][ \t]+)?(\S+)[ \t]+(\S+)[ \t]+([^#\n]*)/gm)]
    .filter(([, , , , components = ""]) => words(components).includes("main"))
    .map(([, options = "", uri, suite = ""]) => ({
      suites: [suite],
      extension: "list",
      withSuite: (changed: string) => `deb ${options}${uri} ${changed} main\n`,
    }));
}

function words(value: string): string[] {
  return value.split(/\s+/).filter((word) => word !== "");
}
