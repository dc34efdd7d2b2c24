// A headless Chromium that answers lines of JSON, for `browser.mjs` and `visitor.mjs`.

import { createInterface } from "node:readline";
import { chromium } from "playwright-core";

/// In milliseconds: how long anything may take on a busy machine.
const PATIENCE = 180_000;

/// Starts the Chromium of this path, and returns it with an empty page of a context with these options.
export async function start(executablePath, options) {
  const browser = await chromium.launch({
    executablePath,
    timeout: PATIENCE,
    args: [
      // Without a sandbox, which root cannot have; it sees no pages but those of the tests.
      ..."--no-sandbox --disable-gpu --disable-quic --no-first-run".split(" "),
      // It asks nobody on the network anything.
      ..."--disable-background-networking --disable-component-update --disable-sync".split(" "),
    ],
  });
  const context = await browser.newContext(options);
  context.setDefaultTimeout(PATIENCE);
  return { browser, context, page: await context.newPage() };
}

/// Presses a button of the page, and waits for the page that comes.
export async function press(page, name) {
  // Pressing waits for the navigation that it begins, and the next page is there when it has loaded.
  await Promise.all([page.waitForEvent("load"), page.getByRole("button", { name }).click()]);
}

/// Prints {"ready":true}, and then for each line that it reads, in order, what the operation of its member "op" returns,
/// or {"error":"..."}. After {"op":"close"} the browser has ended.
export async function answer(browser, operations) {
  const all = { ...operations, close: () => browser.close().then(() => ({})) };
  console.log(JSON.stringify({ ready: true }));
  for await (const line of createInterface({ input: process.stdin })) {
    const { op, ...request } = JSON.parse(line);
    const answered = await all[op](request).catch((error) => ({ error: String(error) }));
    console.log(JSON.stringify(answered));
  }
  await browser.close();
}
