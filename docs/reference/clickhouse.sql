-- Written by `cargo xtask docs`; edit the code it comes from, not this page.

-- One server: Weir makes these itself.

CREATE DATABASE IF NOT EXISTS "weir";

CREATE TABLE IF NOT EXISTS "weir"."flows" (
    "site" LowCardinality(String) CODEC(ZSTD(1)),
    "day" Date CODEC(Delta, ZSTD(1)),
    "hour" DateTime('UTC') CODEC(Delta, ZSTD(1)),
    "start" DateTime64(9, 'UTC') CODEC(Delta, ZSTD(1)),
    "duration_ns" Int64 CODEC(ZSTD(1)),
    "before_ns" Nullable(Int64) CODEC(ZSTD(1)),
    "flow_number" UInt64 CODEC(NONE),
    "src_ip" Nullable(IPv6) CODEC(ZSTD(1)),
    "dst_ip" Nullable(IPv6) CODEC(ZSTD(1)),
    "exporter" Nullable(IPv6) CODEC(ZSTD(1)),
    "phase" LowCardinality(String) CODEC(ZSTD(1)),
    "end_reason" UInt8 CODEC(ZSTD(1)),
    "ethertype" UInt16 CODEC(ZSTD(1)),
    "vlan" Nullable(UInt16) CODEC(ZSTD(1)),
    "proto" Nullable(UInt8) CODEC(ZSTD(1)),
    "src_port" Nullable(UInt16) CODEC(ZSTD(1)),
    "dst_port" Nullable(UInt16) CODEC(ZSTD(1)),
    "src_selector" Nullable(UInt16) CODEC(ZSTD(1)),
    "dst_selector" Nullable(UInt16) CODEC(ZSTD(1)),
    "initiator_reason" LowCardinality(String) CODEC(ZSTD(1)),
    "sampling" Nullable(UInt32) CODEC(ZSTD(1)),
    "src_packets" UInt64 CODEC(ZSTD(1)),
    "src_bytes" UInt64 CODEC(ZSTD(1)),
    "src_payload_bytes" UInt64 CODEC(ZSTD(1)),
    "dst_packets" Nullable(UInt64) CODEC(ZSTD(1)),
    "dst_bytes" Nullable(UInt64) CODEC(ZSTD(1)),
    "dst_payload_bytes" Nullable(UInt64) CODEC(ZSTD(1)),
    "src_packets_total" Nullable(UInt64) CODEC(ZSTD(1)),
    "src_bytes_total" Nullable(UInt64) CODEC(ZSTD(1)),
    "src_payload_bytes_total" Nullable(UInt64) CODEC(ZSTD(1)),
    "dst_packets_total" Nullable(UInt64) CODEC(ZSTD(1)),
    "dst_bytes_total" Nullable(UInt64) CODEC(ZSTD(1)),
    "dst_payload_bytes_total" Nullable(UInt64) CODEC(ZSTD(1)),
    "src_tcp_flags" Nullable(UInt16) CODEC(ZSTD(1)),
    "dst_tcp_flags" Nullable(UInt16) CODEC(ZSTD(1)),
    "src_first_flags" Nullable(UInt16) CODEC(ZSTD(1)),
    "src_mac" Nullable(UInt64) CODEC(ZSTD(1)),
    "dst_mac" Nullable(UInt64) CODEC(ZSTD(1)),
    "src_ttl" Nullable(UInt8) CODEC(ZSTD(1)),
    "dst_ttl" Nullable(UInt8) CODEC(ZSTD(1)),
    "tos" Nullable(UInt8) CODEC(ZSTD(1)),
    "syn_bytes" Nullable(UInt16) CODEC(ZSTD(1)),
    "syn_window" Nullable(UInt16) CODEC(ZSTD(1)),
    "icmp_type" Nullable(UInt8) CODEC(ZSTD(1)),
    "icmp_code" Nullable(UInt8) CODEC(ZSTD(1)),
    "icmp_error_type" Nullable(UInt8) CODEC(ZSTD(1)),
    "icmp_error_code" Nullable(UInt8) CODEC(ZSTD(1)),
    "icmp_payload_max" Nullable(UInt16) CODEC(ZSTD(1)),
    "conn_state" LowCardinality(Nullable(String)) CODEC(ZSTD(1)),
    "history" LowCardinality(Nullable(String)) CODEC(ZSTD(1)),
    "app" LowCardinality(Nullable(String)) CODEC(ZSTD(1)),
    "app_by" LowCardinality(Nullable(String)) CODEC(ZSTD(1)),
    "logins_refused" Nullable(UInt16) CODEC(ZSTD(1)),
    "logins_accepted" Nullable(UInt16) CODEC(ZSTD(1)),
    "src_inside" Nullable(Bool) CODEC(ZSTD(1)),
    "dst_inside" Nullable(Bool) CODEC(ZSTD(1)),
    "duplicate" Nullable(Bool) CODEC(ZSTD(1)),
    "unnamed" LowCardinality(Nullable(String)) CODEC(ZSTD(1)),
    "src_country" LowCardinality(Nullable(String)) CODEC(ZSTD(1)),
    "dst_country" LowCardinality(Nullable(String)) CODEC(ZSTD(1)),
    "src_asn" Nullable(UInt32) CODEC(ZSTD(1)),
    "dst_asn" Nullable(UInt32) CODEC(ZSTD(1)),
    "end" DateTime64(9, 'UTC') ALIAS fromUnixTimestamp64Nano(toUnixTimestamp64Nano(start) + duration_ns, 'UTC'),
    "flow_id" String ALIAS lower(hex(flow_number)),
    "community_id" Nullable(String) ALIAS if(proto IS NULL, NULL, arrayElement(arrayMap((a, b, n) -> concat('1:', base64Encode(SHA1(concat(char(0, 0), substring(a, 1, length(a) - 2), substring(b, 1, length(b) - 2), char(n, 0), if(n IN (1, 6, 17, 58, 132), concat(substring(a, -2), substring(b, -2)), ''))))), [if(((proto = 1 AND bitAnd(coalesce(src_selector, 0), 255) NOT IN (0, 8, 13, 14, 15, 16, 17, 18, 9, 10)) OR (proto = 58 AND bitAnd(coalesce(src_selector, 0), 255) NOT IN (128, 129, 130, 131, 133, 134, 135, 136, 139, 140, 144, 145))), concat(substring(unhex(hex(coalesce(src_ip, toIPv6('::')))), if(ethertype = 2048, 13, 1)), char(bitShiftRight(coalesce(src_port, src_selector, 0), 8), bitAnd(coalesce(src_port, src_selector, 0), 255))), least(concat(substring(unhex(hex(coalesce(src_ip, toIPv6('::')))), if(ethertype = 2048, 13, 1)), char(bitShiftRight(coalesce(src_port, src_selector, 0), 8), bitAnd(coalesce(src_port, src_selector, 0), 255))), concat(substring(unhex(hex(coalesce(dst_ip, toIPv6('::')))), if(ethertype = 2048, 13, 1)), char(bitShiftRight(coalesce(dst_port, dst_selector, 0), 8), bitAnd(coalesce(dst_port, dst_selector, 0), 255)))))], [if(((proto = 1 AND bitAnd(coalesce(src_selector, 0), 255) NOT IN (0, 8, 13, 14, 15, 16, 17, 18, 9, 10)) OR (proto = 58 AND bitAnd(coalesce(src_selector, 0), 255) NOT IN (128, 129, 130, 131, 133, 134, 135, 136, 139, 140, 144, 145))), concat(substring(unhex(hex(coalesce(dst_ip, toIPv6('::')))), if(ethertype = 2048, 13, 1)), char(bitShiftRight(coalesce(dst_port, dst_selector, 0), 8), bitAnd(coalesce(dst_port, dst_selector, 0), 255))), greatest(concat(substring(unhex(hex(coalesce(src_ip, toIPv6('::')))), if(ethertype = 2048, 13, 1)), char(bitShiftRight(coalesce(src_port, src_selector, 0), 8), bitAnd(coalesce(src_port, src_selector, 0), 255))), concat(substring(unhex(hex(coalesce(dst_ip, toIPv6('::')))), if(ethertype = 2048, 13, 1)), char(bitShiftRight(coalesce(dst_port, dst_selector, 0), 8), bitAnd(coalesce(dst_port, dst_selector, 0), 255)))))], [coalesce(proto, 0)]), 1)),
    "flow_start" DateTime64(9, 'UTC') ALIAS fromUnixTimestamp64Nano(toUnixTimestamp64Nano(start) - coalesce(before_ns, 0), 'UTC'),
    "icmp_error" Nullable(String) ALIAS if(icmp_error_type IS NULL, NULL, concat(toString(icmp_error_type), '/', toString(icmp_error_code))),
    INDEX start_range "start" TYPE minmax GRANULARITY 1,
    INDEX dst_bloom "dst_ip" TYPE bloom_filter GRANULARITY 4,
    INDEX src_bloom "src_ip" TYPE bloom_filter GRANULARITY 4
) ENGINE = MergeTree
PARTITION BY "day"
ORDER BY ("site", "hour", "src_ip", "dst_ip", "dst_port", "start")
TTL day + toIntervalDay(30)
SETTINGS allow_nullable_key = 1, fsync_after_insert = 1, fsync_part_directory = 1, non_replicated_deduplication_window = 20000
COMMENT 'weir schema 1';

CREATE TABLE IF NOT EXISTS "weir"."transactions" (
    "site" LowCardinality(String) CODEC(ZSTD(1)),
    "day" Date CODEC(Delta, ZSTD(1)),
    "hour" DateTime('UTC') CODEC(Delta, ZSTD(1)),
    "start" DateTime64(9, 'UTC') CODEC(Delta, ZSTD(1)),
    "duration_ns" Int64 CODEC(ZSTD(1)),
    "flow_number" UInt64 CODEC(NONE),
    "src_ip" Nullable(IPv6) CODEC(ZSTD(1)),
    "dst_ip" Nullable(IPv6) CODEC(ZSTD(1)),
    "ethertype" UInt16 CODEC(ZSTD(1)),
    "vlan" Nullable(UInt16) CODEC(ZSTD(1)),
    "proto" Nullable(UInt8) CODEC(ZSTD(1)),
    "src_port" Nullable(UInt16) CODEC(ZSTD(1)),
    "dst_port" Nullable(UInt16) CODEC(ZSTD(1)),
    "src_selector" Nullable(UInt16) CODEC(ZSTD(1)),
    "dst_selector" Nullable(UInt16) CODEC(ZSTD(1)),
    "app" LowCardinality(Nullable(String)) CODEC(ZSTD(1)),
    "src_inside" Nullable(Bool) CODEC(ZSTD(1)),
    "dst_inside" Nullable(Bool) CODEC(ZSTD(1)),
    "kind" LowCardinality(String) CODEC(ZSTD(1)),
    "outcome" LowCardinality(Nullable(String)) CODEC(ZSTD(1)),
    "fields" Nullable(String) CODEC(ZSTD(1)),
    "end" DateTime64(9, 'UTC') ALIAS fromUnixTimestamp64Nano(toUnixTimestamp64Nano(start) + duration_ns, 'UTC'),
    "flow_id" String ALIAS lower(hex(flow_number)),
    "community_id" Nullable(String) ALIAS if(proto IS NULL, NULL, arrayElement(arrayMap((a, b, n) -> concat('1:', base64Encode(SHA1(concat(char(0, 0), substring(a, 1, length(a) - 2), substring(b, 1, length(b) - 2), char(n, 0), if(n IN (1, 6, 17, 58, 132), concat(substring(a, -2), substring(b, -2)), ''))))), [if(((proto = 1 AND bitAnd(coalesce(src_selector, 0), 255) NOT IN (0, 8, 13, 14, 15, 16, 17, 18, 9, 10)) OR (proto = 58 AND bitAnd(coalesce(src_selector, 0), 255) NOT IN (128, 129, 130, 131, 133, 134, 135, 136, 139, 140, 144, 145))), concat(substring(unhex(hex(coalesce(src_ip, toIPv6('::')))), if(ethertype = 2048, 13, 1)), char(bitShiftRight(coalesce(src_port, src_selector, 0), 8), bitAnd(coalesce(src_port, src_selector, 0), 255))), least(concat(substring(unhex(hex(coalesce(src_ip, toIPv6('::')))), if(ethertype = 2048, 13, 1)), char(bitShiftRight(coalesce(src_port, src_selector, 0), 8), bitAnd(coalesce(src_port, src_selector, 0), 255))), concat(substring(unhex(hex(coalesce(dst_ip, toIPv6('::')))), if(ethertype = 2048, 13, 1)), char(bitShiftRight(coalesce(dst_port, dst_selector, 0), 8), bitAnd(coalesce(dst_port, dst_selector, 0), 255)))))], [if(((proto = 1 AND bitAnd(coalesce(src_selector, 0), 255) NOT IN (0, 8, 13, 14, 15, 16, 17, 18, 9, 10)) OR (proto = 58 AND bitAnd(coalesce(src_selector, 0), 255) NOT IN (128, 129, 130, 131, 133, 134, 135, 136, 139, 140, 144, 145))), concat(substring(unhex(hex(coalesce(dst_ip, toIPv6('::')))), if(ethertype = 2048, 13, 1)), char(bitShiftRight(coalesce(dst_port, dst_selector, 0), 8), bitAnd(coalesce(dst_port, dst_selector, 0), 255))), greatest(concat(substring(unhex(hex(coalesce(src_ip, toIPv6('::')))), if(ethertype = 2048, 13, 1)), char(bitShiftRight(coalesce(src_port, src_selector, 0), 8), bitAnd(coalesce(src_port, src_selector, 0), 255))), concat(substring(unhex(hex(coalesce(dst_ip, toIPv6('::')))), if(ethertype = 2048, 13, 1)), char(bitShiftRight(coalesce(dst_port, dst_selector, 0), 8), bitAnd(coalesce(dst_port, dst_selector, 0), 255)))))], [coalesce(proto, 0)]), 1)),
    INDEX start_range "start" TYPE minmax GRANULARITY 1,
    INDEX dst_bloom "dst_ip" TYPE bloom_filter GRANULARITY 4,
    INDEX src_bloom "src_ip" TYPE bloom_filter GRANULARITY 4
) ENGINE = MergeTree
PARTITION BY "day"
ORDER BY ("site", "hour", "flow_number", "start")
TTL day + toIntervalDay(30)
SETTINGS allow_nullable_key = 1, fsync_after_insert = 1, fsync_part_directory = 1, non_replicated_deduplication_window = 20000
COMMENT 'weir schema 1';

-- A cluster named weir.

CREATE DATABASE IF NOT EXISTS "weir" ON CLUSTER 'weir';

CREATE TABLE IF NOT EXISTS "weir"."flows_local" ON CLUSTER 'weir' (
    "site" LowCardinality(String) CODEC(ZSTD(1)),
    "day" Date CODEC(Delta, ZSTD(1)),
    "hour" DateTime('UTC') CODEC(Delta, ZSTD(1)),
    "start" DateTime64(9, 'UTC') CODEC(Delta, ZSTD(1)),
    "duration_ns" Int64 CODEC(ZSTD(1)),
    "before_ns" Nullable(Int64) CODEC(ZSTD(1)),
    "flow_number" UInt64 CODEC(NONE),
    "src_ip" Nullable(IPv6) CODEC(ZSTD(1)),
    "dst_ip" Nullable(IPv6) CODEC(ZSTD(1)),
    "exporter" Nullable(IPv6) CODEC(ZSTD(1)),
    "phase" LowCardinality(String) CODEC(ZSTD(1)),
    "end_reason" UInt8 CODEC(ZSTD(1)),
    "ethertype" UInt16 CODEC(ZSTD(1)),
    "vlan" Nullable(UInt16) CODEC(ZSTD(1)),
    "proto" Nullable(UInt8) CODEC(ZSTD(1)),
    "src_port" Nullable(UInt16) CODEC(ZSTD(1)),
    "dst_port" Nullable(UInt16) CODEC(ZSTD(1)),
    "src_selector" Nullable(UInt16) CODEC(ZSTD(1)),
    "dst_selector" Nullable(UInt16) CODEC(ZSTD(1)),
    "initiator_reason" LowCardinality(String) CODEC(ZSTD(1)),
    "sampling" Nullable(UInt32) CODEC(ZSTD(1)),
    "src_packets" UInt64 CODEC(ZSTD(1)),
    "src_bytes" UInt64 CODEC(ZSTD(1)),
    "src_payload_bytes" UInt64 CODEC(ZSTD(1)),
    "dst_packets" Nullable(UInt64) CODEC(ZSTD(1)),
    "dst_bytes" Nullable(UInt64) CODEC(ZSTD(1)),
    "dst_payload_bytes" Nullable(UInt64) CODEC(ZSTD(1)),
    "src_packets_total" Nullable(UInt64) CODEC(ZSTD(1)),
    "src_bytes_total" Nullable(UInt64) CODEC(ZSTD(1)),
    "src_payload_bytes_total" Nullable(UInt64) CODEC(ZSTD(1)),
    "dst_packets_total" Nullable(UInt64) CODEC(ZSTD(1)),
    "dst_bytes_total" Nullable(UInt64) CODEC(ZSTD(1)),
    "dst_payload_bytes_total" Nullable(UInt64) CODEC(ZSTD(1)),
    "src_tcp_flags" Nullable(UInt16) CODEC(ZSTD(1)),
    "dst_tcp_flags" Nullable(UInt16) CODEC(ZSTD(1)),
    "src_first_flags" Nullable(UInt16) CODEC(ZSTD(1)),
    "src_mac" Nullable(UInt64) CODEC(ZSTD(1)),
    "dst_mac" Nullable(UInt64) CODEC(ZSTD(1)),
    "src_ttl" Nullable(UInt8) CODEC(ZSTD(1)),
    "dst_ttl" Nullable(UInt8) CODEC(ZSTD(1)),
    "tos" Nullable(UInt8) CODEC(ZSTD(1)),
    "syn_bytes" Nullable(UInt16) CODEC(ZSTD(1)),
    "syn_window" Nullable(UInt16) CODEC(ZSTD(1)),
    "icmp_type" Nullable(UInt8) CODEC(ZSTD(1)),
    "icmp_code" Nullable(UInt8) CODEC(ZSTD(1)),
    "icmp_error_type" Nullable(UInt8) CODEC(ZSTD(1)),
    "icmp_error_code" Nullable(UInt8) CODEC(ZSTD(1)),
    "icmp_payload_max" Nullable(UInt16) CODEC(ZSTD(1)),
    "conn_state" LowCardinality(Nullable(String)) CODEC(ZSTD(1)),
    "history" LowCardinality(Nullable(String)) CODEC(ZSTD(1)),
    "app" LowCardinality(Nullable(String)) CODEC(ZSTD(1)),
    "app_by" LowCardinality(Nullable(String)) CODEC(ZSTD(1)),
    "logins_refused" Nullable(UInt16) CODEC(ZSTD(1)),
    "logins_accepted" Nullable(UInt16) CODEC(ZSTD(1)),
    "src_inside" Nullable(Bool) CODEC(ZSTD(1)),
    "dst_inside" Nullable(Bool) CODEC(ZSTD(1)),
    "duplicate" Nullable(Bool) CODEC(ZSTD(1)),
    "unnamed" LowCardinality(Nullable(String)) CODEC(ZSTD(1)),
    "src_country" LowCardinality(Nullable(String)) CODEC(ZSTD(1)),
    "dst_country" LowCardinality(Nullable(String)) CODEC(ZSTD(1)),
    "src_asn" Nullable(UInt32) CODEC(ZSTD(1)),
    "dst_asn" Nullable(UInt32) CODEC(ZSTD(1)),
    "end" DateTime64(9, 'UTC') ALIAS fromUnixTimestamp64Nano(toUnixTimestamp64Nano(start) + duration_ns, 'UTC'),
    "flow_id" String ALIAS lower(hex(flow_number)),
    "community_id" Nullable(String) ALIAS if(proto IS NULL, NULL, arrayElement(arrayMap((a, b, n) -> concat('1:', base64Encode(SHA1(concat(char(0, 0), substring(a, 1, length(a) - 2), substring(b, 1, length(b) - 2), char(n, 0), if(n IN (1, 6, 17, 58, 132), concat(substring(a, -2), substring(b, -2)), ''))))), [if(((proto = 1 AND bitAnd(coalesce(src_selector, 0), 255) NOT IN (0, 8, 13, 14, 15, 16, 17, 18, 9, 10)) OR (proto = 58 AND bitAnd(coalesce(src_selector, 0), 255) NOT IN (128, 129, 130, 131, 133, 134, 135, 136, 139, 140, 144, 145))), concat(substring(unhex(hex(coalesce(src_ip, toIPv6('::')))), if(ethertype = 2048, 13, 1)), char(bitShiftRight(coalesce(src_port, src_selector, 0), 8), bitAnd(coalesce(src_port, src_selector, 0), 255))), least(concat(substring(unhex(hex(coalesce(src_ip, toIPv6('::')))), if(ethertype = 2048, 13, 1)), char(bitShiftRight(coalesce(src_port, src_selector, 0), 8), bitAnd(coalesce(src_port, src_selector, 0), 255))), concat(substring(unhex(hex(coalesce(dst_ip, toIPv6('::')))), if(ethertype = 2048, 13, 1)), char(bitShiftRight(coalesce(dst_port, dst_selector, 0), 8), bitAnd(coalesce(dst_port, dst_selector, 0), 255)))))], [if(((proto = 1 AND bitAnd(coalesce(src_selector, 0), 255) NOT IN (0, 8, 13, 14, 15, 16, 17, 18, 9, 10)) OR (proto = 58 AND bitAnd(coalesce(src_selector, 0), 255) NOT IN (128, 129, 130, 131, 133, 134, 135, 136, 139, 140, 144, 145))), concat(substring(unhex(hex(coalesce(dst_ip, toIPv6('::')))), if(ethertype = 2048, 13, 1)), char(bitShiftRight(coalesce(dst_port, dst_selector, 0), 8), bitAnd(coalesce(dst_port, dst_selector, 0), 255))), greatest(concat(substring(unhex(hex(coalesce(src_ip, toIPv6('::')))), if(ethertype = 2048, 13, 1)), char(bitShiftRight(coalesce(src_port, src_selector, 0), 8), bitAnd(coalesce(src_port, src_selector, 0), 255))), concat(substring(unhex(hex(coalesce(dst_ip, toIPv6('::')))), if(ethertype = 2048, 13, 1)), char(bitShiftRight(coalesce(dst_port, dst_selector, 0), 8), bitAnd(coalesce(dst_port, dst_selector, 0), 255)))))], [coalesce(proto, 0)]), 1)),
    "flow_start" DateTime64(9, 'UTC') ALIAS fromUnixTimestamp64Nano(toUnixTimestamp64Nano(start) - coalesce(before_ns, 0), 'UTC'),
    "icmp_error" Nullable(String) ALIAS if(icmp_error_type IS NULL, NULL, concat(toString(icmp_error_type), '/', toString(icmp_error_code))),
    INDEX start_range "start" TYPE minmax GRANULARITY 1,
    INDEX dst_bloom "dst_ip" TYPE bloom_filter GRANULARITY 4,
    INDEX src_bloom "src_ip" TYPE bloom_filter GRANULARITY 4
) ENGINE = ReplicatedMergeTree('/clickhouse/tables/{shard}/weir/flows', '{replica}')
PARTITION BY "day"
ORDER BY ("site", "hour", "src_ip", "dst_ip", "dst_port", "start")
TTL day + toIntervalDay(30)
SETTINGS allow_nullable_key = 1, replicated_deduplication_window = 20000
COMMENT 'weir schema 1';

CREATE TABLE IF NOT EXISTS "weir"."flows" ON CLUSTER 'weir' AS "weir"."flows_local"
ENGINE = Distributed('weir', 'weir', 'flows_local', flow_number)
COMMENT 'weir schema 1';

CREATE TABLE IF NOT EXISTS "weir"."transactions_local" ON CLUSTER 'weir' (
    "site" LowCardinality(String) CODEC(ZSTD(1)),
    "day" Date CODEC(Delta, ZSTD(1)),
    "hour" DateTime('UTC') CODEC(Delta, ZSTD(1)),
    "start" DateTime64(9, 'UTC') CODEC(Delta, ZSTD(1)),
    "duration_ns" Int64 CODEC(ZSTD(1)),
    "flow_number" UInt64 CODEC(NONE),
    "src_ip" Nullable(IPv6) CODEC(ZSTD(1)),
    "dst_ip" Nullable(IPv6) CODEC(ZSTD(1)),
    "ethertype" UInt16 CODEC(ZSTD(1)),
    "vlan" Nullable(UInt16) CODEC(ZSTD(1)),
    "proto" Nullable(UInt8) CODEC(ZSTD(1)),
    "src_port" Nullable(UInt16) CODEC(ZSTD(1)),
    "dst_port" Nullable(UInt16) CODEC(ZSTD(1)),
    "src_selector" Nullable(UInt16) CODEC(ZSTD(1)),
    "dst_selector" Nullable(UInt16) CODEC(ZSTD(1)),
    "app" LowCardinality(Nullable(String)) CODEC(ZSTD(1)),
    "src_inside" Nullable(Bool) CODEC(ZSTD(1)),
    "dst_inside" Nullable(Bool) CODEC(ZSTD(1)),
    "kind" LowCardinality(String) CODEC(ZSTD(1)),
    "outcome" LowCardinality(Nullable(String)) CODEC(ZSTD(1)),
    "fields" Nullable(String) CODEC(ZSTD(1)),
    "end" DateTime64(9, 'UTC') ALIAS fromUnixTimestamp64Nano(toUnixTimestamp64Nano(start) + duration_ns, 'UTC'),
    "flow_id" String ALIAS lower(hex(flow_number)),
    "community_id" Nullable(String) ALIAS if(proto IS NULL, NULL, arrayElement(arrayMap((a, b, n) -> concat('1:', base64Encode(SHA1(concat(char(0, 0), substring(a, 1, length(a) - 2), substring(b, 1, length(b) - 2), char(n, 0), if(n IN (1, 6, 17, 58, 132), concat(substring(a, -2), substring(b, -2)), ''))))), [if(((proto = 1 AND bitAnd(coalesce(src_selector, 0), 255) NOT IN (0, 8, 13, 14, 15, 16, 17, 18, 9, 10)) OR (proto = 58 AND bitAnd(coalesce(src_selector, 0), 255) NOT IN (128, 129, 130, 131, 133, 134, 135, 136, 139, 140, 144, 145))), concat(substring(unhex(hex(coalesce(src_ip, toIPv6('::')))), if(ethertype = 2048, 13, 1)), char(bitShiftRight(coalesce(src_port, src_selector, 0), 8), bitAnd(coalesce(src_port, src_selector, 0), 255))), least(concat(substring(unhex(hex(coalesce(src_ip, toIPv6('::')))), if(ethertype = 2048, 13, 1)), char(bitShiftRight(coalesce(src_port, src_selector, 0), 8), bitAnd(coalesce(src_port, src_selector, 0), 255))), concat(substring(unhex(hex(coalesce(dst_ip, toIPv6('::')))), if(ethertype = 2048, 13, 1)), char(bitShiftRight(coalesce(dst_port, dst_selector, 0), 8), bitAnd(coalesce(dst_port, dst_selector, 0), 255)))))], [if(((proto = 1 AND bitAnd(coalesce(src_selector, 0), 255) NOT IN (0, 8, 13, 14, 15, 16, 17, 18, 9, 10)) OR (proto = 58 AND bitAnd(coalesce(src_selector, 0), 255) NOT IN (128, 129, 130, 131, 133, 134, 135, 136, 139, 140, 144, 145))), concat(substring(unhex(hex(coalesce(dst_ip, toIPv6('::')))), if(ethertype = 2048, 13, 1)), char(bitShiftRight(coalesce(dst_port, dst_selector, 0), 8), bitAnd(coalesce(dst_port, dst_selector, 0), 255))), greatest(concat(substring(unhex(hex(coalesce(src_ip, toIPv6('::')))), if(ethertype = 2048, 13, 1)), char(bitShiftRight(coalesce(src_port, src_selector, 0), 8), bitAnd(coalesce(src_port, src_selector, 0), 255))), concat(substring(unhex(hex(coalesce(dst_ip, toIPv6('::')))), if(ethertype = 2048, 13, 1)), char(bitShiftRight(coalesce(dst_port, dst_selector, 0), 8), bitAnd(coalesce(dst_port, dst_selector, 0), 255)))))], [coalesce(proto, 0)]), 1)),
    INDEX start_range "start" TYPE minmax GRANULARITY 1,
    INDEX dst_bloom "dst_ip" TYPE bloom_filter GRANULARITY 4,
    INDEX src_bloom "src_ip" TYPE bloom_filter GRANULARITY 4
) ENGINE = ReplicatedMergeTree('/clickhouse/tables/{shard}/weir/transactions', '{replica}')
PARTITION BY "day"
ORDER BY ("site", "hour", "flow_number", "start")
TTL day + toIntervalDay(30)
SETTINGS allow_nullable_key = 1, replicated_deduplication_window = 20000
COMMENT 'weir schema 1';

CREATE TABLE IF NOT EXISTS "weir"."transactions" ON CLUSTER 'weir' AS "weir"."transactions_local"
ENGINE = Distributed('weir', 'weir', 'transactions_local', flow_number)
COMMENT 'weir schema 1';
