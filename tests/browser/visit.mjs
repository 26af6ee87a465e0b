// Opens files in Chromium and tells what happened there: JSON in on stdin, JSON out on stdout.
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";

const asked = JSON.parse(readFileSync(0, "utf8"));
const require = createRequire(`${asked.packages}/`);
const { chromium } = require("playwright-core");
const axe = readFileSync(require.resolve("axe-core/axe.min.js"), "utf8");

async function visit(browser, wanted) {
  const found = { messages: [], dialogs: 0, requests: [], values: [], violations: [] };
  const settings = {
    viewport: { width: wanted.width, height: 900 }, colorScheme: wanted.scheme, offline: true,
    javaScriptEnabled: wanted.scripts, bypassCSP: wanted.axe,
  };
  const page = await (await browser.newContext(settings)).newPage();
  page.on("console", (message) => found.messages.push(message.text()));
  page.on("pageerror", (error) => found.messages.push(error.message));
  page.on("dialog", (dialog) => { found.dialogs += 1; dialog.dismiss(); });
  page.on("request", (request) => found.requests.push(request.url().slice(0, 100)));
  await page.goto(`file://${encodeURI(wanted.file).replaceAll("#", "%23").replaceAll("?", "%3F")}`);
  for (const step of wanted.steps) {
    const isCode = typeof step === "string"; // else a deed: ["hover", "#image", ...]
    found.values.push(isCode ? await page.evaluate(step) : await page[step[0]](...step.slice(1)));
  }
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
