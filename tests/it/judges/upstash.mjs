// Uses Upstash as a shop does, through Upstash's own library, and prints what it got.
// Arguments: the address, the token, the read-only token.

import { createRequire } from "node:module";

const require = createRequire(process.cwd() + "/");
const { Redis } = require("@upstash/redis");
const [url, token, readOnly] = process.argv.slice(2);
const quiet = { url, retry: false, enableTelemetry: false };
const redis = new Redis({ ...quiet, token });
const reader = new Redis({ ...quiet, token: readOnly });
const plain = new Redis({ ...quiet, token, responseEncoding: false, enableAutoPipelining: false });

async function refusal(call) {
  try {
    await call();
  } catch (error) {
    // What was gathered into a pipeline by itself is said to be a command that failed.
    return String(error.message).replace(/^Command failed: /, "").split(/[.:,]/)[0];
  }
  return "was not refused";
}

const got = {};
got.ping = await redis.ping();
got.set = await redis.set("cart", { items: 2, name: "größe" }, { ex: 60 });
got.get = await redis.get("cart");
got.setAgain = await redis.set("cart", "other", { nx: true });
got.ttl = await redis.ttl("cart");
got.missing = await redis.get("none");
got.incremented = [await redis.incr("count"), await redis.incrby("count", 4), await redis.decr("count")];
got.plain = [await plain.get("count"), await plain.echo("a/b c?d")];
got.hash = [await redis.hset("h", { a: 1, b: "two" }), await redis.hgetall("h"), await redis.hincrby("h", "a", 2)];
got.list = [await redis.rpush("l", "a", "b", "c"), await redis.lrange("l", 0, -1), await redis.lpop("l"), await redis.llen("l")];
got.members = [await redis.sadd("s", "x", "y", "x"), await redis.scard("s"), await redis.sismember("s", "x")];
await redis.zadd("z", { score: 2, member: "two" }, { score: 1, member: "one" });
got.ranked = [
  await redis.zincrby("z", 5, "one"),
  await redis.zcard("z"),
  await redis.zscore("z", "one"),
  await redis.zrange("z", 0, 0, { rev: true, withScores: true }),
];
got.pipelined = await redis.pipeline().set("p", 1).get("p").exists("p", "none").exec();
got.pipelineWithError = await refusal(() => redis.pipeline().set("p", 1).lpush("p", 2).exec());
got.itemsOfErrors = (await redis.pipeline().get("p").llen("p").exec({ keepErrors: true })).map((one) => one.error?.split(" ")[0] ?? one.result);
got.transaction = await redis.multi().set("t", "x").get("t").exec();
got.scanned = (await redis.scan(0, { match: "h*" }))[1];
got.keys = (await redis.keys("?")).sort();
got.type = await redis.type("z");
got.deleted = await redis.del("p", "t", "none");
got.size = await redis.dbsize();
got.reader = [await reader.get("count"), await reader.zcard("z"), await reader.ping()];
got.readerRefused = [
  await refusal(() => reader.set("x", 1)),
  await refusal(() => reader.keys("*")),
  await refusal(() => new Redis({ ...quiet, token: readOnly }).exec(["INFO"])),
];
got.wrongToken = await refusal(() => new Redis({ ...quiet, token: "wrong" }).ping());
got.wrongType = await refusal(() => redis.lpush("count", 1));
console.log(JSON.stringify(got));
