// Events as rows: what, who, why, how bad, how sure. Rows open with Enter or a click, j and k move, x selects.
import { Anchor, Badge, Checkbox, Table, Text } from "@mantine/core";
import { useHotkeys } from "@mantine/hooks";
import { useState } from "react";
import type { EventRow } from "../../api/client";
import { useGo } from "../../app/navigate";
import { time } from "../../ui/format";
import { HostLink, PriorityBadge, Raw } from "../../ui/parts";
import { shown } from "../../ui/safe";

interface Props {
  events: EventRow[];
  /** Ids that are selected; without it nothing can be. */
  chosen?: Set<string>;
  onChoose?: (ids: Set<string>) => void;
  /** What opening an event does; its page when absent. */
  onOpen?: (id: string) => void;
}

export function EventTable({ events, chosen, onChoose, onOpen }: Props) {
  const go = useGo();
  const open = onOpen ?? ((id: string) => go(`/events/${id}`));
  const [at, setAt] = useState(-1);
  const move = (by: number) => setAt((now) => Math.min(events.length - 1, Math.max(0, now + by)));
  const toggle = (id: string) => {
    if (!chosen || !onChoose) return;
    const next = new Set(chosen);
    if (!next.delete(id)) next.add(id);
    onChoose(next);
  };
  const current = events[at];
  useHotkeys([
    ["j", () => move(1)],
    ["k", () => move(-1)],
    ["x", () => current && toggle(current.id)],
    ["Enter", () => current && open(current.id)],
  ]);
  const all = chosen !== undefined && events.length > 0 && events.every(({ id }) => chosen.has(id));
  return (
    <Table.ScrollContainer minWidth={760}>
      <Table highlightOnHover fz="sm" verticalSpacing={6} aria-label="Events">
        <Table.Thead>
          <Table.Tr>
            {chosen && (
              <Table.Th w={36}>
                <Checkbox
                  size="xs"
                  aria-label="Select all shown"
                  checked={all}
                  onChange={() => onChoose?.(all ? new Set() : new Set(events.map(({ id }) => id)))}
                />
              </Table.Th>
            )}
            <Table.Th>Priority</Table.Th>
            <Table.Th>Event</Table.Th>
            <Table.Th>Source</Table.Th>
            <Table.Th>Why</Table.Th>
            <Table.Th ta="right">Risk</Table.Th>
            <Table.Th>Last update (UTC)</Table.Th>
          </Table.Tr>
        </Table.Thead>
        <Table.Tbody>
          {events.map((event, index) => (
            <Table.Tr
              key={event.id}
              className={index === at ? "clickable chosen" : "clickable"}
              onClick={() => open(event.id)}
            >
              {chosen && (
                <Table.Td onClick={(click) => click.stopPropagation()}>
                  <Checkbox
                    size="xs"
                    aria-label={`Select ${event.method} of ${event.source_ip ?? event.source_mac ?? "unknown"}`}
                    checked={chosen.has(event.id)}
                    onChange={() => toggle(event.id)}
                  />
                </Table.Td>
              )}
              <Table.Td>
                <PriorityBadge priority={event.priority} />
              </Table.Td>
              <Table.Td>
                <Anchor
                  component="button"
                  type="button"
                  size="sm"
                  fw={600}
                  ta="left"
                  onClick={(click) => {
                    click.stopPropagation();
                    open(event.id);
                  }}
                >
                  {event.method}
                </Anchor>
                <Text size="xs" c="dimmed">
                  {event.submethod}
                </Text>
                {event.workflow !== "new" && (
                  <Badge size="xs" variant="light" tt="none" mr={4}>
                    {event.workflow}
                  </Badge>
                )}
                {event.labels.map((label) => (
                  <Badge key={label} size="xs" variant="light" color="gray" tt="none" mr={4}>
                    {shown(label)}
                  </Badge>
                ))}
                {event.assignee && (
                  <Text size="xs" c="dimmed">
                    for <Raw>{event.assignee}</Raw>
                  </Text>
                )}
                {event.false_positive && (
                  <Badge size="xs" variant="outline" color="gray" tt="none">
                    false positive
                  </Badge>
                )}
              </Table.Td>
              <Table.Td onClick={(click) => click.stopPropagation()}>
                {event.source_ip ? (
                  <HostLink ip={event.source_ip} />
                ) : (
                  <Raw mono>{event.source_mac ?? "–"}</Raw>
                )}
                {event.source_name && (
                  <Text size="xs" c="dimmed">
                    <Raw>{event.source_name}</Raw>
                  </Text>
                )}
              </Table.Td>
              <Table.Td>
                <Raw>{event.reason}</Raw>
              </Table.Td>
              <Table.Td ta="right">{event.risk}</Table.Td>
              <Table.Td className="mono keep">
                {time(event.last_update)}
                <Text size="xs" c="dimmed">
                  {event.state === "open" ? "goes on" : "over"}
                </Text>
              </Table.Td>
            </Table.Tr>
          ))}
        </Table.Tbody>
      </Table>
    </Table.ScrollContainer>
  );
}
