import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { buildTokenTree, childrenOf } from "../../model/token_tree.ts";

const titles = (...lists: number[][]) => lists.map((tokens) => Uint32Array.from(tokens));

test("buildTokenTree() shares prefixes and nests titles that begin others", () => {
  const tree = buildTokenTree(titles([7], [2, 3, 4], [2, 3], [2, 9]));
  assert.deepEqual([...tree.tokens], [2, 3, 4, 9, 7]);
  assert.deepEqual([...tree.parents], [-1, 0, 1, 0, -1]);
  assert.deepEqual([...tree.ends], [4, 3, 3, 4, 5]);
  assert.deepEqual([...tree.depths], [1, 2, 3, 2, 1]);
  assert.deepEqual([...tree.endNodes], [4, 2, 1, 3]);
  assert.deepEqual([...tree.nesting], [2, 1, 0, 0, 0]);
  assert.deepEqual(tree.roots, [0, 4]);
  assert.deepEqual(childrenOf(tree, 0), [1, 3]);
});

test("buildTokenTree() refuses empty and repeated titles", () => {
  assert.throws(() => buildTokenTree(titles([1], [])), /no token at all for title 1/);
  assert.throws(() => buildTokenTree(titles([1, 2], [1, 2])), /the tokens of another title/);
});

test("walking up from a title's node spells the title", () => {
  const title = fc.array(fc.nat(4), { minLength: 1, maxLength: 5 });
  const distinct = fc.uniqueArray(title, { minLength: 1, selector: (tokens) => tokens.join() });
  fc.assert(
    fc.property(distinct, (lists) => {
      const tree = buildTokenTree(titles(...lists));
      lists.forEach((expected, which) => {
        const spelled: number[] = [];
        for (let node = tree.endNodes[which]!; node >= 0; node = tree.parents[node]!) {
          spelled.unshift(tree.tokens[node]!);
        }
        assert.deepEqual(spelled, expected);
      });
      tree.parents.forEach((parent, node) => {
        if (parent >= 0) assert.ok(parent < node && node < tree.ends[parent]!);
      });
    }),
    { seed: 7 },
  );
});
