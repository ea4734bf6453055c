// Signs and verifies webhooks with the vendors' own libraries. Argument: a file with the secrets, the address and the body
// as JSON. Prints what Square's and Svix's library make of them, for ours to verify, and whether they take what ours takes.

import { createHmac } from "node:crypto";
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";

const require = createRequire(process.cwd() + "/");
const { WebhooksHelper } = require("square");
const { Webhook } = require("svix");
const { key, url, secret, id, seconds, body, ours } = JSON.parse(readFileSync(process.argv[2], "utf8"));

const squares = (requestBody, signatureHeader) =>
  WebhooksHelper.verifySignature({ requestBody, signatureHeader, signatureKey: key, notificationUrl: url });

function svixs(body, signature) {
  try {
    const headers = { "svix-id": id, "svix-timestamp": String(seconds), "svix-signature": signature };
    new Webhook(secret).verify(body, headers);
    return true;
  } catch {
    return false;
  }
}

// Square's library verifies and does not sign.
const square = createHmac("sha256", key).update(url + body).digest("base64");
const svix = new Webhook(secret).sign(id, new Date(seconds * 1000), body);
const got = {
  square,
  svix,
  squareTakes: await squares(body, square),
  squareTakesChanged: await squares(body + " ", square),
  svixTakesOurs: svixs(body, ours),
  svixTakesOursChanged: svixs(body + " ", ours),
};
console.log(JSON.stringify(got));
