#!/usr/bin/env python3
"""A mail server on port 25 that offers AUTH LOGIN and PLAIN and knows one user. Usage: smtp_server.py USER PASSWORD."""
import sys
import time

from aiosmtpd.controller import Controller
from aiosmtpd.handlers import Sink
from aiosmtpd.smtp import AuthResult

EXPECTED = (sys.argv[1].encode(), sys.argv[2].encode())


def check(_server, _session, _envelope, _mechanism, given) -> AuthResult:
    return AuthResult(success=(given.login, given.password) == EXPECTED, handled=False)


Controller(Sink(), hostname="0.0.0.0", port=25, authenticator=check, auth_require_tls=False, auth_required=True).start()
while True:
    time.sleep(3600)
