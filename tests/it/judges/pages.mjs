// Looks at the pages of a running demo as people do: with a browser, its keyboard, a phone's width, and without a script.
// Arguments: the address, the operators' token. Prints what it found: nothing but an empty list is right.

import { createRequire } from "node:module";
import { readFileSync } from "node:fs";

const require = createRequire(process.cwd() + "/");
const { chromium } = require("playwright-core");
const axe = readFileSync(require.resolve("axe-core"), "utf8");
const [base, token] = process.argv.slice(2);
const bearer = { authorization: `Bearer ${token}` };
const found = [];
const wrong = (text) => found.push(text);
const expect = (holds, text) => holds || wrong(text);

const browser = await chromium.launch({
  executablePath: "/usr/bin/chromium",
  args: ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync"],
});

async function api(path, method = "GET", body) {
  const headers = { ...bearer, "content-type": "application/json" };
  const answer = await fetch(base + path, { method, headers, body: body && JSON.stringify(body) });
  return answer.json();
}

/** Waits for something, up to twenty seconds; how long it took in milliseconds. */
async function until(what, holds) {
  const began = performance.now();
  while (performance.now() - began < 20_000) {
    if (await holds()) return performance.now() - began;
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  wrong(`never: ${what}`);
  return Infinity;
}

/** A page whose console, requests and errors are watched. */
async function open(options = {}) {
  const context = await browser.newContext({ viewport: { width: 1280, height: 900 }, ...options });
  const page = await context.newPage();
  page.setDefaultTimeout(20_000);
  page.on("console", (message) => {
    // A browser tells of every answer that refuses, whoever expected it.
    const expected = message.text().includes("status of 401");
    if (["error", "warning"].includes(message.type()) && !expected) wrong(`${page.url()}: console: ${message.text()}`);
  });
  page.on("pageerror", (error) => wrong(`${page.url()}: ${error.message}`));
  page.on("request", (request) => {
    if (!request.url().startsWith(base) && !request.url().startsWith("data:")) wrong(`${page.url()} asks ${request.url()}`);
  });
  return { context, page };
}

const states = ["/ops", "/ops/checks", "/ops/checks?window=28d", "/ops/checks/site", "/ops/checks/site?span=24h",
  "/ops/checks/site?span=7d", "/ops/checks/site?span=90d", "/ops/promises", "/ops/promises/uptime?span=28d",
  "/ops/promises/payment-success", "/ops/alerts", "/ops/shop", "/ops/traffic", "/ops/traffic?span=24h",
  "/ops/traffic?span=7d", "/ops/agent"];

/** Every page, narrow and wide, light and dark: no violation, nothing beyond the edge, letters that can be read. */
async function everyPage() {
  for (const [width, colorScheme] of [[360, "dark"], [360, "light"], [768, "dark"], [1280, "light"]]) {
    // The page's policy forbids scripts from elsewhere, the judge's too; in this context alone it is allowed in.
    const { context, page } = await open({ viewport: { width, height: 800 }, colorScheme, bypassCSP: true });
    await context.setExtraHTTPHeaders(bearer);
    for (const path of ["/", "/login", ...states]) {
      await page.goto(base + path);
      const wide = await page.evaluate(() => document.documentElement.scrollWidth - window.innerWidth);
      expect(wide <= 0, `${path} at ${width}: ${wide} px beyond the edge`);
      const small = await page.evaluate(() => [...document.querySelectorAll("svg text")].map((text) => text.getBoundingClientRect())
        .filter((box) => box.width > 0 && box.height < 11).length);
      expect(small === 0, `${path} at ${width}: ${small} labels of charts are too small to read`);
      const cut = await page.evaluate(() => [...document.querySelectorAll(".scroll:has(.stack)")]
        .filter((box) => box.scrollWidth > box.clientWidth).map((box) => box.textContent.slice(0, 40)));
      expect(width > 360 || cut.length === 0, `${path} at ${width}: one must scroll sideways for ${cut}`);
      await page.evaluate(axe);
      const { violations } = await page.evaluate(() => window.axe.run());
      for (const one of violations) wrong(`${path} at ${width}, ${colorScheme}: ${one.id}: ${one.nodes[0].target}`);
    }
    await context.close();
  }
}

/** A fault and its end show by themselves; who is in the middle of something is left alone. */
async function live() {
  const { context, page } = await open();
  await page.goto(base + "/");
  await page.locator("#live").filter({ hasText: "live" }).waitFor();
  await page.evaluate(() => { window.untouched = true; });
  const site = async () => (await api("/api/v1/checks/site")).status;
  const shown = async () => (await page.locator("#part-shop .word").getAttribute("class")).split(" ")[1];
  const took = [];
  for (const [on, status, wanted] of [[true, "failed", /impaired|down/], [false, "ok", /well/], [true, "failed", /impaired|down/], [false, "ok", /well/]]) {
    await (on ? api("/faults/site-down", "POST", { on }) : api("/faults/site-down", "DELETE"));
    took.push(await until(`the page to tell that the site is ${status}`, async () => wanted.test(await shown())));
    expect((await site()) === status, `the site is not ${status}`);
  }
  expect(Math.max(...took) <= 2_000, `a change shows after ${took.map(Math.round)} ms`);
  expect(await page.evaluate(() => window.untouched), "the page was loaded anew");
  await context.close();
}

/** By the keyboard alone: log in, acknowledge, silence, end it, log out. */
async function operator() {
  await api("/faults/stuck-orders", "POST", { on: true });
  const alert = async () => (await api("/api/v1/alerts")).find((one) => one.key === "check/stuck-orders");
  await until("stuck orders to fire", async () => (await alert())?.state === "firing");
  const { context, page } = await open();
  await page.goto(base + "/ops/alerts");
  expect(page.url().includes("/login"), "operators' pages are open to everybody");
  const type = async (selector, text) => {
    await page.locator(selector).first().focus();
    await page.keyboard.type(text);
  };
  await type("#token", "not-the-token-at-all");
  await page.keyboard.press("Enter");
  await page.locator(".error").waitFor();
  await type("#name", "ana");
  await type("#token", token);
  await page.keyboard.press("Enter");
  await page.waitForURL("**/ops/alerts");
  const form = "#alert-check-stuck-orders form";
  expect((await page.locator(`${form} [name=by]`).inputValue()) === "ana", "who logged in is not known");
  await type(`${form} [name=comment]`, "looking at it");
  // What is typed stays while the page changes around it.
  await api("/faults/site-down", "POST", { on: true });
  await page.locator("#alert-check-site").waitFor();
  expect((await page.locator(`${form} [name=comment]`).inputValue()) === "looking at it", "what was typed is gone");
  await page.keyboard.press("Enter");
  await page.waitForURL("**/ops/alerts?said=acknowledged");
  await until("the acknowledgement", async () => (await alert()).acknowledgedBy === "ana");
  await page.locator("#silence-new summary").focus();
  await page.keyboard.press("Enter");
  await page.locator("#silence-new select[name=about]").selectOption("check=site");
  await type("#silence-new [name=comment]", "it is known");
  await page.keyboard.press("Enter");
  await page.waitForURL("**/ops/alerts?said=silenced");
  await until("the silence", async () => (await api("/api/v1/silences")).length === 1);
  await page.locator("[id^=silence-]:not(details) button").first().focus();
  await page.keyboard.press("Enter");
  await page.waitForURL("**/ops/alerts?said=ended");
  await until("the end of the silence", async () => (await api("/api/v1/silences")).length === 0);
  // Every stop of the keyboard is seen.
  await page.goto(base + "/ops");
  await page.keyboard.press("Tab");
  expect(await page.evaluate(() => document.activeElement.className) === "skip", "the first stop is not the way to the content");
  for (let stop = 0; stop < 12; stop++) {
    const seen = await page.evaluate(() => {
      const style = getComputedStyle(document.activeElement);
      return style.outlineStyle !== "none" && parseFloat(style.outlineWidth) > 0;
    });
    expect(seen, `the keyboard's place is not seen at stop ${stop}`);
    await page.keyboard.press("Tab");
  }
  await page.locator("form[action='/logout'] button").focus();
  await page.keyboard.press("Enter");
  await page.waitForURL((url) => !url.pathname.startsWith("/ops"));
  await page.goto(base + "/ops");
  expect(page.url().includes("/login"), "the session outlives its end");
  await context.close();
}

/** Rows are found by a word, and stay found while the page changes. */
async function finding() {
  const { context, page } = await open();
  await context.setExtraHTTPHeaders(bearer);
  await page.goto(base + "/ops/checks");
  await page.locator("#live").filter({ hasText: "live" }).waitFor();
  await page.getByLabel("Find").fill("rate limiting");
  const rows = page.locator("#checks tbody tr:visible");
  await until("one row", async () => (await rows.count()) === 1);
  const before = await page.locator("main").innerHTML();
  await until("the page to change", async () => (await page.locator("main").innerHTML()) !== before);
  expect((await rows.count()) === 1 && (await page.getByLabel("Find").inputValue()) === "rate limiting", "what was found is lost");
  await context.close();
}

/** Whoever has no script sees the same and can do the same. */
async function noScript() {
  const { context, page } = await open({ javaScriptEnabled: false, viewport: { width: 390, height: 800 } });
  await page.goto(base + "/");
  expect((await page.locator(".days i").count()) >= 90, "no days without a script");
  expect(await page.locator("#verdict h2").isVisible(), "no verdict without a script");
  await context.setExtraHTTPHeaders(bearer);
  await page.goto(base + "/ops/alerts");
  await page.locator("#silence-new summary").click();
  await page.locator("#silence-new [name=by]").fill("ben");
  await page.locator("#silence-new [name=comment]").fill("no script");
  await page.locator("#silence-new button").click();
  await page.waitForURL("**/ops/alerts?said=silenced");
  expect((await api("/api/v1/silences")).some((one) => one.by === "ben"), "a form does nothing without a script");
  await context.close();
}

/** What visitors get holds nothing of the inside, and is small. */
async function visitors() {
  const checks = (await api("/api/v1/checks")).checks;
  const answer = await fetch(base + "/", { headers: { accept: "text/html", "x-forwarded-for": "203.0.113.9" } });
  const text = await answer.text();
  for (const check of checks.filter((check) => check.reason)) expect(!text.includes(check.reason), `/ tells: ${check.reason}`);
  for (const word of [".toml", "127.0.0.1:", "sqlite", token]) {
    expect(!text.replaceAll(/href="[^"]*"/g, "").includes(word), `/ tells ${word}`);
  }
}

await live();
await operator();
await visitors();
await finding();
await noScript();
await everyPage();
await browser.close();
console.log(JSON.stringify(found, null, 1));
