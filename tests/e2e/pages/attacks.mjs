// What another site tries on somebody who is signed in, in a real browser: frames, forms, a stolen page, links that lead
// away. The worst neighbour is taken: the same host at another port, which gets every cookie that is not bound otherwise.
import { createServer } from "node:http";
import { must } from "./tools.mjs";

const page = (url, what) => `<!doctype html><meta charset="utf-8"><title>evil</title>${what}`.replaceAll("VAULT", url);

const TRICKS = {
  "/frame": `<iframe id="f" src="VAULT/console"></iframe><iframe id="g" src="VAULT/privacy/sign-in"></iframe>`,
  "/form": `<form id="f" method="post" action="VAULT/console/sign-out"></form><script>document.getElementById("f").submit()</script>`,
  "/plain": `<form id="f" method="post" enctype="text/plain" action="VAULT/console/retention/runs/simulation"><input name="csrf" value="x"></form><script>document.getElementById("f").submit()</script>`,
  "/fetch": `<script>
    globalThis.told = Promise.all(["/console", "/v1/policy", "/privacy"].map((path) =>
      fetch("VAULT" + path, { credentials: "include" }).then((a) => a.text()).catch(() => "unreadable")));
    globalThis.posted = fetch("VAULT/console/sign-out", { method: "POST", mode: "no-cors", credentials: "include" }).catch(() => {});
  </script>`,
  "/opener": `<script>globalThis.other = open("VAULT/console");</script>`,
};

export async function attacks(browser, demo) {
  const server = createServer((request, answer) => {
    const trick = TRICKS[new URL(request.url, "http://x").pathname];
    answer.writeHead(trick ? 200 : 404, { "content-type": "text/html; charset=utf-8" });
    answer.end(trick ? page(demo.url, trick) : "");
  });
  await new Promise((ready) => server.listen(0, "127.0.0.1", ready));
  const evil = `http://127.0.0.1:${server.address().port}`;
  const context = await browser.newContext({ locale: "en" });
  try {
    const own = await context.newPage();
    await own.goto(`${demo.url}/console/sign-in`);
    await own.click("button[value=compliance_officer]");
    const signedIn = async (when) => {
      await own.goto(`${demo.url}/console`);
      must(own.url() === `${demo.url}/console`, `still signed in after ${when}`);
    };
    const tab = await context.newPage();
    // Clickjacking: neither set of pages lets itself be framed.
    await tab.goto(`${evil}/frame`);
    for (const frame of tab.frames().slice(1)) {
      const text = await frame.evaluate(() => document.body?.innerText ?? "").catch(() => "");
      must(!/Today|Sign in|one-time/.test(text), `a frame shows: ${text.slice(0, 60)}`);
    }
    // Forms of another origin do nothing, even where the cookie comes along.
    for (const trick of ["/form", "/plain"]) {
      // Only the form's own answer counts: a style sheet of the page before may still be on its way.
      const posted = (a) => a.url().startsWith(demo.url) && a.request().method() === "POST";
      const [answer] = await Promise.all([tab.waitForResponse(posted), tab.goto(evil + trick)]);
      must([403, 415].includes(answer.status()), `${trick}: ${answer.status()}`);
      await signedIn(trick);
    }
    // Scripts of another origin read nothing and end nothing.
    await tab.goto(`${evil}/fetch`);
    const told = await tab.evaluate(() => globalThis.told);
    must(told.every((text) => text === "unreadable"), `read by another origin: ${told.map((t) => t.slice(0, 40))}`);
    await tab.evaluate(() => globalThis.posted);
    await signedIn("/fetch");
    // A page that opens ours has no hold of its window.
    await tab.goto(`${evil}/opener`);
    await tab.waitForTimeout(500);
    must(await tab.evaluate(() => !globalThis.other || globalThis.other.closed), "the opener is cut off");
    // Scripts of a page of ours could not read the cookie, nor make text into script.
    must((await own.evaluate(() => document.cookie)).replace(/gv-lang=\w+/, "") === "", "no cookie for scripts");
    const made = await own.evaluate(() => {
      try {
        document.body.innerHTML = "<img src=x onerror=alert(1)>";
        return "made";
      } catch (error) {
        return error.name;
      }
    });
    must(made === "TypeError", `text is made into a page: ${made}`);
    // Nobody is led to another site after a sign-in.
    for (const next of ["https://evil.example/", "//evil.example", "/\\evil.example", "/console/..//evil.example", `${evil}/form`]) {
      const fresh = await browser.newContext({ locale: "en" });
      const visit = await fresh.newPage();
      await visit.goto(`${demo.url}/console/sign-in?next=${encodeURIComponent(next)}`);
      await visit.click("button[value=auditor]");
      must(new URL(visit.url()).origin === demo.url, `${next} led to ${visit.url()}`);
      await fresh.close();
    }
    // A cookie that was taken from before the sign-in, or is used after the sign-out, opens nothing.
    const cookies = await context.cookies();
    await own.goto(`${demo.url}/console`);
    await own.click("form[action='/console/sign-out'] button");
    const thief = await browser.newContext({ locale: "en" });
    await thief.addCookies(cookies);
    const stolen = await thief.newPage();
    await stolen.goto(`${demo.url}/console/audit`);
    must(stolen.url().includes("/console/sign-in"), "a session that was ended is ended for the thief too");
    await thief.close();
  } finally {
    await context.close();
    server.close();
    server.closeAllConnections();
  }
}
