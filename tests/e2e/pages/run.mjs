// Drives the pages in Chromium: every task, in every language, on a phone and a desk, with and without scripts; then the
// ways in and what must not be one. `node run.mjs --binary target/debug/guest-vault [--pictures DIR] [--only NAME]`
import { resolve } from "node:path";
import { parseArgs } from "node:util";
import { attacks } from "./attacks.mjs";
import { consolePages } from "./console.mjs";
import { openid } from "./openid.mjs";
import { portal } from "./portal.mjs";
import { sending } from "./sending.mjs";
import { browser as chromium, demonstration, KINDS, visitor } from "./tools.mjs";

const { values } = parseArgs({
  options: { binary: { type: "string" }, pictures: { type: "string" }, only: { type: "string" } },
});
const binary = resolve(values.binary);
const { pictures } = values;

const browser = await chromium();
let failed = 0;

const wanted = (name) => !values.only || values.only === name;

function told(faults, what) {
  console.log(`${faults.length === 0 ? "ok  " : "FAIL"} ${what}`);
  for (const fault of faults) console.log(`     ${fault}`);
  failed += faults.length;
}

/** One drive for each kind of visit, over a demonstration of its own. */
async function everyKind(name, drive) {
  if (!wanted(name)) return;
  const demo = await demonstration(binary, 20);
  try {
    for (const [at, kind] of KINDS.entries()) {
      const visit = await visitor(browser, demo.url, kind);
      try {
        await drive(visit, demo, at);
      } catch (error) {
        visit.faults.push(`${error.message} (at ${visit.page.url()})`);
      }
      await visit.context.close();
      const scripts = kind.scripts ? "with" : "without";
      told(visit.faults, `${name}, ${kind.language}, ${kind.width} pixels, ${scripts} scripts`);
    }
  } finally {
    await demo.end();
  }
}

/** A drive that is done once. */
async function once(name, drive) {
  if (!wanted(name)) return;
  const faults = [];
  await drive().catch((error) => faults.push(error.message));
  told(faults, name);
}

try {
  await everyKind("portal", (visit, demo, at) => {
    const contacts = Object.values(demo.contacts);
    return portal(visit, demo, contacts[at % contacts.length], pictures);
  });
  await everyKind("console", (visit, demo, at) => consolePages(visit, demo, at, { pictures, binary }));
  await once("openid", () => openid(browser, binary));
  await once("sending", () => sending(browser, binary));
  await once("attacks", async () => {
    const demo = await demonstration(binary, 5);
    await attacks(browser, demo).finally(demo.end);
  });
} finally {
  await browser.close();
}
process.exit(failed === 0 ? 0 : 1);
