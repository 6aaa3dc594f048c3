#!/usr/bin/env python3
"""Turns a raw capture into a case file: time order, bulk cut, compressed with zstd.

Usage: finish.py RAW.pcap OUT.pcap.zst. One direction of a TCP connection that carries more than BULK_BYTES is cut
to CUT_BYTES a packet after its first HEAD_BYTES; true lengths stay in the records. All else is whole.
"""
import struct
import subprocess
import sys
from collections import Counter

BULK_BYTES = 2_000_000
HEAD_BYTES = 64_000
CUT_BYTES = 96
RECORD = struct.Struct("<IIII")


def read(path):
    data = open(path, "rb").read()
    assert data[:4] == b"\xd4\xc3\xb2\xa1", "expected a little-endian pcap with microseconds"
    offset, records = 24, []
    while offset + RECORD.size <= len(data):
        seconds, micros, kept, length = RECORD.unpack_from(data, offset)
        offset += RECORD.size
        records.append((seconds, micros, length, data[offset:offset + kept]))
        offset += kept
    return data[:24], records


def direction(frame):
    """Sender and receiver of a TCP packet, or None."""
    if len(frame) < 54 or frame[12:14] != b"\x08\x00" or frame[23] != 6:
        return None
    ip_end = 14 + (frame[14] & 15) * 4
    return frame[26:34] + frame[ip_end:ip_end + 4]


def main():
    header, records = read(sys.argv[1])
    records.sort(key=lambda record: record[:2])  # stable: two processors may hand packets over a few us late
    totals, seen, cut = Counter(), Counter(), 0
    for _, _, length, frame in records:
        totals[direction(frame)] += length
    out = bytearray(header)
    for seconds, micros, length, frame in records:
        key = direction(frame)
        seen[key] += length
        if key and totals[key] > BULK_BYTES and seen[key] > HEAD_BYTES and len(frame) > CUT_BYTES:
            frame, cut = frame[:CUT_BYTES], cut + 1
        out += RECORD.pack(seconds, micros, len(frame), length) + frame
    subprocess.run(["zstd", "-q", "-19", "-f", "-o", sys.argv[2]], input=bytes(out), check=True)
    print(f"{len(records)} packets, {cut} cut to {CUT_BYTES} bytes, {len(out)} bytes before compression")


main()
