#!/usr/bin/env python3
"""Writes a small valid PNG (grey noise seeded by the argument), so that web pages carry a real image."""
import random
import struct
import sys
import zlib

SIDE = 90


def chunk(kind: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))


dice = random.Random(sys.argv[1])
rows = b"".join(b"\0" + dice.randbytes(SIDE) for _ in range(SIDE))
header = struct.pack(">IIBBBBB", SIDE, SIDE, 8, 0, 0, 0, 0)
sys.stdout.buffer.write(b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b""))
