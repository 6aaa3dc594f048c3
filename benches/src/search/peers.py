"""Asks DuckDB, DataFusion and chdb what the search is asked, on the same parts and one thread each.

Prints one line for each engine that is installed: its name, and CPU seconds a query in the order of the questions, tab
separated. DuckDB needs the package pytz for times with a zone. Usage: peers.py GLOB ADDRESS_NUMBER
"""

import resource
import sys
import time

PARTS, ADDRESS = sys.argv[1], int(sys.argv[2])
SPENT_S, TIMES_MAX = 2.0, 20

BYTES = "src_bytes + coalesce(dst_bytes, 0)"
QUESTIONS = [
    f"select count(*), sum({BYTES}) from flows where (src_ip_hi = 0 and src_ip_lo = {ADDRESS})"
    f" or (dst_ip_hi = 0 and dst_ip_lo = {ADDRESS})",
    f"select src_ip_hi, src_ip_lo, sum({BYTES}) as b from flows group by 1, 2 order by b desc limit 10",
    f"select proto, dst_port, count(*), sum({BYTES}) as b from flows group by 1, 2 order by b desc limit 10",
    f"select date_trunc('second', start) as s, count(*), sum({BYTES}) from flows group by 1 order by 1",
    "select src_ip_hi, src_ip_lo, {distinct} as d from flows group by 1, 2 order by d desc limit 10",
]


def cpu_s():
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


def least(ask):
    """Least CPU seconds of several runs, the first of which warms up."""
    ask()
    begun, best = time.monotonic(), float("inf")
    for _ in range(TIMES_MAX):
        before = cpu_s()
        ask()
        best = min(best, cpu_s() - before)
        if time.monotonic() - begun > SPENT_S:
            break
    return best


def report(name, ask, distinct):
    texts = [question.replace("{distinct}", distinct) for question in QUESTIONS]
    print("\t".join([name] + [f"{least(lambda: ask(text)):.4f}" for text in texts]), flush=True)


try:
    import duckdb

    base = duckdb.connect()
    base.execute("set threads = 1")
    base.execute("set enable_progress_bar = false")
    base.execute(f"create view flows as select * from read_parquet('{PARTS}')")
    ask = lambda text: base.execute(text).fetchall()
    report(f"duckdb {duckdb.__version__}", ask, "approx_count_distinct((dst_ip_hi, dst_ip_lo))")
    report(f"duckdb {duckdb.__version__}, exact distinct", ask, "count(distinct (dst_ip_hi, dst_ip_lo))")
except ImportError:
    pass

try:
    import datafusion

    context = datafusion.SessionContext(datafusion.SessionConfig().with_target_partitions(1))
    context.register_parquet("flows", PARTS.split("/**")[0] + "/")
    ask = lambda text: context.sql(text).collect()
    # Two columns make no value that its estimate takes; all addresses of the generator are IPv4.
    report(f"datafusion {datafusion.__version__}", ask, "approx_distinct(dst_ip_lo)")
    report(f"datafusion {datafusion.__version__}, exact distinct", ask, "count(distinct dst_ip_lo)")
except ImportError:
    pass

try:
    # 500 MB to install, so it is asked only where it is there already. The engine of ClickHouse on Parquet, not on
    # tables of its own.
    import chdb
    from chdb import session

    base = session.Session()
    tables = f"(select * from file('{PARTS}', Parquet))"
    settings = " settings max_threads = 1, max_parsing_threads = 1"
    ask = lambda text: base.query(text.replace("from flows", f"from {tables} as flows") + settings, "TSV").bytes()
    report(f"chdb {chdb.__version__}", ask, "uniq(dst_ip_hi, dst_ip_lo)")
except ImportError:
    pass
