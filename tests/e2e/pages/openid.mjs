// Signing in to the console at a real OpenID provider (npm `oidc-provider`), and what nobody gets by an answer of it
// that is not its own.
import { createServer } from "node:http";
import Provider from "oidc-provider";
import { freePort, installation, must } from "./tools.mjs";

const SECRET = "a secret with & and +";

/** A provider of this machine: the name that is typed says which role its holder has. */
async function provided(callback) {
  const port = await freePort();
  const provider = new Provider(`http://127.0.0.1:${port}`, {
    clients: [{ client_id: "console", redirect_uris: [callback], token_endpoint_auth_method: "client_secret_basic",
      client_secret: SECRET, application_type: "native", id_token_signed_response_alg: "RS256" }],
    claims: { openid: ["sub"], roles: ["role", "properties"] },
    scopes: ["openid", "roles"],
    conformIdTokenClaims: false,
    pkce: { required: () => true },
    findAccount: (_, id) => ({
      accountId: id,
      claims: () => ({ sub: id, role: id.startsWith("o-") ? "gv-officer" : "gv-cook", properties: "GROUP" }),
    }),
  });
  const server = createServer(provider.callback()).listen(port, "127.0.0.1");
  return { issuer: `http://127.0.0.1:${port}`, end: () => new Promise((ended) => server.close(ended) && server.closeAllConnections()) };
}

async function signsIn(page, address, name) {
  await page.goto(`${address}/console/audit`);
  await page.click("main a.button");
  await page.fill("input[name=login]", name);
  await page.fill("input[name=password]", "x");
  await page.click("button[type=submit]");
  await page.click("button[type=submit]");
  await page.waitForURL((url) => url.origin === address);
}

export async function openid(browser, binary) {
  const port = await freePort();
  const address = `http://127.0.0.1:${port}`;
  const provider = await provided(`${address}/console/callback`);
  const vault = await installation(binary, `
[server]
port = ${port}
[console.sign_in]
issuer = "${provider.issuer}"
client_id = "console"
client_secret_file = "secret"
address = "${address}"
scopes = ["roles"]
algorithms = ["RS256"]
roles = { "gv-officer" = "compliance_officer", "gv-cook" = "food_beverage" }
`, { secret: `${SECRET}\n` }, []);
  const context = () => browser.newContext({ locale: "en" });
  const officer = await context();
  const [cook, thief] = [await context(), await context()];
  try {
    // Back where the officer was going, under the provider's name.
    const page = await officer.newPage();
    const callbacks = [];
    page.on("request", (request) => request.url().includes("/console/callback?") && callbacks.push(request.url()));
    await signsIn(page, address, "o-17");
    must(page.url() === `${address}/console/audit`, `signed in at ${page.url()}`);
    must((await page.innerText("main")).includes("o-17"), "the sign-in itself is in the log, under the provider's name");
    must(callbacks.length === 1, "the provider sent the browser back once");
    // The same answer in another browser, or a second time, signs nobody in.
    const stolen = await thief.newPage();
    for (const answer of [callbacks[0], `${address}/console/callback?code=x&state=y&iss=${encodeURIComponent(provider.issuer)}`]) {
      const shown = await stolen.goto(answer);
      must(shown.status() === 200 && (await stolen.isVisible("[role=alert]")), `refused: ${answer}`);
      await stolen.goto(`${address}/console`);
      must(stolen.url().startsWith(`${address}/console/sign-in`), `not signed in: ${stolen.url()}`);
    }
    await page.goto(callbacks[0]);
    must(await page.isVisible("[role=alert]"), "a used answer is refused in its own browser");
    // Somebody whom the provider knows but whose role has no page.
    const other = await cook.newPage();
    await signsIn(other, address, "c-3");
    must((await other.locator("nav.pages").count()) === 0, "a role without pages is not let in");
    await other.goto(`${address}/console`);
    must(other.url().startsWith(`${address}/console/sign-in`), "and has no session");
  } finally {
    await Promise.all([officer, cook, thief].map((one) => one.close()));
    await vault.end();
    await provider.end();
  }
}
