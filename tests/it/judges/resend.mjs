// Uses Resend as a shop does, through Resend's own library, and prints what it got.
// Arguments: the address, a key with full access, a key that may only send, the domain.

import { createRequire } from "node:module";

const require = createRequire(process.cwd() + "/");
const { Resend } = require("resend");
const [baseUrl, key, sendingKey, domain] = process.argv.slice(2);
const resend = new Resend(key, { baseUrl });
const sender = new Resend(sendingKey, { baseUrl });

/** The simulator allows five requests a second, as the real one does. */
async function ask(call) {
  for (;;) {
    const { data, error } = await call();
    if (error?.name !== "rate_limit_exceeded") return error ? { refused: error.name } : data;
    await new Promise((resolve) => setTimeout(resolve, 250));
  }
}

const email = { from: `Shop <orders@${domain}>`, to: "delivered@resend.dev", subject: "Order 1", text: "Thank you" };
const got = {};
const listed = await ask(() => resend.domains.list());
got.domains = listed.data.map(({ name, status }) => `${name} ${status}`);
const detail = await ask(() => resend.domains.get(listed.data[0].id));
got.records = detail.records.map(({ record, type, status }) => `${record} ${type} ${status}`);
got.noDomain = await ask(() => resend.domains.get("none"));
got.keys = (await ask(() => resend.apiKeys.list())).data.length;
const sent = await ask(() => resend.emails.send(email, { idempotencyKey: "order-1" }));
const again = await ask(() => resend.emails.send(email, { idempotencyKey: "order-1" }));
got.sameAgain = sent.id === again.id;
got.keyReused = await ask(() => resend.emails.send({ ...email, subject: "Order 2" }, { idempotencyKey: "order-1" }));
got.keyTooLong = await ask(() => resend.emails.send(email, { idempotencyKey: "x".repeat(257) }));
const found = await ask(() => resend.emails.get(sent.id));
got.found = { object: found.object, subject: found.subject, to: found.to, text: found.text };
got.listed = (await ask(() => resend.emails.list())).data.length;
got.noSubject = await ask(() => resend.emails.send({ ...email, subject: "" }));
got.otherDomain = await ask(() => resend.emails.send({ ...email, from: "orders@other.example" }));
got.exampleRecipient = await ask(() => resend.emails.send({ ...email, to: "ann@example.com" }));
got.sendingKeySends = typeof (await ask(() => sender.emails.send(email))).id;
got.sendingKeyLists = await ask(() => sender.domains.list());
got.wrongKey = await ask(() => new Resend("re_wrong", { baseUrl }).domains.list());
console.log(JSON.stringify(got));
