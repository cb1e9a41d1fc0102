// Codes that really go out: by SMTP to a mail server, and by the signed webhook to whoever sends SMS; each signs in.
import { createHmac, randomBytes, timingSafeEqual } from "node:crypto";
import { createServer } from "node:http";
import net from "node:net";
import { call, installation, must, visitor } from "./tools.mjs";

/** A list that can be waited for. */
function inbox() {
  const waiting = [];
  const messages = [];
  return {
    messages,
    put: (message) => (waiting.shift() ?? ((one) => messages.push(one)))(message),
    next: () => new Promise((got, late) => {
      if (messages.length > 0) return got(messages.shift());
      setTimeout(() => late(new Error("no message came")), 20_000).unref();
      return waiting.push(got);
    }),
  };
}

const listening = (server) => new Promise((ready) => server.listen(0, "127.0.0.1", () => ready(server.address().port)));

/** A mail server (RFC 5321) as small as one can be: keeps what it is given. */
async function mailServer() {
  const box = inbox();
  const server = net.createServer((socket) => {
    const say = (line) => socket.write(`${line}\r\n`);
    let text = "";
    let mail = null;
    socket.on("data", (bytes) => {
      text += bytes.toString("utf8");
      for (;;) {
        const end = text.indexOf(mail?.data ? "\r\n.\r\n" : "\r\n");
        if (end < 0) return;
        const line = text.slice(0, end);
        text = text.slice(end + (mail?.data ? 5 : 2));
        if (mail?.data) {
          box.put({ from: mail.from, to: mail.to, text: line });
          mail = null;
          say("250 kept");
        } else if (/^(EHLO|HELO)/i.test(line)) say("250 sink.example");
        else if (/^MAIL FROM:/i.test(line)) (mail = { from: line.slice(10), to: [] }) && say("250 ok");
        else if (/^RCPT TO:/i.test(line)) mail.to.push(line.slice(8)) && say("250 ok");
        else if (/^DATA/i.test(line)) (mail.data = true) && say("354 go on");
        else if (/^QUIT/i.test(line)) say("221 bye");
        else say("250 ok");
      }
    });
    socket.on("error", () => {});
    say("220 sink.example");
  });
  return { port: await listening(server), next: box.next, messages: box.messages, end: () => server.close() };
}

/** Whoever sends SMS for the house: believes nothing that is not signed (Standard Webhooks 1.0). */
async function smsGateway(secret) {
  const box = inbox();
  const server = createServer(async (request, answer) => {
    const parts = [];
    for await (const part of request) parts.push(part);
    const body = Buffer.concat(parts);
    const header = (name) => request.headers[`webhook-${name}`];
    const wanted = createHmac("sha256", secret).update(`${header("id")}.${header("timestamp")}.`).update(body).digest();
    const signed = header("signature").split(" ").map((one) => Buffer.from(one.replace(/^v1,/, ""), "base64"));
    const good = signed.some((one) => one.length === wanted.length && timingSafeEqual(one, wanted));
    const fresh = Math.abs(Date.now() / 1000 - Number(header("timestamp"))) < 300;
    answer.writeHead(good && fresh ? 204 : 401).end();
    box.put({ good: good && fresh, body: JSON.parse(body) });
  });
  const port = await listening(server);
  return { port, next: box.next, end: () => server.close() };
}

/** The text of a mail, whatever it was encoded as for the way. */
function read(mail) {
  const [head, ...rest] = mail.text.split("\r\n\r\n");
  const body = rest.join("\r\n\r\n");
  const how = /content-transfer-encoding: *([\w-]+)/i.exec(head)?.[1]?.toLowerCase();
  if (how === "base64") return { head, body: Buffer.from(body, "base64").toString("utf8") };
  if (how !== "quoted-printable") return { head, body };
  const plain = body.replace(/=\r\n/g, "").replace(/((?:=[0-9A-F]{2})+)/g, (all) =>
    Buffer.from(all.replaceAll("=", ""), "hex").toString("utf8"));
  return { head, body: plain };
}

const digits = (text) => /(?<!\d)\d{6}(?!\d)/.exec(text)?.[0];

async function asks(page, url, contact) {
  await page.goto(`${url}/privacy/sign-in`);
  await page.fill("#contact", contact);
  await page.click("main form button");
  await page.waitForSelector("#code");
}

async function enters(page, code) {
  await page.fill("#code", code);
  await page.click("main form button");
  must((await page.locator("nav.pages").count()) === 1, "the code signs in");
}

export async function sending(browser, binary) {
  const secret = randomBytes(32);
  const [mail, sms] = [await mailServer(), await smsGateway(secret)];
  const vault = await installation(binary, `
[server]
port = 0
[portal]
brand = "Hotel Lumen"
mail_from = "Hotel Lumen <privacy@lumen.example>"
smtp_url = "smtp://127.0.0.1:${mail.port}"
[portal.sms]
url = "http://127.0.0.1:${sms.port}/messages"
secret_file = "sms.secret"
allow = ["127.0.0.1"]
`, { "sms.secret": `whsec_${secret.toString("base64")}\n` }, ["integration"]);
  try {
    const [address, number] = ["ottoline.varga@example.org", "+36 30 123 4567"];
    await call(vault, "integration", "booking", "PUT", "/v1/records/web/1",
      { guest: { name: { surname: "Varga", given: "Ottoline" }, emails: [{ address }], phones: [{ number }] } });
    for (const language of ["en", "zh"]) {
      const kind = { language, width: 390, scripts: true };
      const byMail = await visitor(browser, vault.url, kind);
      await asks(byMail.page, vault.url, address);
      const message = await mail.next();
      must(message.from.includes("privacy@lumen.example") && message.to.length === 1 && message.to[0].includes(address),
        `from the house to the guest alone: ${message.from} ${message.to}`);
      const { body } = read(message);
      must(!body.includes("Varga") && !body.includes("http"), "no name, and no link to click");
      await enters(byMail.page, digits(body));
      const byPhone = await visitor(browser, vault.url, kind);
      await asks(byPhone.page, vault.url, number.replaceAll(" ", ""));
      const text = await sms.next();
      must(text.good, "the call is signed");
      must(text.body.type === "portal.message" && text.body.data.to.replace(/\D/g, "") === "36301234567", "to the guest");
      await enters(byPhone.page, digits(text.body.data.text));
      must([...byMail.faults, ...byPhone.faults].length === 0, [...byMail.faults, ...byPhone.faults].join("; "));
      // Nobody's contact: the same page, and nothing goes out.
      await asks(byMail.page, vault.url, `nobody.${language}@example.org`);
      await byMail.context.close();
      await byPhone.context.close();
    }
    // What goes out goes in order: had the stranger got one, it would be before this one.
    const last = await visitor(browser, vault.url, { language: "en", width: 390, scripts: true });
    await asks(last.page, vault.url, address);
    must((await mail.next()).to[0].includes(address) && mail.messages.length === 0, "a stranger got no message");
    await last.context.close();
  } finally {
    await vault.end();
    mail.end();
    sms.end();
  }
}
