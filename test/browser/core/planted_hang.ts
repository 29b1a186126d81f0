// Not a test of its own: core_test.ts sees to it that a file that hangs is given up.
import { test } from "node:test";

test("never ends", () => new Promise(() => {}));
