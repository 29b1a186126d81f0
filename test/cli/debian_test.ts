import assert from "node:assert/strict";
import { test } from "node:test";
import { parseOsRelease, planLavapipe } from "../../cli/platform/debian.ts";

const BOOKWORM = parseOsRelease(`PRETTY_NAME="Debian GNU/Linux 12 (bookworm)"
VERSION_ID="12"
VERSION_CODENAME=bookworm
ID=debian
`);

const PACKAGES = ["mesa-vulkan-drivers", "libvulkan1"];
const INSTALL = ["apt-get", "install", "--yes", "--no-install-recommends"];

const STANZAS = {
  path: "/etc/apt/sources.list.d/debian.sources",
  text: `# The archive of the house
Types: deb deb-src
URIs: http://mirror.example/debian
# a comment in between
Suites: bookworm bookworm-updates
Components: main contrib
Signed-By:
 -----BEGIN PGP PUBLIC KEY BLOCK-----
 .
 abcdef
 -----END PGP PUBLIC KEY BLOCK-----

Types: deb
URIs: http://mirror.example/debian-security
Suites: bookworm-security
Components: main
`,
};

const LINES = {
  path: "/etc/apt/sources.list",
  text: `# deb http://old.example/debian bookworm main
deb-src http://mirror.example/debian bookworm main
deb http://mirror.example/extra bookworm contrib
deb [signed-by=/usr/share/keyrings/archive.gpg arch=amd64] https://mirror.example/debian/ bookworm main contrib # ours
`,
};

test("parseOsRelease() reads bare, double-quoted and single-quoted values", () => {
  assert.deepEqual(parseOsRelease(`ID=ubuntu\nVERSION_ID="24.04"\nNAME='A B'\n# no\nEMPTY=\n`), {
    ID: "ubuntu",
    VERSION_ID: "24.04",
    NAME: "A B",
    EMPTY: "",
  });
});

test("planLavapipe() copies the mirror, key and options of a deb822 source to backports", () => {
  const { addSource, commands } = planLavapipe(BOOKWORM, [STANZAS]);
  assert.deepEqual(addSource, {
    path: "/etc/apt/sources.list.d/bookworm-backports.sources",
    text: `Types: deb
URIs: http://mirror.example/debian
Suites: bookworm-backports
Components: main
Signed-By:
 -----BEGIN PGP PUBLIC KEY BLOCK-----
 .
 abcdef
 -----END PGP PUBLIC KEY BLOCK-----
`,
  });
  assert.deepEqual(commands, [
    ["apt-get", "update"],
    [...INSTALL, "-t", "bookworm-backports", ...PACKAGES],
  ]);
});

test("planLavapipe() copies the mirror and options of a one-line source to backports", () => {
  assert.deepEqual(planLavapipe(BOOKWORM, [LINES]).addSource, {
    path: "/etc/apt/sources.list.d/bookworm-backports.list",
    text: "deb [signed-by=/usr/share/keyrings/archive.gpg arch=amd64] https://mirror.example/debian/ bookworm-backports main\n",
  });
});

test("planLavapipe() adds no source when backports are there already", () => {
  const present = {
    path: "/etc/apt/sources.list.d/backports.list",
    text: "deb http://mirror.example/debian bookworm-backports main\n",
  };
  assert.equal(planLavapipe(BOOKWORM, [STANZAS, present]).addSource, undefined);
});

test("planLavapipe() copies past a disabled stanza", () => {
  const disabled = { ...STANZAS, text: STANZAS.text.replace("Types:", "Enabled: no\nTypes:") };
  const path = "/etc/apt/sources.list.d/bookworm-backports.list";
  assert.equal(planLavapipe(BOOKWORM, [disabled, LINES]).addSource?.path, path);
});

test("planLavapipe() without a source to copy says what is missing", () => {
  assert.throws(() => planLavapipe(BOOKWORM, []), {
    name: "RangeError",
    message:
      'Cannot add bookworm-backports: apt\'s sources must name the release "bookworm" with the component "main", got none that does',
  });
});

test("planLavapipe() takes the plain package where it is new enough", () => {
  const plain = {
    addSource: undefined,
    commands: [
      ["apt-get", "update"],
      [...INSTALL, ...PACKAGES],
    ],
  };
  const trixie = { ID: "debian", VERSION_ID: "13", VERSION_CODENAME: "trixie" };
  const noble = { ID: "ubuntu", VERSION_ID: "24.04", VERSION_CODENAME: "noble" };
  assert.deepEqual(planLavapipe(trixie, []), plain);
  assert.deepEqual(planLavapipe(noble, []), plain);
});

test("planLavapipe() refuses a system without a lavapipe that Dawn accepts", () => {
  for (const osRelease of [
    { ID: "debian", VERSION_CODENAME: "bullseye", PRETTY_NAME: "Debian 11" },
    { ID: "ubuntu", VERSION_ID: "22.04", PRETTY_NAME: "Ubuntu 22.04.5 LTS" },
    { ID: "fedora", PRETTY_NAME: "Fedora Linux 42" },
    { PRETTY_NAME: "" },
  ]) {
    assert.throws(() => planLavapipe(osRelease, [STANZAS]), {
      name: "RangeError",
      message: new RegExp(
        `^Cannot install lavapipe: .*, got ${osRelease.PRETTY_NAME || "an unknown system"};`,
      ),
    });
  }
});
