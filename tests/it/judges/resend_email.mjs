// Sends one email through Resend's own library. Arguments: the address, a key, the email as JSON, its idempotency key.

import { createRequire } from "node:module";

const require = createRequire(process.cwd() + "/");
const { Resend } = require("resend");
const [baseUrl, key, email, idempotencyKey] = process.argv.slice(2);
const { data, error } = await new Resend(key, { baseUrl }).emails.send(JSON.parse(email), { idempotencyKey });
console.log(JSON.stringify(error ? { refused: error.name } : data));
