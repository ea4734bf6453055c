# Lines of JSON are a text like any other to who sends whatever comes to mind.
import schemathesis

schemathesis.serializer.alias("application/x-ndjson", "text/plain")
