// The compliance console in a browser: every task, in both languages, on a phone's and a desk's width; no serious finding
// of axe; nothing fetched from elsewhere; the log checked by the browser itself. Then the sign-in at a real OpenID
// provider (npm `oidc-provider`).
//
//   node console.mjs [target/debug/guest-vault] [folder for screenshots]

import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { mkdirSync, mkdtempSync, readFileSync, writeFileSync } from "node:fs";
import { createServer } from "node:http";
import { createRequire } from "node:module";
import net from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";

import Provider from "oidc-provider";
import { chromium } from "playwright-core";

const binary = process.argv[2] ?? "target/debug/guest-vault";
const shots = process.argv[3];
const axe = readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");
const RULES = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"];

/** Starts the program; gives the first line of JSON that it says. */
const started = async (...args) => {
  const child = spawn(binary, args, { stdio: ["ignore", "pipe", "inherit"] });
  for await (const line of createInterface({ input: child.stdout })) {
    if (line.startsWith("{")) {
      return { child, told: JSON.parse(line) };
    }
  }
  throw new Error("it did not start");
};

const call = async (vault, role, purpose, method, path, body, actor) => {
  const answer = await fetch(vault.url + path, {
    method,
    headers: {
      authorization: `Bearer ${vault.keys[role]}`,
      "vault-property": vault.properties[0],
      "vault-purpose": purpose,
      "vault-actor": actor ?? "e2e-1",
      "vault-reason": "case 7",
      "content-type": "application/json",
    },
    body: body && JSON.stringify(body),
  });
  assert.ok(answer.ok, `${method} ${path}: ${answer.status} ${await answer.clone().text()}`);
  return answer.status === 204 ? null : answer.json();
};

/** What there is to work on: requests of three kinds, a reveal to judge, a hold to agree to. */
const prepared = async (vault) => {
  const [first, second] = Object.values(vault.guests);
  const open = (guest, type) => call(vault, "front_desk", "subject_request", "POST", "/v1/requests",
    { guest_id: guest, type, regime: "gdpr", received_via: "front_desk" });
  const erasure = await open(second, "erasure");
  await open(first, "access");
  await call(vault, "compliance_officer", "subject_request", "POST", `/v1/guests/${first}/reveal`, { fields: ["phones"] });
  await call(vault, "compliance_officer", "legal_retention", "POST", `/v1/guests/${first}/holds`,
    { matter: "C-17/26", ground: "legal_claim", review_on: new Date(Date.now() + 20 * 86_400_000).toISOString().slice(0, 10) });
  return { first, second, erasure: erasure.request_id };
};

const checked = async (page, name) => {
  const session = await page.context().newCDPSession(page);
  const { result } = await session.send("Runtime.evaluate", {
    expression: `${axe}; axe.run({ runOnly: ${JSON.stringify(RULES)} }).then((found) => JSON.stringify(found.violations
      .filter((one) => ["serious", "critical"].includes(one.impact)).map((one) => [one.id, one.nodes[0].html])))`,
    awaitPromise: true,
    returnByValue: true,
    allowUnsafeEvalBlockedByCSP: true,
  });
  await session.detach();
  assert.equal(result.value, "[]", `${name}: axe`);
  const wide = await page.evaluate(() => document.documentElement.scrollWidth > innerWidth + 1);
  assert.ok(!wide, `${name}: wider than the window`);
  if (shots) {
    mkdirSync(shots, { recursive: true });
    await page.screenshot({ path: join(shots, `${name}.png`), fullPage: true });
  }
};

const entered = async (browser, vault, role, lang, width) => {
  const context = await browser.newContext({ viewport: { width, height: 900 }, locale: lang });
  const page = await context.newPage();
  page.on("request", (asked) => assert.ok(asked.url().startsWith(vault.url), `fetched from elsewhere: ${asked.url()}`));
  page.on("pageerror", (error) => assert.fail(error.message));
  page.on("console", (said) => assert.notEqual(said.type(), "error", said.text()));
  await page.goto(`${vault.url}/console?lang=${lang}`);
  await checked(page, `sign-in-${lang}-${width}`);
  await page.click(`button[value=${role}]`);
  await page.waitForURL((url) => url.pathname === "/console");
  return { context, page };
};

const PAGES = {
  today: "", requests: "/requests", audit: "/audit", exposure: "/exposure?from=2026-01-01&to=2030-01-01",
  why: "/why?role=front_desk&purpose=stay_service&field=phones", consent: "/consent?standing=1", retention: "/retention",
  disclosures: "/disclosures", processing: "/processing", log: "/log",
};

const demo = async (browser) => {
  const { child, told: vault } = await started("demo", "--port", "0", "--guests", "80", "--json");
  try {
    const { first, second, erasure } = await prepared(vault);
    for (const lang of ["en", "zh"]) {
      for (const width of [390, 1280]) {
        const { context, page } = await entered(browser, vault, "compliance_officer", lang, width);
        assert.equal(await page.getAttribute("html", "lang"), lang);
        for (const [name, path] of [...Object.entries(PAGES), ["request", `/requests/${erasure}`],
          ["access", `/guests/${first}/access`], ["plan", `/retention/${first}`]]) {
          const answer = await page.goto(`${vault.url}/console${path}`);
          assert.equal(answer.status(), 200, path);
          await checked(page, `${name}-${lang}-${width}`);
          assert.doesNotMatch(await page.textContent("main"), /console\.[a-z_]+\./, `${name}: a text is missing`);
        }
        // The log, checked by this browser: all of it, and again as grown from what it saw before.
        await page.goto(`${vault.url}/console/log`);
        for (const button of ["#check-all", "#check-some"]) {
          await page.click(button);
          await page.waitForSelector("#verdict.done, #verdict.wrong");
          assert.ok(await page.isVisible("#verdict.done"), await page.textContent("#checks"));
          assert.equal(await page.locator("#checks li.bad").count(), 0);
        }
        await checked(page, `log-checked-${lang}-${width}`);
        await context.close();
      }
    }
    // A server that lies is found out: one byte of a bundle, and another key.
    {
      const { context, page } = await entered(browser, vault, "auditor", "en", 1280);
      await page.goto(`${vault.url}/console/log`);
      await page.route("**/console/log/tile/entries/**", async (route) => {
        const answer = await route.fetch();
        const body = await answer.body();
        body[body.length - 2] ^= 1;
        await route.fulfill({ response: answer, body });
      });
      await page.click("#check-all");
      await page.waitForSelector("#verdict.wrong");
      await page.unroute("**/console/log/tile/entries/**");
      const key = await page.inputValue("#vkey");
      await page.fill("#vkey", key.replace(/.$/, (last) => (last === "A" ? "B" : "A")));
      await page.click("#check-some");
      await page.waitForSelector("#verdict.wrong");
      // An auditor changes nothing: no form but the bundle and the way out.
      for (const path of ["", "/audit", "/log"]) {
        await page.goto(`${vault.url}/console${path}`);
        assert.deepEqual(await page.$$eval("form[method=post]", (all) => all.map((form) => form.getAttribute("action"))),
          ["/console/sign-out"]);
      }
      await context.close();
    }
    // Officer verifies; approver decides exactly what was seen; the case is done or waits.
    const officer = await entered(browser, vault, "compliance_officer", "en", 1280);
    await officer.page.goto(`${vault.url}/console/requests/${erasure}`);
    await officer.page.click("button[value=passed]");
    await officer.page.waitForSelector(".note.done");
    // One click from Today to act on a reveal.
    await officer.page.goto(`${vault.url}/console`);
    await officer.page.click("#reveals a.button");
    assert.ok(await officer.page.isVisible("dl.facts"));
    const approver = await entered(browser, vault, "general_manager", "en", 1280);
    await approver.page.goto(`${vault.url}/console/requests/${erasure}`);
    await approver.page.click("button[value=approve]");
    await approver.page.waitForSelector(".note.done");
    const state = await call(vault, "compliance_officer", "subject_request", "GET", `/v1/requests/${erasure}`);
    assert.match(state.state, /^(done|waiting)$/);
    await approver.page.goto(`${vault.url}/console/retention/${first}`);
    await approver.page.click("button[value=approve]");
    await approver.page.waitForSelector(".note.done");
    // Questions of identity are answered from the keyboard.
    const steward = await entered(browser, vault, "crm", "en", 1280);
    await steward.page.goto(`${vault.url}/console/reviews`);
    await checked(steward.page, "reviews-en-1280");
    if (await steward.page.isVisible("#answer")) {
      await steward.page.keyboard.press("l");
      await steward.page.waitForSelector(".note.done");
    }
    assert.ok(second);
    for (const { context } of [officer, approver, steward]) {
      await context.close();
    }
  } finally {
    child.kill("SIGTERM");
  }
};

const freePort = () =>
  new Promise((done) => {
    const server = net.createServer().listen(0, "127.0.0.1", () => {
      const { port } = server.address();
      server.close(() => done(port));
    });
  });

/** An OpenID provider of this machine whose every account is an officer. */
const provided = async (callback) => {
  const port = await freePort();
  const provider = new Provider(`http://127.0.0.1:${port}`, {
    clients: [{ client_id: "console", redirect_uris: [callback], token_endpoint_auth_method: "client_secret_basic",
      client_secret: "a secret with & and +", application_type: "native", id_token_signed_response_alg: "RS256" }],
    claims: { openid: ["sub"], roles: ["role", "properties"] },
    scopes: ["openid", "roles"],
    conformIdTokenClaims: false,
    pkce: { required: () => true },
    findAccount: (_, id) => ({ accountId: id, claims: () => ({ sub: id, role: "gv-officer", properties: "GROUP" }) }),
  });
  const server = createServer(provider.callback()).listen(port, "127.0.0.1");
  return { issuer: `http://127.0.0.1:${port}`, server };
};

const openid = async (browser) => {
  const folder = mkdtempSync(join(tmpdir(), "console-"));
  const port = await freePort();
  const address = `http://127.0.0.1:${port}`;
  const { issuer, server } = await provided(`${address}/console/callback`);
  writeFileSync(join(folder, "secret"), "a secret with & and +\n");
  writeFileSync(join(folder, "vault.toml"), `
data_dir = "${folder}/data"
[server]
port = ${port}
[console.sign_in]
issuer = "${issuer}"
client_id = "console"
client_secret_file = "${folder}/secret"
address = "${address}"
scopes = ["roles"]
algorithms = ["RS256"]
roles = { "gv-officer" = "compliance_officer" }
`);
  const { child } = await started("--config", join(folder, "vault.toml"), "serve", "--json");
  try {
    const context = await browser.newContext({ locale: "en" });
    const page = await context.newPage();
    await page.goto(`${address}/console/audit`);
    await page.click("a.button");
    await page.fill("input[name=login]", "o-17");
    await page.fill("input[name=password]", "x");
    await page.click("button[type=submit]");
    await page.click("button[type=submit]");
    await page.waitForURL(`${address}/console/audit`);
    assert.match(await page.textContent("main"), /o-17/, "the look itself is in the log, under the provider's name");
    // The same answer a second time, and in another browser, signs nobody in.
    const other = await browser.newContext();
    const stolen = await other.newPage();
    const answer = await stolen.goto(`${address}/console/callback?code=x&state=y&iss=${encodeURIComponent(issuer)}`);
    assert.equal(answer.status(), 200);
    assert.ok(await stolen.isVisible(".note.wrong"));
    await stolen.goto(`${address}/console`);
    assert.match(stolen.url(), /\/console\/sign-in$/);
    await context.close();
    await other.close();
  } finally {
    child.kill("SIGTERM");
    server.close();
  }
};

const browser = await chromium.launch({ executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium", args: ["--no-sandbox"] });
try {
  await demo(browser);
  console.log("the console: every task, both languages, two widths");
  await openid(browser);
  console.log("sign-in at an OpenID provider");
} finally {
  await browser.close();
}
