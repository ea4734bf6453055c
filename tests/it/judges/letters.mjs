// Sends webhooks as the vendors do, signed and checked by the vendors' own libraries. Argument: a file with JSON, `square`
// (`url` that is signed, `to`), `resend` (`secret`, `to`) and `letters`, each of a `vendor` with its `body` and what is odd
// about it. Prints the status that each got.

import { createHmac } from "node:crypto";
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";

const require = createRequire(process.cwd() + "/");
const { WebhooksHelper } = require("square");
const { Webhook } = require("svix");
const { square, resend, letters } = JSON.parse(readFileSync(process.argv[2], "utf8"));

async function squares({ key, body, url = square.url }) {
  const signature = createHmac("sha256", key).update(url + body).digest("base64");
  const known = { requestBody: body, signatureHeader: signature, signatureKey: key, notificationUrl: url };
  if (!(await WebhooksHelper.verifySignature(known))) throw new Error("Square's library does not take it");
  return { "x-square-hmacsha256-signature": signature, "square-environment": "Production" };
}

function resends({ id, body, late = 0, prefix = "svix", secret = resend.secret }) {
  const at = new Date(Date.now() - late * 1000);
  const webhook = new Webhook(secret);
  const headers = { [`${prefix}-id`]: id, [`${prefix}-timestamp`]: String(Math.floor(at / 1000)) };
  headers[`${prefix}-signature`] = webhook.sign(id, at, body);
  if (late === 0) webhook.verify(body, headers);
  return headers;
}

const statuses = [];
for (const letter of letters) {
  const [to, headers] = letter.vendor === "square" ? [square.to, await squares(letter)] : [resend.to, resends(letter)];
  const body = letter.sent ?? letter.body;
  const answer = await fetch(to, { method: "POST", headers: { ...headers, "content-type": "application/json" }, body });
  statuses.push(answer.status);
}
console.log(JSON.stringify(statuses));
