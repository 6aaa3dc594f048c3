// What the traffic of the window is made of: sources, directions, applications, hosts outside. Every number opens its flows.
import { SegmentedControl } from "@mantine/core";
import { useQuery } from "@tanstack/react-query";
import { type ReactNode, useState } from "react";
import { api, got, type Schemas } from "../api/client";
import { useGo } from "../app/navigate";
import { condition } from "../ui/filter";
import { bits, bytes, counted } from "../ui/format";
import { HostLink, Panel, Raw, Shown } from "../ui/parts";
import { RankedTable } from "../ui/ranked";
import { Delivered, directionOf } from "./Traffic";

type Query = { since: string; until?: string };
const LINES = 20;

export function Structure({ query, performance }: { query: Query; performance?: Schemas["Performance"] | null }) {
  return (
    <div className="grid two">
      <Delivered query={query} performance={performance} />
      <Top
        title="Directions"
        query={query}
        by="src_inside,dst_inside"
        line={(keys) => {
          const direction = directionOf(keys);
          const known = direction && keys.every((key) => key != null);
          return known
            ? { name: direction.name, filter: direction.name }
            : { name: "no address", filter: "not exists src_inside or not exists dst_inside" };
        }}
      />
      <Top
        title="Applications"
        query={query}
        by="app"
        line={([app]) =>
          app == null
            ? { name: "not known", filter: "not exists app" }
            : { name: <Raw>{String(app)}</Raw>, filter: condition("app", app) }
        }
      />
      <Top
        title="Hosts outside"
        query={query}
        by="dst_ip"
        filter="dst outside"
        line={([ip]) => ({ name: <HostLink ip={String(ip)} />, filter: condition("dst ip", ip) })}
      />
    </div>
  );
}

interface TopProps {
  title: string;
  query: Query;
  by: string;
  filter?: string;
  /** Name of a group, and the filter that finds it. */
  line: (keys: unknown[]) => { name: ReactNode; filter: string | undefined };
}

const ORDERS = ["bytes", "packets", "flows"] as const;

function Top({ title, query, by, filter, line }: TopProps) {
  const go = useGo();
  const [order, setOrder] = useState<string>("bytes");
  const table = useQuery({
    queryKey: ["groups", "structure", by, query, filter, order],
    queryFn: ({ signal }) =>
      got(
        api.GET("/api/v1/flows/groups", { params: { query: { ...query, filter, by, order, limit: LINES } }, signal }),
      ),
    placeholderData: (before) => before,
    refetchInterval: 60_000,
  });
  const rows = ({ columns, rows: answered, span }: Schemas["FlowTable"]) => {
    const keys = by.split(",").length;
    const at = (name: string) => columns.findIndex((column) => column.name === name);
    const seconds = Math.max(1, (Date.parse(span.until) - Date.parse(span.since)) / 1000);
    return (answered as unknown as unknown[][]).map((row) => {
      const { name, filter: own } = line(row.slice(0, keys));
      const total = Number(row[at("bytes")] ?? 0);
      const cells = [bits((total * 8) / seconds), bytes(total), counted(Number(row[at("flows")] ?? 0), "flow")];
      return {
        key: JSON.stringify(row.slice(0, keys)),
        name,
        size: Number(row[at(order)] ?? 0),
        cells,
        open: own ? () => go("/flows", { filter: own }) : undefined,
      };
    });
  };
  return (
    <Panel
      title={title}
      right={
        <SegmentedControl
          size="xs"
          aria-label={`Order of ${title}`}
          value={order}
          data={[...ORDERS]}
          onChange={setOrder}
        />
      }
    >
      <Shown of={table} rows={5}>
        {(data) => <RankedTable label={title} rows={rows(data)} empty="No traffic" first={6} />}
      </Shown>
    </Panel>
  );
}
