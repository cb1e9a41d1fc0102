// What every drive through the pages needs: the demonstration, a browser of every kind, and the checks that hold on
// every page.
import { spawn } from "node:child_process";
import { readFileSync } from "node:fs";
import { mkdir } from "node:fs/promises";
import { createRequire } from "node:module";
import { createInterface } from "node:readline";
import { chromium } from "playwright-core";

const axe = readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");

/** Every kind of visit: language, width, with and without scripts. */
export const KINDS = ["en", "zh"].flatMap((language) =>
  [390, 1280].flatMap((width) => [true, false].map((scripts) => ({ language, width, scripts }))),
);

/** A demonstration, ready: what it printed, and how to end it. */
export async function demonstration(binary) {
  const child = spawn(binary, ["demo", "--port", "0", "--guests", "20", "--json"], { stdio: ["ignore", "pipe", "inherit"] });
  const lines = createInterface({ input: child.stdout });
  const line = await new Promise((ready, failed) => {
    lines.once("line", ready);
    child.once("exit", (code) => failed(new Error(`the demonstration ended: ${code}`)));
  });
  child.removeAllListeners("exit");
  const end = () => new Promise((ended) => child.once("exit", ended) && child.kill("SIGTERM"));
  return { ...JSON.parse(line), end };
}

export async function browser() {
  const executablePath = process.env.CHROMIUM ?? "/usr/bin/chromium";
  return chromium.launch({ executablePath, args: ["--no-sandbox", "--disable-dev-shm-usage"] });
}

/** A new visitor. Whatever the page does that it must not is collected in `faults`. */
export async function visitor(browser, url, kind) {
  const context = await browser.newContext({
    locale: kind.language,
    viewport: { width: kind.width, height: 900 },
    javaScriptEnabled: kind.scripts,
    acceptDownloads: true,
  });
  const page = await context.newPage();
  const faults = [];
  page.on("request", (request) => {
    if (!request.url().startsWith(url)) faults.push(`a request to elsewhere: ${request.url()}`);
  });
  page.on("console", (message) => {
    if (message.type() === "error") faults.push(`console: ${message.text()}`);
  });
  page.on("pageerror", (error) => faults.push(`script: ${error.message}`));
  return { context, page, faults, kind };
}

/** What holds on every page: language, one heading, nothing wider than the screen, no serious finding of axe. */
export async function sound(visit, name, pictures) {
  const { page, faults, kind } = visit;
  const seen = await page.evaluate(() => ({
    language: document.documentElement.lang,
    headings: document.querySelectorAll("h1").length,
    wide: document.documentElement.scrollWidth - document.documentElement.clientWidth,
    keys: [...document.body.innerText.matchAll(/\b(portal|console|common|error|flash)\.[a-z_]+\.?[a-z_]*/g)].map((m) => m[0]),
  }));
  if (seen.language !== kind.language) faults.push(`${name}: the page is in ${seen.language}`);
  if (seen.headings !== 1) faults.push(`${name}: ${seen.headings} first headings`);
  if (seen.wide > 0) faults.push(`${name}: ${seen.wide} pixels wider than the screen`);
  if (seen.keys.length > 0) faults.push(`${name}: texts are missing: ${seen.keys}`);
  if (kind.scripts) {
    await page.evaluate(axe);
    const found = await page.evaluate(async () => {
      const tags = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"];
      const { violations } = await globalThis.axe.run(document, { runOnly: tags });
      return violations.map((v) => `${v.impact} ${v.id}: ${v.nodes.map((node) => node.target).join(" ")}`);
    });
    // Minor ones too: there is none, and there shall be none.
    faults.push(...found.map((one) => `${name}: ${one}`));
  }
  if (pictures) {
    await mkdir(pictures, { recursive: true });
    const file = `${pictures}/${name}-${kind.language}-${kind.width}${kind.scripts ? "" : "-plain"}.png`;
    await page.screenshot({ path: file, fullPage: true });
  }
}

export function must(condition, what) {
  if (!condition) throw new Error(what);
}
