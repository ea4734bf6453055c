// What a shop on Node sends through OpenTelemetry's own SDK and exporters. Argument: a file with JSON, `url`, `token`,
// `exporter` (`proto`, `http` or `vercel`), `compression` and the spans of a few requests. Prints what the exporter made of
// the answer, and the trace of the first request.

import { readFileSync } from "node:fs";
import { createRequire } from "node:module";

const require = createRequire(process.cwd() + "/");
const given = JSON.parse(readFileSync(process.argv[2], "utf8"));
const api = require("@opentelemetry/api");
const logs = [];
const keep = (...words) => logs.push(words.join(" "));
api.diag.setLogger({ error: keep, warn: keep, info() {}, debug() {}, verbose() {} }, api.DiagLogLevel.WARN);
const headers = { authorization: `Bearer ${given.token}` };

/** The provider of spans, and how what it collected is sent. */
function shop() {
  if (given.exporter === "vercel") {
    process.env.OTEL_EXPORTER_OTLP_ENDPOINT = given.url;
    process.env.OTEL_EXPORTER_OTLP_HEADERS = `authorization=Bearer ${given.token}`;
    require("@vercel/otel").registerOTel({ serviceName: "shop" });
    const provider = api.trace.getTracerProvider().getDelegate();
    return { provider, send: () => provider.forceFlush() };
  }
  const { NodeTracerProvider, InMemorySpanExporter, SimpleSpanProcessor } = require("@opentelemetry/sdk-trace-node");
  const { OTLPTraceExporter } = require(`@opentelemetry/exporter-trace-otlp-${given.exporter}`);
  const memory = new InMemorySpanExporter();
  const provider = new NodeTracerProvider({ spanProcessors: [new SimpleSpanProcessor(memory)] });
  const exporter = new OTLPTraceExporter({ url: given.url, headers, compression: given.compression, timeoutMillis: 30_000 });
  const send = () =>
    new Promise((resolve, reject) =>
      exporter.export(memory.getFinishedSpans(), ({ code, error }) => (code === 0 ? resolve() : reject(error))),
    );
  return { provider, send };
}

const { provider, send } = shop();
const nextjs = provider.getTracer("next.js", "0.0.1");
const prisma = provider.getTracer("prisma");
const now = Date.now();
let trace;
for (const story of given.spans) {
  const made = {};
  for (const one of story) {
    let context = api.ROOT_CONTEXT;
    if (one.in === "elsewhere") {
      const remote = { traceId: "0".repeat(29) + "abc", spanId: "0".repeat(13) + "def", traceFlags: 1, isRemote: true };
      context = api.trace.setSpanContext(context, remote);
    } else if (one.in) {
      context = api.trace.setSpan(context, made[one.in]);
    }
    const tracer = one.name.startsWith("prisma:") ? prisma : nextjs;
    const { name, attributes } = one;
    made[one.id] = tracer.startSpan(name, { kind: api.SpanKind[one.kind], attributes, startTime: now }, context);
    if (one.error) made[one.id].setStatus({ code: api.SpanStatusCode.ERROR });
    trace ??= made[one.id].spanContext().traceId;
  }
  for (const one of story.reverse()) made[one.id].end(now + one.ms);
}
const begun = Date.now();
let result = "SUCCESS";
try {
  await send();
} catch (error) {
  result = "FAILURE";
  logs.push(String(error));
}
console.log(JSON.stringify({ result, seconds: (Date.now() - begun) / 1000, trace, logs }));
process.exit();
