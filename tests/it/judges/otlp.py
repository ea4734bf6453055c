# What a Python shop sends through OpenTelemetry's own SDK and exporter. Stdin: JSON with `url`, `token`, `compression` and
# `act`: `spans` sends the spans of a few requests, `garbage` sends what nobody can read. Prints what the exporter made of
# the answer, and the trace of the first request.
import json, logging, sys, time
from opentelemetry.exporter.otlp.proto.http import Compression
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import (NonRecordingSpan, SpanContext, SpanKind, StatusCode, TraceFlags,
                                 set_span_in_context)

given = json.load(sys.stdin)
logs = []
class Keep(logging.Handler):
    def emit(self, record):
        logs.append(record.getMessage())
logging.getLogger().addHandler(Keep())

exporter = OTLPSpanExporter(endpoint=given["url"], headers={"authorization": "Bearer " + given["token"]},
                            compression=Compression(given["compression"]), timeout=30)

def sent(ended):
    begun = time.monotonic()
    result = exporter.export(ended)
    return {"result": result.name, "seconds": time.monotonic() - begun, "logs": logs}

if given["act"] == "garbage":
    result = exporter._client.export(b"\xff" * 100)
    print(json.dumps({"result": "SUCCESS" if result.success else "FAILURE", "status": result.status_code, "logs": logs}))
    sys.exit()

memory = InMemorySpanExporter()
provider = TracerProvider(resource=Resource.create({"service.name": "shop"}))
provider.add_span_processor(SimpleSpanProcessor(memory))
nextjs, prisma = provider.get_tracer("next.js", "0.0.1"), provider.get_tracer("prisma")
NOW = time.time_ns()

def span(tracer, name, kind, ms, attributes, parent=None, error=False):
    context = set_span_in_context(parent) if parent is not None else None
    one = tracer.start_span(name, context=context, kind=kind, attributes=attributes, start_time=NOW)
    if error:
        one.set_status(StatusCode.ERROR)
    return one, lambda: one.end(end_time=NOW + ms * 1_000_000)

for story in given["spans"]:
    made = {}
    for one in story:
        parent = made.get(one.get("in"))
        if one.get("in") == "elsewhere":
            parent = NonRecordingSpan(SpanContext(0xabc, 0xdef, True, TraceFlags(1)))
        tracer = prisma if one["name"].startswith("prisma:") else nextjs
        made[one["id"]], end = span(tracer, one["name"], SpanKind[one["kind"]], one["ms"], one["attributes"], parent,
                                    one.get("error", False))
        one["end"] = end
    for one in reversed(story):
        one["end"]()
    if story is given["spans"][0]:
        trace = format(made[story[0]["id"]].get_span_context().trace_id, "032x")
print(json.dumps(sent(memory.get_finished_spans()) | {"trace": trace}))
