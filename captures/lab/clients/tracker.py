#!/usr/bin/env python3
"""A tracker for the file-sharing case (BEP 3, compact answers of BEP 23). Usage: tracker.py ADDRESS PORT"""
import sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from ipaddress import IPv4Address
from urllib.parse import parse_qs

peers = set()


class Tracker(BaseHTTPRequestHandler):
    def do_GET(self):
        query = parse_qs(self.path.partition("?")[2], encoding="latin-1")
        peers.add((self.client_address[0], int(query["port"][0])))
        compact = b"".join(IPv4Address(ip).packed + port.to_bytes(2, "big") for ip, port in sorted(peers))
        body = b"d8:intervali30e5:peers%d:%se" % (len(compact), compact)
        self.send_response(200)
        self.send_header("Content-Type", "text/plain")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


ThreadingHTTPServer((sys.argv[1], int(sys.argv[2])), Tracker).serve_forever()
