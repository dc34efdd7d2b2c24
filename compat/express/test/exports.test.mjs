// The package as users load it, by its name.

import assert from "node:assert/strict";
import { createRequire } from "node:module";
import { test } from "node:test";
import { safe } from "@cloakroom/express-session-safe";

test("import and require give the same function", () => {
  const required = createRequire(import.meta.url)("@cloakroom/express-session-safe");
  assert.deepEqual(Object.keys(required), ["safe"]);
  assert.equal(required.safe, safe);
});

test("what is no store is refused at once", () => {
  for (const [store, got] of [[undefined, "undefined"], [null, "null"], ["redis", "string"]]) {
    const message = new RegExp(`^safe: expected a store, got ${got}: pass`);
    assert.throws(() => safe(store), { name: "TypeError", message });
  }
});
