import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { StopStrings } from "../../model/generate/stop_strings.ts";

/** The text that gets through, and whether it was stopped. */
function run(stops: readonly string[], pieces: readonly string[]) {
  const finder = new StopStrings(stops);
  let text = "";
  for (const piece of pieces) {
    const found = finder.push(piece);
    text += found.text;
    if (found.stopped) return { text, stopped: true };
  }
  return { text: text + finder.end(), stopped: false };
}

test("a stop string cut anywhere ends the text before it", () => {
  for (let cut = 0; cut <= 8; cut++) {
    const all = "abENDcd!";
    const pieces = [all.slice(0, cut), all.slice(cut)];
    assert.deepEqual(run(["END"], pieces), { text: "ab", stopped: true }, `cut at ${cut}`);
  }
});

test("what only looks like a stop string gets through in the end", () => {
  assert.deepEqual(run(["END"], ["a", "E", "N", "E", "N"]), { text: "aENEN", stopped: false });
});

test("random pieces stop where the whole text first has a stop string", () => {
  const short = fc.string({ unit: fc.constantFrom("a", "b"), minLength: 1, maxLength: 3 });
  const pieces = fc.array(fc.string({ unit: fc.constantFrom("a", "b", "c"), maxLength: 3 }));
  fc.assert(
    fc.property(fc.array(short, { maxLength: 3 }), pieces, (stops, parts) => {
      const all = parts.join("");
      // The piece that completes a stop string decides; of those in it, the first counts.
      let seen = "";
      let expected = { text: all, stopped: false };
      for (const part of parts) {
        seen += part;
        const at = stops.map((stop) => seen.indexOf(stop)).filter((index) => index >= 0);
        if (at.length === 0) continue;
        expected = { text: seen.slice(0, Math.min(...at)), stopped: true };
        break;
      }
      assert.deepEqual(run(stops, parts), expected);
    }),
  );
});

test("an empty stop string is refused", () => {
  assert.throws(() => new StopStrings(["x", ""]), { name: "RangeError" });
});
