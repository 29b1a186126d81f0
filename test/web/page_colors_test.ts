import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";

/** What WCAG 2.2 asks of text, and of lines that tell where a control is. */
const TEXT = 4.5;
const CONTROL = 3;

const css = readFileSync("web/page/tokens.css", "utf8");
const [light = "", dark = ""] = css.split("@media (prefers-color-scheme: dark)");

/** Colors of a scheme, by name; dark ones stand over light ones. */
function colors(...parts: readonly string[]): Map<string, string> {
  return new Map(
    parts.flatMap((part) =>
      Array.from(
        part.matchAll(/--([\w-]+):\s*(#[0-9a-f]{6});/g),
        ([, name, value]): [string, string] => [name!, value!],
      ),
    ),
  );
}

/** @see https://www.w3.org/TR/WCAG22/#dfn-relative-luminance */
function luminance(hex: string): number {
  const [r, g, b] = [1, 3, 5].map((at) => {
    const value = Number.parseInt(hex.slice(at, at + 2), 16) / 255;
    return value <= 0.04045 ? value / 12.92 : ((value + 0.055) / 1.055) ** 2.4;
  }) as [number, number, number];
  return 0.2126 * r + 0.7152 * g + 0.0722 * b;
}

function contrast(a: string, b: string): number {
  const [low, high] = [luminance(a), luminance(b)].toSorted((x, y) => x - y) as [number, number];
  return (high + 0.05) / (low + 0.05);
}

const SCHEMES = { light: colors(light), dark: colors(light, dark) };
const INKS = ["ink", "ink-soft", "accent", "stay", "move", "good", "warning", "danger"];

for (const [scheme, tokens] of Object.entries(SCHEMES)) {
  const between = (a: string, b: string) => contrast(tokens.get(a)!, tokens.get(b)!);

  test(`text can be read on paper and surface, ${scheme}`, () => {
    for (const ink of INKS) {
      for (const ground of ["paper", "surface"]) {
        assert.ok(between(ink, ground) >= TEXT, `${ink} on ${ground}: ${between(ink, ground)}`);
      }
    }
    assert.ok(between("on-accent", "accent") >= TEXT);
    assert.ok(between("ink", "accent-soft") >= TEXT);
  });

  test(`edges of controls and focus can be seen, ${scheme}`, () => {
    for (const ground of ["paper", "surface"]) {
      assert.ok(between("line-strong", ground) >= CONTROL, `${between("line-strong", ground)}`);
      assert.ok(between("focus", ground) >= CONTROL);
    }
  });
}

test("dark differs from light", () => {
  assert.notEqual(SCHEMES.light.get("paper"), SCHEMES.dark.get("paper"));
});
