// A headless Chromium before the example `side_by_side`, behind lines of JSON.
//
//   node browser.mjs --chromium /usr/bin/chromium --url http://127.0.0.1:3000
//
// Prints {"ready":true} when the browser runs. Then, for each line that it reads, in order, it prints one:
//
//   {"op":"open","side":"rust"}                    the page of that side
//   {"op":"login","side":"express","user":"Ada"}   the page that the form leads to
//   {"op":"logout","side":"rust"}                  the same
//   {"op":"add","side":"rust","item":"Honey"}      the same
//   {"op":"burst","side":"rust","items":["a"]}     the page after these were added at the same time, two and two in step
//   {"op":"add_on_both","last":"rust"}             both pages, {"express":PAGE,"rust":PAGE}, after the button was pressed
//   {"op":"screenshot","path":"/tmp/a.png"}        {}: both pages, as they are now
//   {"op":"close"}                                 {}: the browser has ended
//   whatever goes wrong                            {"error":"..."}
//
// A page is {"servedBy":"Express","user":"Ada","cart":["Honey by Rust"]}: what its reader sees, null for no user.

import { parseArgs } from "node:util";
import { answer, press as pressButton, start } from "./chromium.mjs";

const { values: options } = parseArgs({ options: { chromium: { type: "string" }, url: { type: "string" } } });

const viewport = { width: 1120, height: 656 };
const { browser, page } = await start(options.chromium, { viewport, deviceScaleFactor: 1.5, baseURL: options.url });

/// What the reader of a page sees; `frame` is a page or a frame.
const read = async (frame) => {
  const user = frame.locator("#user");
  const items = await frame.locator("#cart li").evaluateAll((items) =>
    items.map((item) => `${item.textContent} by ${item.dataset.by}`),
  );
  return {
    servedBy: (await frame.locator("h1").textContent()).replace("served by", "").trim(),
    user: (await user.isVisible()) ? await user.textContent() : null,
    cart: items,
  };
};

/// Opens a side's page, presses a button there, and reads the page that comes.
const press = async (side, fill, button) => {
  await page.goto(`/${side}`);
  await fill();
  await pressButton(page, button);
  return read(page);
};

const operations = {
  async open({ side }) {
    await page.goto(`/${side}`);
    return read(page);
  },
  login: ({ side, user }) => press(side, () => page.getByLabel("Your name").fill(user), "Log in"),
  logout: ({ side }) => press(side, () => {}, "Log out"),
  add: ({ side, item }) => press(side, () => page.getByLabel("What to add").selectOption(item), "Add to cart"),

  async burst({ side, items }) {
    await page.goto(`/${side}`);
    const statuses = await page.evaluate(
      ([side, items]) => {
        const post = (item) =>
          fetch(`/${side}/add`, { method: "POST", body: new URLSearchParams({ item, meet: "yes" }) });
        return Promise.all(items.map(async (item) => (await post(item)).status));
      },
      [side, items],
    );
    if (statuses.some((status) => status !== 200)) throw new Error(`answered with ${statuses}`);
    return operations.open({ side });
  },

  async add_on_both({ last }) {
    await page.goto("/");
    const written = page.waitForResponse((response) => response.url().endsWith(`/${last}/add`));
    await page.getByRole("button", { name: `${last} writes last` }).click();
    await written;
    return { express: await operations.open({ side: "express" }), rust: await operations.open({ side: "rust" }) };
  },

  async screenshot({ path }) {
    await page.goto("/");
    await page.screenshot({ path });
    return {};
  },
};

await answer(browser, operations);
