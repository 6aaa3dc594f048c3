"""Reads the flow parts of a store with DuckDB and with pyarrow and prints the totals of both as JSON, for the test that
compares them with what was metered: rows, packets and bytes both ways, distinct sources, start of the first flow."""

import json
import sys

import duckdb
import pyarrow.compute as pc
import pyarrow.dataset as ds

parts = f"{sys.argv[1]}/flows/*/*/*.parquet"
duck = duckdb.sql(
    f"""SELECT count(*), sum(src_packets)::BIGINT, sum(src_bytes)::BIGINT, sum(coalesce(dst_bytes, 0))::BIGINT,
               count(DISTINCT (src_ip_hi, src_ip_lo)), epoch_ms(min(start))
        FROM read_parquet('{parts}', hive_partitioning = true)"""
).fetchall()[0]
rows = ds.dataset(f"{sys.argv[1]}/flows", format="parquet", partitioning="hive", exclude_invalid_files=True).to_table()
sources = rows.filter(pc.is_valid(rows["src_ip_lo"])).group_by(["src_ip_hi", "src_ip_lo"]).aggregate([]).num_rows
arrow = [
    rows.num_rows,
    pc.sum(rows["src_packets"]).as_py(),
    pc.sum(rows["src_bytes"]).as_py(),
    pc.sum(rows["dst_bytes"]).as_py() or 0,
    sources,
    int(pc.min(rows["start"]).as_py().timestamp() * 1000 + 0.5),
]
print(json.dumps({"duckdb": duck, "pyarrow": arrow}))
