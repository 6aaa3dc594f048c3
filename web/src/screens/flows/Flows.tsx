// Who moved what to whom in this window? A filter with completion and errors at the caret, a chart, rows or groups.
import { Button, Group, Loader, MultiSelect, SegmentedControl, Select, Stack, Text } from "@mantine/core";
import { useIsFetching, useQueryClient } from "@tanstack/react-query";
import { useSearch } from "@tanstack/react-router";
import { useEffect, useState } from "react";
import { useRange, useSetSearch } from "../../app/navigate";
import { asQuery, type Range, readRange } from "../../app/range";
import { narrowed, type Way } from "../../ui/filter";
import { QueryBox } from "../../ui/QueryBox";
import { Chart } from "./Chart";
import { Export } from "./Export";
import { Groups } from "./Groups";
import { Rows } from "./Rows";
import { Saved } from "./Saved";

type FlowSearch = Range & Partial<Record<"filter" | "by" | "order" | "sort", string>>;

/** What is asked of the flow store. */
export type FlowQuery = { since: string; until?: string; filter?: string };

export function readFlowSearch(search: Record<string, unknown>): FlowSearch {
  const read: FlowSearch = readRange(search);
  for (const name of ["filter", "by", "order", "sort"] as const) {
    const value = search[name];
    if (typeof value === "string" && value) read[name] = value;
  }
  return read;
}

/** Fields that groups are made of; an address may be cut to its network. */
const FIELDS = [
  { value: "src_ip", label: "source" },
  { value: "dst_ip", label: "target" },
  { value: "ip", label: "either address" },
  { value: "src_ip/24", label: "source /24" },
  { value: "dst_ip/24", label: "target /24" },
  { value: "src_port", label: "source port" },
  { value: "dst_port", label: "target port" },
  { value: "proto", label: "protocol" },
  { value: "app", label: "application" },
  { value: "conn_state", label: "state" },
  { value: "tos", label: "type of service" },
  { value: "vlan", label: "VLAN" },
  { value: "src_mac", label: "source MAC" },
  { value: "dst_mac", label: "target MAC" },
  { value: "src_inside", label: "source inside" },
  { value: "dst_inside", label: "target inside" },
  { value: "exporter", label: "exporter" },
];
const FIELDS_MAX = 3;
const ORDERS = ["bytes", "packets", "flows"];

export function FlowsScreen() {
  const range = useRange();
  const search = readFlowSearch(useSearch({ strict: false }) as Record<string, unknown>);
  const setSearch = useSetSearch();
  const query: FlowQuery = { ...asQuery(range), filter: search.filter };
  const by = search.by?.split(",") ?? [];
  const narrow = (condition: string, way: Way) =>
    setSearch({ filter: narrowed(search.filter, condition, way), by: undefined });
  const group = (fields: string[]) =>
    setSearch({ by: fields.join(",") || undefined, sort: undefined });
  return (
    <Stack gap="sm">
      <QueryBox
        value={search.filter ?? ""}
        onRun={(filter) => setSearch({ filter: filter || undefined })}
      />
      <Chart query={query} by={search.by} order={search.order} />
      <Group justify="space-between">
        <Group gap="sm">
          <SegmentedControl
            size="xs"
            aria-label="Rows or groups"
            value={search.by ? "groups" : "rows"}
            data={[
              { value: "rows", label: "flows" },
              { value: "groups", label: "top" },
            ]}
            onChange={(view) => group(view === "groups" ? ["src_ip"] : [])}
          />
          {search.by && (
            <>
              <MultiSelect
                size="xs"
                aria-label="Group by"
                data={FIELDS}
                value={by}
                maxValues={FIELDS_MAX}
                onChange={(fields) => fields.length > 0 && group(fields)}
              />
              <Select
                size="xs"
                w={110}
                aria-label="Order by"
                data={ORDERS}
                value={search.order ?? "bytes"}
                allowDeselect={false}
                onChange={(order) => setSearch({ order: order ?? undefined })}
              />
            </>
          )}
        </Group>
        <Group gap="sm">
          <Waiting />
          <Saved search={{ ...search }} />
          <Export query={query} by={search.by} order={search.order} />
        </Group>
      </Group>
      {search.by ? (
        <Groups query={query} by={by} order={search.order ?? "bytes"} narrow={narrow} />
      ) : (
        <Rows
          query={query}
          sort={search.sort}
          narrow={narrow}
          group={(field) => group([field])}
        />
      )}
    </Stack>
  );
}

const KEYS = [["flows"], ["groups"], ["series"]];
/** Searches that take longer can be stopped. */
const PATIENCE_MS = 700;

/** While the store is searched: how long already, and a way to stop. */
function Waiting() {
  const client = useQueryClient();
  const asking = useIsFetching({ predicate: ({ queryKey }) => KEYS.some(([key]) => key === queryKey[0]) });
  const [seconds, setSeconds] = useState<number>();
  useEffect(() => {
    setSeconds(undefined);
    if (!asking) return;
    const began = Date.now();
    const clock = window.setInterval(() => {
      const passed = Date.now() - began;
      if (passed >= PATIENCE_MS) setSeconds(Math.round(passed / 1000));
    }, PATIENCE_MS);
    return () => window.clearInterval(clock);
  }, [asking]);
  if (seconds === undefined) return null;
  return (
    <Group gap="xs" role="status">
      <Loader size="xs" />
      <Text size="xs">searching for {seconds} s</Text>
      <Button
        size="compact-xs"
        variant="default"
        onClick={() => KEYS.forEach((queryKey) => void client.cancelQueries({ queryKey }))}
      >
        Stop
      </Button>
    </Group>
  );
}
