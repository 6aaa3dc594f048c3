// Events as a tree: type, then source, then event. Each branch asks the server when it is opened.
import { Group, Stack, Text, UnstyledButton } from "@mantine/core";
import { useQuery } from "@tanstack/react-query";
import { type ReactNode, useState } from "react";
import { api, got, type Schemas } from "../../api/client";
import { count } from "../../ui/format";
import { Empty, Raw, Shown } from "../../ui/parts";
import { EventTable } from "./EventTable";

export type EventQuery = Record<string, string | undefined> & { since: string };

interface Props {
  query: EventQuery;
  facets: Schemas["EventFacets"];
  onOpen: (id: string) => void;
}

/** Events shown below one source. */
const EVENTS = 100;

export function Tree({ query, facets, onOpen }: Props) {
  if (!facets.method.length) return <Empty title="No event fits">Take a condition away.</Empty>;
  return (
    <Stack gap={0} component="ul" className="tree" aria-label="Events by type">
      {facets.method.map(({ value, count: events }) => (
        <Branch key={value} label={value} events={events}>
          <Sources query={{ ...query, method: value }} onOpen={onOpen} />
        </Branch>
      ))}
    </Stack>
  );
}

function Branch({ label, events, children }: { label: string; events: number; children: ReactNode }) {
  const [open, setOpen] = useState(false);
  return (
    <li>
      <UnstyledButton aria-expanded={open} onClick={() => setOpen(!open)}>
        <Group gap="xs">
          <span aria-hidden="true">{open ? "▾" : "▸"}</span>
          <Raw>{label}</Raw>
          <Text span size="sm" c="dimmed">
            {count(events)}
          </Text>
        </Group>
      </UnstyledButton>
      {open && children}
    </li>
  );
}

function Sources({ query, onOpen }: Omit<Props, "facets">) {
  const facets = useQuery({
    queryKey: ["events", "facets", query],
    queryFn: () => got(api.GET("/api/v1/events/facets", { params: { query } })),
  });
  return (
    <Shown of={facets} rows={2}>
      {({ source, total }) => {
        const known = source.reduce((sum, one) => sum + one.count, 0);
        return (
          <ul className="tree">
            {source.map(({ value, count: events }) => (
              <Branch key={value} label={value} events={events}>
                <Leaves query={{ ...query, source: value }} onOpen={onOpen} />
              </Branch>
            ))}
            {total > known && (
              <li>
                <Text size="sm" c="dimmed">
                  {count(total - known)} more, of sources without an address or beyond the first {source.length}: narrow
                  down to see them
                </Text>
              </li>
            )}
          </ul>
        );
      }}
    </Shown>
  );
}

function Leaves({ query, onOpen }: Omit<Props, "facets">) {
  const list = useQuery({
    queryKey: ["events", "list", query, "risk", undefined],
    queryFn: () =>
      got(api.GET("/api/v1/events", { params: { query: { ...query, sort: "risk", limit: EVENTS } } })),
  });
  return (
    <Shown of={list} rows={2}>
      {({ events }) => <EventTable events={events} onOpen={onOpen} />}
    </Shown>
  );
}
