// A headless Chromium that visits a site, behind lines of JSON.
//
//   node visitor.mjs --chromium /usr/bin/chromium --url http://127.0.0.1:3000
//
// Prints {"ready":true} when the browser runs. Then, for each line that it reads, in order, it prints one:
//
//   {"op":"open","path":"/account"}                            the page
//   {"op":"press","button":"Log in","fill":{"Name":"ada"}}     the page that comes after the button was pressed
//   {"op":"cookies"}                                           {"name":"value"}: what the browser has kept
//   {"op":"close"}                                             {}: the browser has ended
//   whatever goes wrong                                        {"error":"..."}
//
// A page is {"path":"/account?a=b","session":JSON,"browser":JSON}: where it is, and what its elements #session and
// #browser show, if it has them. The second one is filled in by a script, which removes the state "loading" from it.

import { parseArgs } from "node:util";
import { answer, press, start } from "./chromium.mjs";

const { values: options } = parseArgs({ options: { chromium: { type: "string" }, url: { type: "string" } } });

const { browser, context, page } = await start(options.chromium, { baseURL: options.url });

/// What an element shows, or undefined if the page has none.
async function shown(element) {
  return (await element.count()) === 0 ? undefined : JSON.parse(await element.textContent());
}

async function read() {
  const script = page.locator("#browser");
  if (await script.count()) await page.locator('#browser:not([data-status="loading"])').waitFor();
  const { pathname, search } = new URL(page.url());
  return { path: pathname + search, session: await shown(page.locator("#session")), browser: await shown(script) };
}

await answer(browser, {
  async open({ path }) {
    await page.goto(path);
    return read();
  },

  async press({ button, fill }) {
    for (const [label, text] of Object.entries(fill ?? {})) await page.getByLabel(label).fill(text);
    await press(page, button);
    return read();
  },

  async cookies() {
    return Object.fromEntries((await context.cookies()).map(({ name, value }) => [name, value]));
  },
});
