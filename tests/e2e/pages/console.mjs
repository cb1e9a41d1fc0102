// The console's pages: every task of officers, auditors, approvers and stewards, as they do it.
import { execFileSync } from "node:child_process";
import { call, download, must, sound, visitor } from "./tools.mjs";

const PEOPLE = [
  ["Achterberg", "Wilhelmina"], ["Bondarenko", "Oleksii"], ["Castiglione", "Ottavia"], ["Dimitrakopoulos", "Yannis"],
  ["Eyzaguirre", "Maite"], ["Fjellheim", "Torbjorn"], ["Gunawardena", "Nimal"], ["Hryhorenko", "Zlata"],
  ["Iwaniuk", "Kazimierz"], ["Jokinen", "Aleksanteri"], ["Kvaratskhelia", "Tamar"], ["Lindqvist", "Ragnhild"],
  ["Mbeki", "Thandiwe"], ["Nasrallah", "Fairuz"], ["Oyelaran", "Babatunde"], ["Papanikolaou", "Eleftheria"],
  ["Quintanilla", "Xochitl"], ["Rakotomalala", "Hery"], ["Sigurdardottir", "Hafdis"], ["Tchaikovsky", "Modest"],
  ["Ubukata", "Chieko"], ["Vandenbroucke", "Joachim"], ["Wickramasinghe", "Dilani"], ["Yilmaztekin", "Gulsah"],
];

const inDays = (days) => new Date(Date.now() + days * 86_400_000).toISOString().slice(0, 10);

const phoneOf = (at, number) => `+351 91 ${2_000_000 + at * 31_337 + number * 7_411}`;

/** Guests and cases of one visit, that no other visit touches. */
async function prepared(demo, at) {
  const put = async (number, source, more = {}) => {
    const [surname, given] = PEOPLE[(at * 3 + number) % PEOPLE.length];
    const phone = phoneOf(at, number);
    const record = {
      guest: { name: { surname, given }, phones: [{ number: phone }], ...more },
      stays: [{ reservation: `E-${source}-${at}-${number}`, property: demo.properties[0], arrival: inDays(-1),
        departure: inDays(3), status: "checked_in" }],
    };
    return call(demo, "integration", "booking", "PUT", `/v1/records/${source}/e2e-${at}-${number}`, record);
  };
  const kept = (await put(0, "web")).guest_id;
  const erased = (await put(1, "web")).guest_id;
  await put(2, "web");
  const namesake = await put(2, "ota");
  must(namesake.resolution.outcome === "review", `a question of identity: ${namesake.resolution.outcome}`);
  const open = (guest, type) => call(demo, "front_desk", "subject_request", "POST", "/v1/requests",
    { guest_id: guest, type, regime: "gdpr", received_via: "front_desk" });
  const erasure = (await open(erased, "erasure")).request_id;
  const access = (await open(kept, "access")).request_id;
  const actor = `reveals-${at}`;
  await call(demo, "compliance_officer", "subject_request", "POST", `/v1/guests/${kept}/reveal`, { fields: ["phones"] }, actor);
  const says = (state) => call(demo, "crm", "loyalty", "POST", `/v1/guests/${kept}/consents`,
    { purpose: "marketing_direct", state, channel: "phone", indication: "recorded_statement" });
  await says("given");
  await says("withdrawn");
  const ordered = (await call(demo, "crm", "survey", "POST", "/v1/exports", { fields: ["name", "emails"] })).export_id;
  return { kept, erased, erasure, access, ordered, actor, phone: phoneOf(at, 0) };
}

/** Somebody else at another browser, of the same kind; what it does wrong is a fault of the same visit. */
async function colleague(visit, demo, role) {
  const other = await visitor(visit.context.browser(), demo.url, visit.kind, visit.faults);
  await enter(other, demo, role);
  return other;
}

async function enter({ page }, demo, role) {
  await page.goto(`${demo.url}/console`);
  must(page.url().endsWith("/console/sign-in"), `led to ${page.url()}`);
  await page.click(`button[value=${role}]`);
  must(new URL(page.url()).pathname === "/console", `signed in at ${page.url()}`);
}

const saved = async (page) => must((await page.locator("[role=status]").count()) > 0, `what was done is told at ${page.url()}`);
const figure = async (page, key) => Number((await page.innerText(`[data-figure=${key}]`)).replace(/\D/g, ""));

/** Point 7: what is due, and one click to act. */
async function today({ visit, demo, look, made }) {
  const { page } = visit;
  await page.goto(`${demo.url}/console`);
  await look("today");
  const before = await figure(page, "reveals");
  await page.click(`#reveals tr:has-text("${made.actor}") a.button`);
  await page.click("button[value=justified]");
  await saved(page);
  must((await figure(page, "reveals")) === before - 1, "a judged reveal is counted no more");
}

/** Point 8: a request from intake to decision, by two people. */
async function requests({ visit, demo, look, made, approver }) {
  const { page } = visit;
  await page.goto(`${demo.url}/console/requests`);
  await look("requests");
  // What came by letter is taken in by a contact that is looked up and not kept.
  await page.click("a[href='/console/requests/new']");
  await look("intake");
  await page.selectOption("#kind", "objection");
  await page.selectOption("#via", "letter");
  await page.fill("#on", inDays(-3));
  await page.fill("#contact", "no contact");
  await page.click("main form.card button");
  must((await page.locator("[role=alert]").count()) === 1, "a wrong contact is told");
  await page.fill("#contact", made.phone);
  await page.click("main form.card button");
  await saved(page);
  must((await page.innerText("dl.facts")).includes(made.kept), "it is the guest's");
  await page.goto(`${demo.url}/console/requests`);
  await page.click(`a[href$="${made.erasure}"]`);
  await look("request");
  const other = visit.kind.language === "en" ? "zh" : "en";
  await page.click(`#draft a[lang=${other}]`);
  must((await page.getAttribute("#draft-text", "lang")) === other, "the draft is in the guest's language");
  await page.click("button[value=passed]");
  await saved(page);
  await approver.page.goto(`${demo.url}/console/requests/${made.erasure}`);
  await approver.page.click("button[value=approve]");
  await saved(approver.page);
  const state = (await call(demo, "compliance_officer", "subject_request", "GET", `/v1/requests/${made.erasure}`)).state;
  must(["done", "waiting"].includes(state), `approved: ${state}`);
  await page.reload();
  await look("request-decided");
  // The other case is put off, then refused on a ground.
  await page.goto(`${demo.url}/console/requests/${made.access}`);
  await page.click("button[value=passed]");
  await approver.page.goto(`${demo.url}/console/requests/${made.access}`);
  await approver.page.click("details:has(button[value=extend]) summary");
  await approver.page.click("button[value=extend]");
  await saved(approver.page);
  await approver.page.click("details:has(button[value=deny]) summary");
  await approver.page.selectOption("#denial", "manifestly_unfounded");
  await approver.page.click("button[value=deny]");
  await saved(approver.page);
  const denied = await call(demo, "compliance_officer", "subject_request", "GET", `/v1/requests/${made.access}`);
  must(denied.state === "denied" && denied.extended, `refused: ${denied.state}`);
}

/** Point 9: the log, filters that survive a reload and can be handed on, one entry, one guest, the exposure. */
async function audit({ visit, demo, look, made, auditor }) {
  const { page } = visit;
  await page.goto(`${demo.url}/console/audit`);
  await look("audit");
  await page.selectOption("#f-action", "reveal");
  await page.fill("#f-actor", made.actor);
  await page.click("form[role=search] button");
  const address = page.url();
  must(address.includes("action=reveal") && address.includes(`actor=${made.actor}`), address);
  const found = () => page.locator("section[aria-labelledby=found-head] tbody tr").count();
  must((await found()) === 1, "one reveal was found");
  await page.reload();
  must((await found()) === 1 && (await page.inputValue("#f-actor")) === made.actor, "a reload keeps the filters");
  await auditor.page.goto(address);
  must((await auditor.page.inputValue("#f-action")) === "reveal", "a colleague sees the same search");
  must((await auditor.page.locator("svg.chart rect.all").count()) === 14, "a bar for each day");
  await page.click("section[aria-labelledby=found-head] tbody th a");
  // Its place in the log comes within a second or two.
  for (let tries = 0; tries < 20 && (await page.locator("a[href$=receipt]").count()) === 0; tries += 1) {
    await page.waitForTimeout(500);
    await page.reload();
  }
  await look("entry");
  const receipt = await download(page, "a[href$=receipt]");
  must(receipt.bytes.toString().startsWith("c2sp.org/tlog-proof@v1"), "a receipt");
  await page.click(`a[href="/console/guests/${made.kept}/access"]`);
  await look("access");
  const report = await download(page, "a[href$='/access/file']");
  must(JSON.parse(report.bytes).complete, "the report is whole");
  await page.goto(`${demo.url}/console/exposure`);
  await page.fill("#x-from", inDays(-1));
  await page.fill("#x-to", inDays(0));
  await page.fill("#x-actor", made.actor);
  await page.click("form[action='/console/exposure'] button");
  await look("exposure");
  must((await figure(page, "guests")) === 1, "one guest was shown to whom revealed");
  const exposure = JSON.parse((await download(page, "a[href*='/exposure/file']")).bytes);
  must(exposure.exposed[0].guest_id === made.kept, "the guest that was revealed");
}

/** Point 10: why, what if, and who may see what. */
async function why({ visit, demo, look }) {
  const { page } = visit;
  await page.goto(`${demo.url}/console/why`);
  await page.selectOption("#w-role", "housekeeping");
  await page.selectOption("#w-field", "phones");
  await page.selectOption("#w-purpose", "stay_service");
  await page.click("form[action='/console/why'] button");
  await look("why");
  must((await page.locator("#answer-head").count()) === 1, "an answer");
  must((await page.locator("section[aria-labelledby=other-head] li").count()) > 0, "what would change it");
  must((await page.locator("table.matrix tbody tr").count()) > 20, "a row for each role");
}

/** Points 11 and 13: consent, disclosures, the register, and the bundle, checked by the program. */
async function registers({ visit, demo, look, made, binary }) {
  const { page } = visit;
  await page.goto(`${demo.url}/console/consent`);
  await page.click("a[href='/console/consent?standing=1']");
  await look("consent");
  must((await page.innerText("#withdrawals")).includes(made.kept.slice(-8)), "the withdrawal is listed");
  await page.goto(`${demo.url}/console/disclosures`);
  await page.selectOption("#d-to-whom", { index: 1 });
  await page.click("form[action='/console/disclosures'] button");
  await look("disclosures");
  await download(page, "a[href*='/disclosures/file']");
  await page.goto(`${demo.url}/console/processing`);
  await look("processing");
  const bundle = await download(page, "form[action='/console/bundle'] button");
  const told = execFileSync(binary, ["audit", "verify", "--bundle", bundle.path, "--vkey", demo.log_vkey]).toString();
  must(/^complete +yes$/m.test(told), told);
}

/** Point 12: the rules, one guest's plan, holds by two people, counting without deleting. */
async function retention({ visit, demo, look, made, approver }) {
  const { page } = visit;
  await page.goto(`${demo.url}/console/retention`);
  await page.click("form[action$=simulation] button");
  await saved(page);
  await look("retention");
  must((await page.locator("#runs tbody tr").count()) >= 1, "the run is listed");
  must((await page.locator("#calendar tbody tr").count()) === 7, "a line for each day of the week to come");
  await page.fill("#guest", made.kept);
  await page.click("form[action='/console/retention'] button");
  must(page.url().endsWith(`/console/retention/${made.kept}`), page.url());
  await page.click("details:has(#matter) summary");
  await page.fill("#matter", "C-17/26");
  await page.fill("#review", inDays(20));
  await page.click("form:has(#matter) button");
  await saved(page);
  await look("plan");
  await approver.page.goto(page.url());
  await approver.page.click(".hold button[value=approve]");
  await saved(approver.page);
  await approver.page.click(".hold button[value=lift]");
  await saved(approver.page);
}

/** Point 14: the log, checked by the browser itself, and a server that lies. */
async function log({ visit, demo, look, auditor }) {
  const { page } = visit;
  await page.goto(`${demo.url}/console/log`);
  await look("log");
  if (!visit.kind.scripts) return;
  for (const button of ["#check-all", "#check-some"]) {
    await page.click(button);
    await page.waitForSelector("#verdict.done, #verdict.wrong");
    must(await page.isVisible("#verdict.done"), await page.innerText("#checks"));
    must((await page.locator("#checks li.bad").count()) === 0, "every check is good");
  }
  await look("log-checked");
  const liar = auditor.page;
  await liar.goto(`${demo.url}/console/log`);
  await liar.route("**/console/log/tile/entries/**", async (route) => {
    const answer = await route.fetch();
    const body = await answer.body();
    body[body.length - 2] ^= 1;
    await route.fulfill({ response: answer, body });
  });
  await liar.click("#check-all");
  await liar.waitForSelector("#verdict.wrong");
  await liar.unroute("**/console/log/tile/entries/**");
  await liar.fill("#vkey", demo.log_vkey.replace(/.$/, (last) => (last === "A" ? "B" : "A")));
  await liar.click("#check-some");
  await liar.waitForSelector("#verdict.wrong");
}

/** Point 15: two that may be one, side by side, from the keyboard. */
async function reviews({ demo, pictures, steward }) {
  const { page, kind } = steward;
  await page.goto(`${demo.url}/console/reviews`);
  await sound(steward, "console-reviews", pictures);
  must((await page.locator("table.pair tbody tr").count()) > 0, "the two side by side");
  for (const key of ["l", "d"]) {
    if (kind.scripts) await page.keyboard.press(key);
    else await page.click(`button[data-key=${key}]`);
    await page.waitForSelector("[role=status]");
  }
}

/** Many guests at once: another person agrees to what somebody has ordered. */
async function exports({ visit, demo, look, made, approver }) {
  const { page } = visit;
  const form = `form[action$='${made.ordered}']`;
  await page.goto(`${demo.url}/console/exports`);
  await look("exports");
  must((await page.locator(form).count()) === 1, "the order is listed");
  await approver.page.goto(`${demo.url}/console`);
  const waiting = await figure(approver.page, "exports");
  await approver.page.goto(`${demo.url}/console/exports`);
  await approver.page.click(`${form} button[value=true]`);
  await saved(approver.page);
  must((await approver.page.locator(form).count()) === 0, "it waits no more");
  await approver.page.goto(`${demo.url}/console`);
  must((await figure(approver.page, "exports")) === waiting - 1, "a decided export is counted no more");
  const { state } = await call(demo, "crm", "survey", "GET", `/v1/exports/${made.ordered}`);
  must(state === "approved", state);
}

/** An auditor changes nothing: no form but the bundle's and the way out; what it may not see is not offered. */
async function readsOnly({ demo, auditor }) {
  const { page } = auditor;
  const links = () => page.$$eval("nav.pages a", (all) => all.map((link) => link.getAttribute("href")));
  await page.goto(`${demo.url}/console`);
  for (const path of await links()) {
    await page.goto(demo.url + path);
    const forms = await page.$$eval("form[method=post]", (all) => all.map((form) => form.getAttribute("action")));
    const changing = forms.filter((form) => !["/console/sign-out", "/console/bundle"].includes(form));
    must(changing.length === 0, `${path}: ${changing}`);
  }
  must(!(await links()).some((path) => /requests|reviews|retention|exports/.test(path)), "pages of guests are not offered");
}

export async function consolePages(visit, demo, at, { pictures, binary }) {
  const { page } = visit;
  const look = (name) => sound(visit, `console-${name}`, pictures);
  const made = await prepared(demo, at);
  await page.goto(`${demo.url}/console/sign-in`);
  await look("sign-in");
  await enter(visit, demo, "compliance_officer");
  const [approver, auditor, steward] = await Promise.all(
    ["general_manager", "auditor", "crm"].map((role) => colleague(visit, demo, role)),
  );
  const scene = { visit, demo, look, made, approver, auditor, steward, pictures, binary };
  try {
    for (const task of [today, requests, audit, why, registers, retention, exports, log, reviews, readsOnly]) {
      await task(scene).catch((error) => {
        throw new Error(`${task.name}: ${error.message}`);
      });
    }
    await page.setViewportSize({ width: Math.max(320, visit.kind.width / 2), height: 900 });
    for (const path of ["", "/audit", "/why", "/consent", "/retention", "/exports", "/processing", "/log"]) {
      await page.goto(`${demo.url}/console${path}`);
      await look(`zoomed${path.replace("/", "-")}`);
    }
    await page.click("form[action='/console/sign-out'] button");
    must(page.url().endsWith("/console/sign-in"), "signed out");
  } finally {
    await Promise.all([approver, auditor, steward].map((other) => other.context.close()));
  }
}
