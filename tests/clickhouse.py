"""A ClickHouse for the tests: the engine of PyPI's chdb-core in this process, behind as much of ClickHouse's HTTP
interface as Weir uses. `python clickhouse.py FOLDER` prints its port and ends with its standard input.

GET /fail?N lets the next N requests fail after they were carried out, as a cut connection does.
"""

import os
import re
import subprocess
import sys
import tempfile
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qsl, urlsplit

from chdb import session

# A cluster of this one server. Replicated tables and ON CLUSTER would need a Keeper, which the engine does not have.
CONFIG = """<clickhouse><tcp_port>9000</tcp_port><macros><shard>1</shard><replica>one</replica></macros>
<remote_servers><weir><shard><replica><host>127.0.0.1</host><port>9000</port></replica></shard></weir></remote_servers>
</clickhouse>"""
config = os.path.join(sys.argv[1], "config.xml")
with open(config, "w") as file:
    file.write(CONFIG)
engine = session.Session(os.path.join(sys.argv[1], "engine") + "?config-file=" + config)
failing = 0
one_at_a_time = threading.Lock()
KNOWN = {"query", "database", "default_format", "wait_end_of_query", "max_query_size"}


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *args):
        pass

    def reply(self, status, body, code=None):
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        if code:
            self.send_header("X-ClickHouse-Exception-Code", code)
        self.end_headers()
        self.wfile.write(body)

    def do_GET(self):
        global failing
        failing = int(urlsplit(self.path).query or 0)
        self.reply(200, b"ok")

    def do_POST(self):
        global failing
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        if self.headers.get("Content-Encoding") == "zstd":
            body = subprocess.run(["zstd", "-dc"], input=body, stdout=subprocess.PIPE, check=True).stdout
        options = dict(parse_qsl(urlsplit(self.path).query, keep_blank_values=True))
        try:
            with one_at_a_time:
                answer = self.run(options, body)
        except Exception as error:  # what the engine says goes to the client
            text = str(error)
            code = re.search(r"Code: (\d+)", text)
            return self.reply(500, text.encode(), code and code.group(1))
        if failing > 0:
            failing -= 1
            self.close_connection = True
            return
        self.reply(200, answer)

    def run(self, options, body):
        settings = []
        for name, value in options.items():
            quoted = "'" + value.replace("\\", "\\\\").replace("'", "\\'") + "'"
            if name.startswith("param_"):
                engine.query(f"SET {name} = {quoted}")
            elif name not in KNOWN:
                settings.append(f"{name} = {value if value.isdigit() else quoted}")
        if "query" not in options:
            text = body.decode()
            form = re.search(r" FORMAT (\w+)\s*$", text)
            if form:
                text = text[: form.start()]
            return engine.query(text, form.group(1) if form else "TSV").bytes()
        head, form = re.fullmatch(r"(INSERT .*) FORMAT (\w+)", options["query"]).groups()
        with tempfile.NamedTemporaryFile(dir=sys.argv[1]) as file:
            file.write(body)
            file.flush()
            settings = ", ".join(settings)
            engine.query(f"{head} FROM INFILE '{file.name}' SETTINGS {settings} FORMAT {form}")
        return b""


server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
threading.Thread(target=lambda: (sys.stdin.read(), os._exit(0)), daemon=True).start()
print(server.server_port, flush=True)
server.serve_forever()
