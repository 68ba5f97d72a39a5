"""The server that experiments of the corpus ask, on the port that is its argument."""

import http.server
import json
import sys


class Handler(http.server.BaseHTTPRequestHandler):
    def answer(self, status, kind, body, location=None):
        self.send_response(status)
        if location:
            self.send_header("Location", location)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def do(self):
        length = int(self.headers.get("Content-Length", 0))
        sent = self.rfile.read(length).decode()
        path = self.path.split("?")[0]
        if path == "/json":
            self.answer(200, "application/json", b'{"a": 1}')
        elif path == "/json-charset":
            self.answer(200, "application/json; charset=utf-8", b'{"a": 1}')
        elif path == "/redirect":
            self.answer(302, "text/plain", b"moved", location="/echo")
        elif path.startswith("/status/"):
            status = int(path.rsplit("/", 1)[1])
            self.answer(status, "text/plain", b"" if status == 204 else b"text")
        else:
            kind = self.headers.get("Content-Type")
            try:
                body = json.loads(sent)
            except ValueError:
                body = sent
            seen = {
                "method": self.command,
                # Members of a mapping have no order, those of a query do.
                "query": sorted(self.path.partition("?")[2].split("&")),
                "type": kind,
                "value": self.headers.get("X-Value"),
                "body": sorted(body.split("&")) if isinstance(body, str) else body,
            }
            self.answer(200, "application/json", json.dumps(seen).encode())

    do_GET = do_POST = do_PUT = do

    def log_message(self, *_):
        pass


http.server.ThreadingHTTPServer(("127.0.0.1", int(sys.argv[1])), Handler).serve_forever()
