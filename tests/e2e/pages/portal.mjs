// The guest's pages: every task, as a guest does it.
import { download, must, sound } from "./tools.mjs";

/** The newest code in the outbox for this contact. */
async function code(visit, url, contact) {
  const box = await visit.context.newPage();
  try {
    for (let tries = 0; tries < 50; tries += 1) {
      await box.goto(`${url}/privacy/outbox`);
      const message = box.locator("[data-message]", { has: box.locator("h2", { hasText: contact }) }).first();
      if ((await message.count()) > 0) {
        const digits = (await message.innerText()).match(/\b\d{6}\b/);
        if (digits) return digits[0];
      }
      await box.waitForTimeout(50);
    }
    throw new Error("no code came");
  } finally {
    await box.close();
  }
}

async function signIn(visit, demo, contact, look) {
  const { page } = visit;
  await page.goto(`${demo.url}/privacy`);
  must(page.url().endsWith("/privacy/sign-in"), `led to ${page.url()}`);
  await look("sign-in");
  await page.fill("#contact", "no contact");
  await page.click("main form button");
  must((await page.locator("[role=alert]").count()) === 1, "a wrong contact is told");
  await look("sign-in-wrong");
  await page.fill("#contact", contact);
  await page.click("main form button");
  await look("code");
  await page.fill("#code", "12345");
  await page.click("main form button");
  must((await page.locator("[role=alert]").count()) === 1, "a wrong code is told");
  await page.fill("#code", await code(visit, demo.url, contact));
  await page.click("main form button");
  await look("home");
  must((await page.locator("nav.pages").count()) === 1, "signed in");
}

/** Turns the first purpose that is asked for to `wanted`. */
async function turn(page, wanted) {
  const button = page.locator("section[aria-labelledby=asked] button[role=switch]").first();
  if ((await button.getAttribute("aria-checked")) === wanted) return;
  await button.click();
  await page.waitForLoadState();
  const now = page.locator("section[aria-labelledby=asked] button[role=switch]").first();
  must((await now.getAttribute("aria-checked")) === wanted, `one click turns it ${wanted}`);
  must((await page.locator("[role=status]").count()) === 1, "what was done is told");
}

export async function portal(visit, demo, contact, pictures) {
  const { page } = visit;
  const look = (name) => sound(visit, `portal-${name}`, pictures);
  await signIn(visit, demo, contact, look);

  await page.goto(`${demo.url}/privacy/data`);
  await look("data");
  must(!(await page.innerText("main")).includes(contact), "nothing is shown before it is asked for");
  await page.click("a[href='/privacy/data/contact']");
  await look("contact");
  must((await page.innerText("main")).includes(contact), "the contact is shown");
  await page.goto(`${demo.url}/privacy/data`);
  const drawers = await page.locator(".cards a").evaluateAll((all) => all.map((link) => link.getAttribute("href")));
  for (const path of drawers.filter((path) => /identity|stay|preference/.test(path))) {
    await page.goto(`${demo.url}${path}`);
    await look(path.split("/").pop());
  }
  await page.goto(`${demo.url}/privacy/data/correct`);
  await page.click("main form.card button");
  must((await page.locator("[role=alert]").count()) === 1, "an empty form is told");
  await look("correct");
  await page.fill("#language", visit.kind.language);
  await page.click("main form.card button");
  must(page.url().endsWith("/privacy/data/contact"), "saved");

  await page.goto(`${demo.url}/privacy/agreements`);
  await look("agreements");
  await turn(page, "true");
  await turn(page, "false");
  await look("agreements-off");

  await page.goto(`${demo.url}/privacy/looks?own=1`);
  await look("looks");
  const report = await download(page, "a[href='/privacy/looks/report.json']");
  must(report.name === "access-report.json" && JSON.parse(report.bytes).complete, "the report is whole");

  await page.goto(`${demo.url}/privacy/requests`);
  await look("requests");
  await page.click("form:has(input[value=access]) button");
  must(/\/privacy\/requests\/[0-9a-f-]{36}$/.test(page.url()), `the case: ${page.url()}`);
  await look("request");
  await page.goto(`${demo.url}/privacy/requests/erase`);
  await look("erase");
  await page.click("button.danger");
  must((await page.locator("[role=alert]").count()) === 1, "the tick is asked for");
  await page.check("input[name=sure]");
  await page.click("button.danger");
  must(/\/privacy\/requests\/[0-9a-f-]{36}$/.test(page.url()), `the case: ${page.url()}`);
  await look("erasure");

  // Twice the size: half the width, everything still there.
  await page.setViewportSize({ width: Math.max(320, visit.kind.width / 2), height: 900 });
  for (const path of ["", "/data", "/agreements", "/looks", "/requests"]) {
    await page.goto(`${demo.url}/privacy${path}`);
    await look(`zoomed${path.replace("/", "-")}`);
  }
  await page.setViewportSize({ width: visit.kind.width, height: 900 });

  const other = visit.kind.language === "en" ? "zh" : "en";
  await page.click(`.languages a[hreflang=${other}]`);
  must((await page.getAttribute("html", "lang")) === other, "the language is changed");
  await page.goto(`${demo.url}/privacy?lang=${visit.kind.language}`);
  await page.click(".tools form button");
  must(page.url().endsWith("/privacy/sign-in"), "signed out");
  await page.goto(`${demo.url}/privacy/data`);
  must(page.url().includes("/privacy/sign-in"), "nothing to see any more");
}
