// Who moved what to whom in this window? A filter with completion and errors at the caret, a chart, rows or groups.
import { Button, Group, SegmentedControl, Select, Stack, Table, Text } from "@mantine/core";
import { useQuery } from "@tanstack/react-query";
import { useSearch } from "@tanstack/react-router";
import { api, got, type Schemas } from "../api/client";
import { useRange, useSetSearch } from "../app/navigate";
import { asQuery, type Range, readRange } from "../app/range";
import { bytes, count, words } from "../ui/format";
import { Empty, HostLink, Raw, Shown } from "../ui/parts";
import { QueryBox } from "../ui/QueryBox";
import { TimeBars } from "../ui/TimeBars";
import { type FlowRow, FlowRows } from "./FlowRows";

type FlowSearch = Range & { filter?: string; by?: string; order?: string; cursor?: string };

export function readFlowSearch(search: Record<string, unknown>): FlowSearch {
  const read: FlowSearch = readRange(search);
  for (const name of ["filter", "by", "order", "cursor"] as const) {
    const value = search[name];
    if (typeof value === "string" && value) read[name] = value;
  }
  return read;
}

const GROUPS = [
  { value: "src_ip", label: "source address" },
  { value: "dst_ip", label: "target address" },
  { value: "src_ip,dst_ip", label: "source and target" },
  { value: "dst_port", label: "target port" },
  { value: "dst_port,proto", label: "target port and protocol" },
  { value: "proto", label: "protocol" },
  { value: "app", label: "application" },
];
const ORDERS = ["bytes", "packets", "flows"];

export function FlowsScreen() {
  const range = useRange();
  const search = readFlowSearch(useSearch({ strict: false }) as Record<string, unknown>);
  const setSearch = useSetSearch();
  const query = { ...asQuery(range), filter: search.filter };
  const narrow = (condition: string) =>
    setSearch({
      filter: search.filter ? `(${search.filter}) and ${condition}` : condition,
      by: undefined,
      cursor: undefined,
    });
  return (
    <Stack>
      <QueryBox
        value={search.filter ?? ""}
        onRun={(filter) => setSearch({ filter: filter || undefined, cursor: undefined })}
      />
      <Chart query={query} />
      <Group gap="sm">
        <SegmentedControl
          size="xs"
          aria-label="Rows or groups"
          value={search.by ? "groups" : "rows"}
          data={[
            { value: "rows", label: "flows" },
            { value: "groups", label: "top" },
          ]}
          onChange={(view) => setSearch({ by: view === "groups" ? "src_ip" : undefined, cursor: undefined })}
        />
        {search.by && (
          <>
            <Select
              size="xs"
              aria-label="Group by"
              data={GROUPS}
              value={search.by}
              allowDeselect={false}
              onChange={(by) => setSearch({ by: by ?? undefined })}
            />
            <Select
              size="xs"
              aria-label="Order by"
              data={ORDERS}
              value={search.order ?? "bytes"}
              allowDeselect={false}
              onChange={(order) => setSearch({ order: order ?? undefined })}
            />
          </>
        )}
      </Group>
      {search.by ? (
        <Groups query={query} by={search.by} order={search.order ?? "bytes"} narrow={narrow} />
      ) : (
        <Rows query={query} cursor={search.cursor} narrow={narrow} />
      )}
    </Stack>
  );
}

type Query = { since: string; until?: string; filter?: string };

function Cost({ cost }: { cost: Schemas["Cost"] }) {
  return (
    <Text size="xs" c="dimmed" role="status">
      {count(cost.rows_fitting)} of {count(cost.rows)} records fit; looked at {count(cost.rows_read)} in{" "}
      {Math.round(cost.took_ms)} ms
    </Text>
  );
}

function Rows({
  query,
  cursor,
  narrow,
}: {
  query: Query;
  cursor?: string;
  narrow: (condition: string) => void;
}) {
  const setSearch = useSetSearch();
  const flows = useQuery({
    queryKey: ["flows", query, cursor],
    queryFn: ({ signal }) =>
      got(api.GET("/api/v1/flows", { params: { query: { ...query, cursor, limit: 500 } }, signal })),
    placeholderData: (before) => before,
  });
  return (
    <Shown of={flows} rows={12}>
      {(page) =>
        page.flows.length ? (
          <>
            <Cost cost={page.cost} />
            <FlowRows flows={page.flows as FlowRow[]} onNarrow={narrow} />
            {page.next_cursor && (
              <Button variant="default" onClick={() => setSearch({ cursor: page.next_cursor ?? undefined })}>
                Next 500
              </Button>
            )}
          </>
        ) : (
          <Empty title="No flow fits">
            {count(page.cost.rows)} records were in reach. Choose a longer window of time, or a wider filter.
          </Empty>
        )
      }
    </Shown>
  );
}

const SUMS = new Set(["bytes", "src_bytes", "dst_bytes"]);

interface GroupsProps {
  query: Query;
  by: string;
  order: string;
  narrow: (condition: string) => void;
}

function Groups({ query, by, order, narrow }: GroupsProps) {
  const table = useQuery({
    queryKey: ["groups", query, by, order],
    queryFn: ({ signal }) =>
      got(api.GET("/api/v1/flows/groups", { params: { query: { ...query, by, order, limit: 50 } }, signal })),
    placeholderData: (before) => before,
  });
  const keys = by.split(",");
  const condition = (names: string[], row: readonly unknown[]) =>
    names
      .map((name, at) => (keys.includes(name) ? `${name.replace("_", " ")} ${String(row[at])}` : ""))
      .filter(Boolean)
      .join(" and ");
  return (
    <Shown of={table} rows={12}>
      {({ columns, rows, groups, cost }) => {
        const names = columns.map(({ name }) => name);
        return (
          <>
            <Cost cost={cost} />
            <Table fz="sm" highlightOnHover aria-label="Groups of flows">
              <Table.Thead>
                <Table.Tr>
                  {names.map((name) => (
                    <Table.Th key={name}>{words(name)}</Table.Th>
                  ))}
                  <Table.Th />
                </Table.Tr>
              </Table.Thead>
              <Table.Tbody>
                {(rows as unknown as unknown[][]).map((row) => (
                  <Table.Tr key={JSON.stringify(row)}>
                    {row.map((value, at) => (
                      <Table.Td key={names[at]} className="mono">
                        {groupCell(names[at] ?? "", value)}
                      </Table.Td>
                    ))}
                    <Table.Td>
                      <Button
                        size="compact-xs"
                        variant="subtle"
                        onClick={() => narrow(condition(names, row))}
                      >
                        its flows
                      </Button>
                    </Table.Td>
                  </Table.Tr>
                ))}
              </Table.Tbody>
            </Table>
            {groups > rows.length && (
              <Text size="xs" c="dimmed">
                the {rows.length} greatest of {count(groups)}
              </Text>
            )}
          </>
        );
      }}
    </Shown>
  );
}

function groupCell(name: string, value: unknown) {
  if (value === null || value === undefined) return "–";
  if (name.endsWith("_ip")) return <HostLink ip={String(value)} />;
  if (SUMS.has(name)) return bytes(Number(value));
  return typeof value === "number" && !name.endsWith("port") ? count(value) : <Raw>{String(value)}</Raw>;
}

const BYTES = [{ name: "bytes", colour: "#1c98ac" }];

function Chart({ query }: { query: Query }) {
  const setSearch = useSetSearch();
  const series = useQuery({
    queryKey: ["series", query],
    queryFn: ({ signal }) => got(api.GET("/api/v1/flows/series", { params: { query }, signal })),
    placeholderData: (before) => before,
  });
  return (
    <Shown of={series} rows={4}>
      {({ columns, rows, step_s, span }) => {
        const names = columns.map(({ name }) => name);
        const [start, amount] = [0, names.indexOf("bytes")];
        return (
          <TimeBars
            label="Bytes over time"
            series={BYTES}
            stepMs={(step_s ?? 60) * 1000}
            span={span}
            show={bytes}
            steps={(rows as unknown as unknown[][]).map((row) => ({
              start: Date.parse(String(row[start])),
              values: [Number(row[amount] ?? 0)],
            }))}
            onSelect={(since, until) => setSearch({ t: undefined, since, until, cursor: undefined })}
          />
        );
      }}
    </Shown>
  );
}
