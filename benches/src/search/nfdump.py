"""Asks nfdump what the search is asked, on the same flow records.

The records are read from the parts (duckdb, numpy), sent to nfcapd over loopback as NetFlow v5, one record a biflow with
the bytes of both directions, and kept in a folder that is removed at the end. Prints one line: name, and CPU seconds a
query in the order of the questions, tab separated; a dash where nfdump has no such question. Prints nothing where nfdump,
duckdb or numpy is missing. Usage: nfdump.py GLOB ADDRESS_NUMBER
"""

import glob
import re
import resource
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from ipaddress import ip_address

try:
    import duckdb
    import numpy
except ImportError:
    sys.exit(0)
if not shutil.which("nfcapd") or not shutil.which("nfdump"):
    sys.exit(0)

PARTS, ADDRESS = sys.argv[1], int(sys.argv[2])
SPENT_S, TIMES_MAX = 8.0, 5
PER_DATAGRAM, DATAGRAMS_PER_S = 30, 8_000
RECORD = numpy.dtype(
    [("src", ">u4"), ("dst", ">u4"), ("hop", ">u4"), ("interfaces", ">u4"), ("packets", ">u4"), ("bytes", ">u4"),
     ("first", ">u4"), ("last", ">u4"), ("src_port", ">u2"), ("dst_port", ">u2"), ("pad", "u1"), ("flags", "u1"),
     ("proto", "u1"), ("tos", "u1"), ("as", ">u4"), ("masks", ">u4")])
HEADER = numpy.dtype(
    [("version", ">u2"), ("count", ">u2"), ("uptime", ">u4"), ("seconds", ">u4"), ("nanos", ">u4"), ("sequence", ">u4"),
     ("engine", ">u4")])
COLUMNS = """
    select src_ip_lo & 4294967295 as src, dst_ip_lo & 4294967295 as dst, src_port, dst_port, proto,
           least(src_packets + coalesce(dst_packets, 0), 4294967295) as packets,
           least(src_bytes + coalesce(dst_bytes, 0), 4294967295) as bytes,
           epoch_ms(start) as first, epoch_ms(start) + duration_ms as last
    from read_parquet('{parts}')"""
address = str(ip_address(ADDRESS & 0xFFFFFFFF))
# Nothing of nfdump counts by second, nor partners of a source.
QUESTIONS = [
    ["-o", "null", f"ip {address}"],
    ["-s", "srcip/bytes", "-n", "10"],
    ["-A", "proto,dstport", "-O", "bytes", "-n", "10"],
    None,
    None,
]


def records(columns, epoch_ms):
    table = numpy.zeros(len(columns["src"]), RECORD)
    for name in ("src", "dst", "src_port", "dst_port", "proto", "packets", "bytes"):
        table[name] = numpy.ma.filled(columns[name], 0)
    for name in ("first", "last"):
        table[name] = numpy.clip(columns[name] - epoch_ms, 0, 0xFFFFFFFF)
    return table


def send(base, target):
    """Sends every record; returns how many."""
    epoch_ms = base.execute(f"select epoch_ms(min(start)) - 1000 from read_parquet('{PARTS}')").fetchone()[0]
    header = numpy.zeros(1, HEADER)
    header["version"], header["seconds"], header["nanos"] = 5, epoch_ms // 1000, epoch_ms % 1000 * 1_000_000
    sent, datagrams, begun = 0, 0, time.monotonic()
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as out:
        out.connect(target)
        for part in sorted(glob.glob(PARTS, recursive=True)):
            table = records(base.execute(COLUMNS.format(parts=part)).fetchnumpy(), epoch_ms)
            for at in range(0, len(table), PER_DATAGRAM):
                some = table[at:at + PER_DATAGRAM]
                header["count"], header["sequence"] = len(some), sent & 0xFFFFFFFF
                out.send(header.tobytes() + some.tobytes())
                sent += len(some)
                datagrams += 1
                if datagrams % 100 == 0:
                    time.sleep(max(0, begun + datagrams / DATAGRAMS_PER_S - time.monotonic()))
    return sent


def collect(folder):
    """Lets nfcapd write what is sent; returns how many records were."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as free:
        free.bind(("127.0.0.1", 0))
        target = free.getsockname()
    collector = subprocess.Popen(
        ["nfcapd", "-b", target[0], "-p", str(target[1]), "-t", "3600", "-B", str(64 << 20), "-w", folder],
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        time.sleep(1)
        sent = send(duckdb.connect(), target)
        time.sleep(1)
    finally:
        collector.terminate()
        collector.wait()
    return sent


def spent_s(folder, arguments):
    """Least CPU seconds of several runs, the first of which warms up, and what the last one wrote."""
    best, text, begun = float("inf"), "", time.monotonic()
    for run in range(TIMES_MAX):
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        text = subprocess.run(
            ["nfdump", "-R", folder, "-N", *arguments], capture_output=True, text=True, check=True).stdout
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        if run > 0:
            best = min(best, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime)
            if time.monotonic() - begun > SPENT_S:
                break
    return best, text


with tempfile.TemporaryDirectory() as folder:
    sent = collect(folder)
    _, text = spent_s(folder, ["-s", "proto/flows", "-n", "1"])
    kept = int(re.search(r"total flows: (\d+)", text)[1])
    version = re.search(r"NEL([0-9.]+)", subprocess.run(["nfdump", "-V"], capture_output=True, text=True).stdout)
    name = f"nfdump {version[1] if version else ''}".strip()
    if kept != sent:
        name += f" ({kept * 100 / sent:.2f} % of the records)"
    figures = ["-" if one is None else f"{spent_s(folder, one)[0]:.4f}" for one in QUESTIONS]
    print("\t".join([name] + figures), flush=True)
