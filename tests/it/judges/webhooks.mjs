// Verifies a signed request as any receiver does, with two libraries that are not ours, and the same request with one
// byte changed, which both must refuse. Argument: a file with the secret, the headers and the body as JSON.

import { readFileSync } from "node:fs";
import { createRequire } from "node:module";

const require = createRequire(process.cwd() + "/");
const { secret, headers, body } = JSON.parse(readFileSync(process.argv[2], "utf8"));

function verdict(library, body) {
  try {
    new library.Webhook(secret).verify(body, headers);
    return "accepted";
  } catch (error) {
    return "refused";
  }
}

for (const name of ["standardwebhooks", "svix"]) {
  const library = require(name);
  console.log(`${name}: ${verdict(library, body)}, changed: ${verdict(library, body.replace("firing", "fixing"))}`);
}
