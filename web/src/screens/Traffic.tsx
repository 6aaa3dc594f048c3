// Traffic of the window over time by where it goes, with the events on it, and what each source delivers of it.
import { Group, Table, Text } from "@mantine/core";
import { useQuery } from "@tanstack/react-query";
import type { ReactNode } from "react";
import { api, type EventRow, got, type Schemas } from "../api/client";
import { useGo, useSetSearch } from "../app/navigate";
import { PRIORITY_COLOUR, PRIORITY_MARK, priorityOf } from "../app/theme";
import { condition } from "../ui/filter";
import { bits, bytes, count, perSecond } from "../ui/format";
import { grouped, stacked } from "../ui/grouped";
import { HostLink, Panel, Raw, Shown } from "../ui/parts";
import { TimeBars } from "../ui/TimeBars";

type Query = { since: string; until?: string };

/** Words of the filter language for who is inside, with colours that all can tell apart. */
export const DIRECTIONS = [
  { keys: "true,true", name: "internal", colour: "#1c98ac" },
  { keys: "true,false", name: "outbound", colour: "#e69f00" },
  { keys: "false,true", name: "inbound", colour: "#b0578d" },
  { keys: "false,false", name: "external", colour: "#6b7785" },
  { keys: ",", name: "no address", colour: "#a7b0b8" },
];

/** A direction by who is inside; an address that is missing leaves none. */
export function directionOf(keys: unknown[]) {
  return DIRECTIONS.find((one) => one.keys === keys.map(String).join(",")) ?? DIRECTIONS[4];
}

function useSeries(query: Query, by: string, limit: number) {
  return useQuery({
    queryKey: ["series", "by", by, limit, query],
    queryFn: ({ signal }) =>
      got(api.GET("/api/v1/flows/series", { params: { query: { ...query, by, limit } }, signal })),
    placeholderData: (before) => before,
    refetchInterval: 60_000,
  });
}

interface Props {
  query: Query;
  traffic: Schemas["Traffic"];
  span: Schemas["Span"];
  worst: EventRow[];
}

export function Traffic({ query, traffic, span, worst }: Props) {
  const go = useGo();
  const setSearch = useSetSearch();
  const directions = useSeries(query, "src_inside,dst_inside", DIRECTIONS.length);
  const seconds = Math.max(1, (Date.parse(span.until) - Date.parse(span.since)) / 1000);
  const facts: [string, string][] = [
    ["Highest", bits(traffic.bits_per_s_max)],
    ["Average", bits(traffic.bits_per_s_avg)],
    ["Bytes", bytes(traffic.bytes)],
    ["Packets", count(traffic.packets)],
    ["Packets on average", perSecond(traffic.packets / seconds)],
    ["Flows", count(traffic.flows)],
  ];
  const marks = worst.map((event) => {
    const priority = priorityOf(event.priority);
    return {
      at: Date.parse(event.first_flow),
      sign: PRIORITY_MARK[priority],
      colour: PRIORITY_COLOUR[priority],
      label: `${event.method}: ${event.reason}`,
      open: () => go(`/events/${event.id}`),
    };
  });
  return (
      <Panel
        title="Traffic"
        note="Bits per second by direction. Marks are the events above, at their first flow."
        right={
          <Group gap="lg" justify="end">
            {facts.map(([name, value]) => (
              <Text key={name} size="sm">
                <Text span c="dimmed" size="sm">
                  {name}
                </Text>{" "}
                <button type="button" className="value" title="The flows" onClick={() => go("/flows")}>
                  {value}
                </button>
              </Text>
            ))}
          </Group>
        }
      >
        <Shown of={directions} rows={6}>
          {(table) => {
            const stepS = table.step_s ?? 60;
            const names = DIRECTIONS.map(({ name }) => name);
            const steps = stacked(table, "bytes", names, ({ keys }) => directionOf(keys)?.name ?? "");
            return (
              <TimeBars
                label="Bits per second over time"
                series={DIRECTIONS}
                stepMs={stepS * 1000}
                span={table.span}
                show={bits}
                marks={marks}
                steps={steps.map(({ start, values }) => ({ start, values: values.map((value) => (value * 8) / stepS) }))}
                onSelect={(since, until) => setSearch({ t: undefined, since, until })}
              />
            );
          }}
        </Shown>
      </Panel>
  );
}

/** Sources told apart. */
const SOURCES = 20;

/** The structure of all traffic by source, as far as records say who exported them. */
export function Delivered({ query, performance }: { query: Query; performance?: Measured }) {
  const series = useSeries(query, "exporter", SOURCES);
  return (
    <Panel title="Structure of overall traffic" note="By the source that delivered it.">
      <Shown of={series} rows={3}>
        {(table) => <SourceTable table={table} performance={performance} />}
      </Shown>
    </Panel>
  );
}

type Measured = Schemas["Performance"] | null;

function SourceTable({ table, performance }: { table: Schemas["FlowTable"]; performance?: Measured }) {
  const go = useGo();
  const rtrOf = (exporter: unknown) =>
    performance?.sources.find((source) => (source.exporter ?? null) === (exporter ?? null))?.rtr_avg;
  const stepS = table.step_s ?? 60;
  const seconds = Math.max(1, (Date.parse(table.span.until) - Date.parse(table.span.since)) / 1000);
  const lines = grouped(table);
  const line = (key: string, name: ReactNode, of: (typeof lines)[number], rtr?: number, filter?: string) => (
    <Table.Tr key={key} fw={key === "total" ? 700 : undefined}>
      <Table.Td>{name}</Table.Td>
      <Table.Td ta="right" className="keep">{bits((of.bytesHighest * 8) / stepS)}</Table.Td>
      <Table.Td ta="right" className="keep">{bits((of.bytes * 8) / seconds)}</Table.Td>
      <Table.Td ta="right" className="keep">{perSecond(of.packets / seconds)}</Table.Td>
      <Table.Td ta="right" className="keep">{bytes(of.bytes)}</Table.Td>
      <Table.Td ta="right" className="keep">{rtr === undefined ? "–" : count(rtr)}</Table.Td>
      <Table.Td ta="right" className="keep">
        <button type="button" className="value" title="Its flows" onClick={() => go("/flows", { filter })}>
          {count(of.flows)}
        </button>
      </Table.Td>
    </Table.Tr>
  );
  return (
    <Table fz="sm" horizontalSpacing={6} aria-label="Structure of overall traffic">
      <Table.Thead>
        <Table.Tr>
          <Table.Th>Source</Table.Th>
          <Table.Th ta="right">Highest</Table.Th>
          <Table.Th ta="right">Average</Table.Th>
          <Table.Th ta="right">Packets</Table.Th>
          <Table.Th ta="right">Bytes</Table.Th>
          <Table.Th ta="right" title="Packets sent again, on average of the records that tell">
            RTR
          </Table.Th>
          <Table.Th ta="right">Flows</Table.Th>
        </Table.Tr>
      </Table.Thead>
      <Table.Tbody>
        {lines.map((one) => {
          const [exporter] = one.keys;
          if (one.rest) return line("rest", "all others", one);
          if (exporter == null) return line("own", "seen by Weir itself", one, rtrOf(null), "not exists exporter");
          const name = <HostLink ip={String(exporter)} />;
          return line(String(exporter), name, one, rtrOf(exporter), condition("exporter", exporter));
        })}
        {lines.length > 0 ? (
          line("total", "Total", total(table), performance?.retransmissions?.rtr_avg)
        ) : (
          <Table.Tr>
            <Table.Td colSpan={7}>
              <Raw>No traffic in this window</Raw>
            </Table.Td>
          </Table.Tr>
        )}
      </Table.Tbody>
    </Table>
  );
}

/** All groups as one. */
function total(table: Schemas["FlowTable"]) {
  const all = grouped(table);
  const steps = stacked(table, "bytes", ["all"], () => "all");
  const sum = (of: (one: (typeof all)[number]) => number) => all.reduce((before, one) => before + of(one), 0);
  return {
    keys: [],
    rest: false,
    bytesHighest: Math.max(0, ...steps.flatMap(({ values }) => values)),
    bytes: sum(({ bytes }) => bytes),
    packets: sum(({ packets }) => packets),
    flows: sum(({ flows }) => flows),
  };
}
