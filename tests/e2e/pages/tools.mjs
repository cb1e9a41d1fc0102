// What every drive through the pages needs: the demonstration, a browser of every kind, and the checks that hold on
// every page.
import { execFileSync, spawn } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { mkdir } from "node:fs/promises";
import { createRequire } from "node:module";
import net from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { chromium } from "playwright-core";

const axe = readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");

/** Every kind of visit: language, width, with and without scripts. */
export const KINDS = ["en", "zh"].flatMap((language) =>
  [390, 1280].flatMap((width) => [true, false].map((scripts) => ({ language, width, scripts }))),
);

/** A running vault: what it printed once it was ready, and how to end it. */
async function started(binary, args, cwd) {
  const child = spawn(binary, args, { cwd, stdio: ["ignore", "pipe", "inherit"] });
  const lines = createInterface({ input: child.stdout });
  const told = await new Promise((ready, failed) => {
    lines.on("line", (line) => line.startsWith("{") && ready(JSON.parse(line)));
    child.once("exit", (code) => failed(new Error(`${args.join(" ")} ended: ${code}`)));
  });
  child.removeAllListeners("exit");
  const end = () => new Promise((ended) => child.once("exit", ended) && child.kill("SIGTERM"));
  return { ...told, end };
}

/** A demonstration, ready. */
export function demonstration(binary, guests) {
  return started(binary, ["demo", "--port", "0", "--guests", String(guests), "--json"]);
}

/** A vault as operators run it, in a folder of its own: `toml` is its configuration, `files` lie beside it. */
export async function installation(binary, toml, files, roles) {
  const folder = mkdtempSync(join(tmpdir(), "guest-vault-pages-"));
  for (const [name, text] of Object.entries({ ...files, "guest-vault.toml": toml })) {
    writeFileSync(join(folder, name), text, { mode: 0o600 });
  }
  const keys = {};
  for (const role of roles) {
    const create = ["principal", "create", "--role", role, "--property", "GROUP", "--name", role, "--json"];
    keys[role] = JSON.parse(execFileSync(binary, create, { cwd: folder })).key;
  }
  const vault = await started(binary, ["serve", "--json"], folder);
  const end = async () => {
    await vault.end();
    rmSync(folder, { recursive: true });
  };
  return { ...vault, keys, properties: ["MAIN"], folder, end };
}

/** A call of the API; the answer's body. */
export async function call(vault, role, purpose, method, path, body, actor = "e2e-1") {
  const answer = await fetch(vault.url + path, {
    method,
    headers: {
      authorization: `Bearer ${vault.keys[role]}`,
      "vault-property": vault.properties[0],
      "vault-purpose": purpose,
      "vault-actor": actor,
      "vault-reason": "case 7",
      "content-type": "application/json",
    },
    body: body && JSON.stringify(body),
  });
  must(answer.ok, `${method} ${path}: ${answer.status} ${answer.ok ? "" : await answer.text()}`);
  return answer.status === 204 ? null : answer.json();
}

/** A port of this machine that is free now. */
export function freePort() {
  return new Promise((done) => {
    const server = net.createServer().listen(0, "127.0.0.1", () => {
      const { port } = server.address();
      server.close(() => done(port));
    });
  });
}

/** Clicks what gives a file: its name and its bytes. */
export async function download(page, selector) {
  const [file] = await Promise.all([page.waitForEvent("download"), page.click(selector)]);
  const path = await file.path();
  return { name: file.suggestedFilename(), bytes: readFileSync(path), path };
}

export async function browser() {
  const executablePath = process.env.CHROMIUM ?? "/usr/bin/chromium";
  return chromium.launch({ executablePath, args: ["--no-sandbox", "--disable-dev-shm-usage"] });
}

/** A new visitor. Whatever the page does that it must not is collected in `faults`: given, when it is the same visit. */
export async function visitor(browser, url, kind, faults = []) {
  const context = await browser.newContext({
    locale: kind.language,
    viewport: { width: kind.width, height: 900 },
    javaScriptEnabled: kind.scripts,
    acceptDownloads: true,
  });
  const page = await context.newPage();
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
