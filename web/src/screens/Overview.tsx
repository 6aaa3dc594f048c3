// Is something wrong, where do I start, can I trust the data?
import { Alert, Anchor, Badge, Card, Group, Stack, Table, Text, UnstyledButton } from "@mantine/core";
import { useQuery } from "@tanstack/react-query";
import { api, got, type Schemas } from "../api/client";
import { useGo, useRange, useSetSearch } from "../app/navigate";
import { asQuery } from "../app/range";
import { PRIORITIES, PRIORITY_COLOUR, PRIORITY_MARK } from "../app/theme";
import { bits, bytes, change, count } from "../ui/format";
import { Empty, HostLink, Panel, PriorityBadge, Raw, Shown } from "../ui/parts";
import { TimeBars } from "../ui/TimeBars";
import { EventTable } from "./events/EventTable";
import { Structure } from "./Structure";

type Overview = Schemas["Overview"];

export function OverviewScreen() {
  const range = useRange();
  const query = asQuery(range);
  const overview = useQuery({
    queryKey: ["overview", query],
    queryFn: () => got(api.GET("/api/v1/overview", { params: { query } })),
    placeholderData: (before) => before,
    refetchInterval: 30_000,
  });
  return (
    <Stack>
      <Shown of={overview} rows={10}>
        {(data) => <Answers overview={data} query={query} />}
      </Shown>
    </Stack>
  );
}

function Answers({ overview, query }: { overview: Overview; query: { since: string; until?: string } }) {
  const setSearch = useSetSearch();
  const total = overview.priorities.reduce((sum, { events }) => sum + events, 0);
  const { data } = overview;
  const elsewhere = total === 0 && !overview.traffic?.flows && data;
  return (
    <>
      {elsewhere && (
        <Alert variant="light" title="Nothing in this window of time">
          There is data from {data.since.slice(0, 16).replace("T", " ")} to{" "}
          {data.until.slice(0, 16).replace("T", " ")} UTC.{" "}
          <Anchor
            component="button"
            type="button"
            onClick={() => setSearch({ t: undefined, since: data.since, until: data.until })}
          >
            Show that
          </Anchor>
        </Alert>
      )}
      <Priorities overview={overview} />
      <Panel title="Where to start" note="The events with the highest risk in this window.">
        {overview.worst.length ? (
          <EventTable events={overview.worst} />
        ) : (
          <Empty title="No events in this window">
            Health below says whether everything was looked at; a quiet network and a blind one look alike
            otherwise.
          </Empty>
        )}
      </Panel>
      <div className="grid">
        <Sources sources={overview.sources} />
        <Methods methods={overview.methods} />
      </div>
      <Traffic overview={overview} />
      {overview.traffic && <Structure query={query} />}
      <DataHealth health={overview.health} />
    </>
  );
}

function Priorities({ overview }: { overview: Overview }) {
  const go = useGo();
  return (
    <Group grow preventGrowOverflow={false} gap="sm">
      {PRIORITIES.map((priority) => {
        const found = overview.priorities.find((one) => one.priority === priority);
        const events = found?.events ?? 0;
        return (
          <UnstyledButton key={priority} onClick={() => go("/events", { priority })}>
            <Card withBorder padding="sm">
              <Text size="sm">
                <span aria-hidden="true" style={{ color: PRIORITY_COLOUR[priority] }}>
                  {PRIORITY_MARK[priority]}
                </span>{" "}
                {priority}
              </Text>
              <Text fw={700} fz={26} lh={1.2}>
                {count(events)}
              </Text>
              <Text size="xs" c="dimmed">
                {change(events, found?.before ?? 0)}
              </Text>
            </Card>
          </UnstyledButton>
        );
      })}
    </Group>
  );
}

function Sources({ sources }: { sources: Overview["sources"] }) {
  return (
    <Panel title="Hosts to look at">
      {sources.length ? (
        <Table>
          <Table.Thead>
            <Table.Tr>
              <Table.Th>Host</Table.Th>
              <Table.Th>Worst</Table.Th>
              <Table.Th>Risk</Table.Th>
              <Table.Th>What</Table.Th>
            </Table.Tr>
          </Table.Thead>
          <Table.Tbody>
            {sources.map((source) => (
              <Table.Tr key={source.source}>
                <Table.Td>
                  <HostLink ip={source.source} />
                  {source.name && (
                    <Text size="xs" c="dimmed">
                      <Raw>{source.name}</Raw>
                    </Text>
                  )}
                </Table.Td>
                <Table.Td>
                  <PriorityBadge priority={source.priority} />
                </Table.Td>
                <Table.Td>{source.risk}</Table.Td>
                <Table.Td>
                  {source.methods.map(({ value, count: times }) => (
                    <Badge key={value} variant="light" mr={4} tt="none">
                      {value} {times > 1 ? `× ${times}` : ""}
                    </Badge>
                  ))}
                </Table.Td>
              </Table.Tr>
            ))}
          </Table.Tbody>
        </Table>
      ) : (
        <Empty title="No host stands out" />
      )}
    </Panel>
  );
}

function Methods({ methods }: { methods: Overview["methods"] }) {
  const go = useGo();
  const most = Math.max(1, ...methods.map(({ events }) => events));
  return (
    <Panel title="Events by type">
      {methods.length ? (
        <Table>
          <Table.Tbody>
            {methods.map(({ method, title, events, before }) => (
              <Table.Tr key={method}>
                <Table.Td>
                  <Anchor component="button" type="button" onClick={() => go("/events", { method })}>
                    {method}
                  </Anchor>
                  <Text size="xs" c="dimmed">
                    {title}
                  </Text>
                </Table.Td>
                <Table.Td w="40%">
                  <svg width="100%" height="10" role="img" aria-label={`${events} events`}>
                    <rect className="bar" width={`${(100 * events) / most}%`} height="10" rx="2" />
                  </svg>
                </Table.Td>
                <Table.Td ta="right">
                  {count(events)}
                  <Text size="xs" c="dimmed">
                    {change(events, before)}
                  </Text>
                </Table.Td>
              </Table.Tr>
            ))}
          </Table.Tbody>
        </Table>
      ) : (
        <Empty title="No events" />
      )}
    </Panel>
  );
}

const TRAFFIC = [{ name: "traffic", colour: "#1c98ac" }];

function Traffic({ overview }: { overview: Overview }) {
  const setSearch = useSetSearch();
  const { traffic, span } = overview;
  if (!traffic) return null;
  const stepMs = traffic.step_s * 1000;
  const facts: [string, string][] = [
    ["Highest", bits(traffic.bits_per_s_max)],
    ["Average", bits(traffic.bits_per_s_avg)],
    ["Bytes", bytes(traffic.bytes)],
    ["Packets", count(traffic.packets)],
    ["Flows", count(traffic.flows)],
  ];
  return (
    <Panel
      title="Traffic"
      right={
        <Group gap="lg">
          {facts.map(([name, value]) => (
            <Text key={name} size="sm">
              <Text span c="dimmed" size="sm">
                {name}
              </Text>{" "}
              {value}
            </Text>
          ))}
        </Group>
      }
    >
      <TimeBars
        label="Bits per second over time"
        series={TRAFFIC}
        stepMs={stepMs}
        span={span}
        show={bits}
        steps={traffic.points.map((point) => ({
          start: Date.parse(point.start),
          values: [(point.bytes * 8) / traffic.step_s],
        }))}
        onSelect={(since, until) => setSearch({ t: undefined, since, until })}
      />
    </Panel>
  );
}

const LEVEL = {
  good: ["teal", "sound"],
  warning: ["yellow", "with gaps"],
  bad: ["red", "not to be trusted"],
} as const;

function DataHealth({ health }: { health: Overview["health"] }) {
  const go = useGo();
  const [colour, word] = LEVEL[health.level];
  return (
    <Panel
      title="Can the data be trusted?"
      right={
        <Anchor component="button" type="button" size="sm" onClick={() => go("/health")}>
          Sources and health
        </Anchor>
      }
    >
      <Group>
        <Badge color={colour} variant="light" tt="none">
          {word}
        </Badge>
        <Text size="sm">
          {health.sources_connected} of {health.sources} sources connected
        </Text>
      </Group>
      {health.reasons.map((reason) => (
        <Text key={reason} size="sm" mt={4}>
          <Raw>{reason}</Raw>
        </Text>
      ))}
    </Panel>
  );
}
