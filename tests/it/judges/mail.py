"""A mail server that nobody here wrote (aiosmtpd), which reads each message with Python's own parser.

Arguments as JSON: port, tls (none, starttls, implicit), certificate, key, user, password, out. Every message is one
line of JSON in the file `out`.
"""
import email
import email.policy
import json
import ssl
import sys
import threading

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import AuthResult

given = json.loads(sys.argv[1])


def defects(part):
    found = [str(defect) for defect in part.defects]
    for name, value in part.items():
        found += [f"{name}: {defect}" for defect in getattr(value, "defects", [])]
    for inner in part.iter_parts():
        found += defects(inner)
    return found


class Reader:
    async def handle_DATA(self, server, session, envelope):
        raw = envelope.original_content
        message = email.message_from_bytes(raw, policy=email.policy.default)
        text, html = (message.get_body((kind,)) for kind in ("plain", "html"))
        parts = [part.get_content_type() for part in message.iter_parts()]
        with open(given["out"], "a") as out:
            print(json.dumps({
                "peer": session.peer[1], "encrypted": server.transport.get_extra_info("sslcontext") is not None, "user": session.auth_data,
                "from": envelope.mail_from, "to": envelope.rcpt_tos, "defects": defects(message),
                "headers": [[name, str(value)] for name, value in message.items()], "type": message.get_content_type(),
                "parts": parts, "text": text.get_content(), "html": html.get_content(),
                "bare": raw.replace(b"\r\n", b"").count(b"\n") + raw.replace(b"\r\n", b"").count(b"\r"),
                "longest": max(len(line) for line in raw.split(b"\r\n")), "ascii": raw.isascii(),
            }), file=out, flush=True)
        return "250 taken"


def authenticate(server, session, envelope, mechanism, data):
    right = data.login.decode() == given["user"] and data.password.decode() == given["password"]
    return AuthResult(success=right, handled=True, auth_data=data.login.decode()) if right \
        else AuthResult(success=False, handled=False, message=f"535 5.7.8 {data.password.decode()} of {data.login.decode()} is wrong")


settings = {}
if given["tls"] != "none":
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(given["certificate"], given["key"])
    if given["tls"] == "implicit":
        settings["ssl_context"] = context
    else:
        settings |= {"tls_context": context, "require_starttls": True}
if given["user"]:
    required = given["tls"] == "starttls"
    settings |= {"authenticator": authenticate, "auth_required": True, "auth_require_tls": required}
Controller(Reader(), hostname="127.0.0.1", port=given["port"], **settings).start()
threading.Event().wait()
