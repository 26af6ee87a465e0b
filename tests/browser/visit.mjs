// Opens files in Chromium and tells what happened there: JSON in on stdin, JSON out on stdout.
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";

const PATIENCE_MS = 120_000; // for processes that import PyTorch on a machine that is busy

const asked = JSON.parse(readFileSync(0, "utf8"));
const require = createRequire(`${asked.packages}/`);
const { chromium } = require("playwright-core");
const axe = readFileSync(require.resolve("axe-core/axe.min.js"), "utf8");

// Code; or a deed: ["hover", "#image", ...]; ["until", code]; ["within", "#frame", deed, ...] in a
// frame of the page.
async function done(place, step) {
  if (typeof step === "string") return place.evaluate(step);
  const [deed, ...words] = step;
  if (deed === "within") {
    const frame = await (await place.waitForSelector(words[0])).contentFrame();
    return done(frame, words.length === 2 ? words[1] : words.slice(1));
  }
  if (deed === "until") return until(place, words[0]);
  const value = await place[deed](...words);
  return ["goto", "waitForSelector", "screenshot"].includes(deed) ? null : value;
}

// Not Playwright's own waiting, which a strict Content-Security-Policy keeps from evaluating code.
async function until(place, code) {
  for (const end = Date.now() + PATIENCE_MS; Date.now() < end; ) {
    try {
      if (await place.evaluate(code)) return null;
    } catch (error) {
      if (!/context was destroyed|navigation/i.test(error.message)) throw error;
    }
    await new Promise((go) => setTimeout(go, 100));
  }
  throw new Error(`never came true: ${code}`);
}

async function visit(browser, wanted) {
  const found = { messages: [], dialogs: 0, requests: [], values: [], violations: [] };
  const settings = {
    viewport: { width: wanted.width, height: 900 }, colorScheme: wanted.scheme,
    offline: !wanted.address,
    javaScriptEnabled: wanted.scripts, bypassCSP: wanted.axe,
  };
  const page = await (await browser.newContext(settings)).newPage();
  page.on("console", (message) => found.messages.push(message.text()));
  page.on("pageerror", (error) => found.messages.push(error.message));
  page.on("dialog", (dialog) => { found.dialogs += 1; dialog.dismiss(); });
  page.on("request", (request) => found.requests.push(request.url().slice(0, 100)));
  const file = encodeURI(wanted.file).replaceAll("#", "%23").replaceAll("?", "%3F");
  await page.goto(wanted.address || `file://${file}`);
  for (const step of wanted.steps) found.values.push(await done(page, step));
  if (wanted.picture) await page.screenshot({ path: wanted.picture, fullPage: true });
  if (wanted.axe) {
    await page.evaluate(axe);
    found.violations = (await page.evaluate("axe.run()")).violations.map((one) => ({
      impact: one.impact, rule: one.id, first: one.nodes[0].html.slice(0, 200),
    }));
  }
  await page.context().close();
  return found;
}

const browser = await chromium.launch({ executablePath: asked.chromium, args: ["--no-sandbox"] });
const visits = [];
for (const wanted of asked.visits) visits.push(await visit(browser, wanted));
await browser.close();
process.stdout.write(JSON.stringify(visits));
