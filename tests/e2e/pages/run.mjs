// Drives the pages of a demonstration in Chromium: every task, in every language, on a phone and a desk, with and
// without scripts. `node run.mjs --binary target/debug/guest-vault [--pictures DIR] [--only portal]`
import { parseArgs } from "node:util";
import { portal } from "./portal.mjs";
import { browser as chromium, demonstration, KINDS, visitor } from "./tools.mjs";

const { values } = parseArgs({
  options: { binary: { type: "string" }, pictures: { type: "string" }, only: { type: "string" } },
});

const demo = await demonstration(values.binary);
const browser = await chromium();
let failed = 0;
try {
  const contacts = Object.values(demo.contacts);
  const drives = {
    portal: (visit, at) => portal(visit, demo, contacts[at % contacts.length], values.pictures),
  };
  for (const [name, drive] of Object.entries(drives)) {
    if (values.only && values.only !== name) continue;
    for (const [at, kind] of KINDS.entries()) {
      const told = `${name}, ${kind.language}, ${kind.width} pixels, ${kind.scripts ? "with" : "without"} scripts`;
      const visit = await visitor(browser, demo.url, kind);
      try {
        await drive(visit, at);
      } catch (error) {
        visit.faults.push(`${error.message} (at ${visit.page.url()})`);
      }
      await visit.context.close();
      console.log(`${visit.faults.length === 0 ? "ok  " : "FAIL"} ${told}`);
      for (const fault of visit.faults) console.log(`     ${fault}`);
      failed += visit.faults.length;
    }
  }
} finally {
  await browser.close();
  await demo.end();
}
process.exit(failed === 0 ? 0 : 1);
