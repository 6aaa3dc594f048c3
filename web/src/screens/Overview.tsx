// Is something wrong, where do I start, can I trust the data?
import { Alert, Anchor, Card, Stack, Table, Text, UnstyledButton } from "@mantine/core";
import { useQuery } from "@tanstack/react-query";
import { api, got, type Schemas } from "../api/client";
import { useGo, useRange, useSetSearch } from "../app/navigate";
import { PerspectivePicker, useSeenFrom } from "../app/perspective";
import { asQuery } from "../app/range";
import { PRIORITIES, PRIORITY_COLOUR, PRIORITY_MARK } from "../app/theme";
import { bytes, change, clock, count } from "../ui/format";
import { Empty, HostLink, Panel, PriorityBadge, Raw, Shown } from "../ui/parts";
import { EventTable } from "./events/EventTable";
import { Performance } from "./Performance";
import { Structure } from "./Structure";
import { Traffic } from "./Traffic";

type Overview = Schemas["Overview"];

export function OverviewScreen() {
  const range = useRange();
  const query = asQuery(range);
  const { seenFrom, known } = useSeenFrom();
  const overview = useQuery({
    queryKey: ["overview", query, seenFrom],
    queryFn: () => got(api.GET("/api/v1/overview", { params: { query: { ...query, ...seenFrom } } })),
    enabled: known,
    placeholderData: (before) => before,
    refetchInterval: 30_000,
  });
  return (
    <Stack>
      <PerspectivePicker />
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
          There is data from {clock(data.since)} to {clock(data.until)} UTC.{" "}
          <Anchor
            component="button"
            type="button"
            onClick={() => setSearch({ t: undefined, since: data.since, until: data.until })}
          >
            Show that
          </Anchor>
        </Alert>
      )}
      <div className="strip">
        <Priorities overview={overview} />
        <DataHealth health={overview.health} />
      </div>
      <Panel title="Where to start" note="The events with the highest risk in this window.">
        {overview.worst.length ? (
          <EventTable events={overview.worst} />
        ) : (
          <Empty title="No events in this window">
            The card above says whether everything was looked at; a quiet network and a blind one look alike
            otherwise.
          </Empty>
        )}
      </Panel>
      <div className="grid three">
        <Sources sources={overview.sources} />
        <Peers peers={overview.peers} />
        <Methods methods={overview.methods} />
      </div>
      {overview.traffic && (
        <>
          <Traffic query={query} traffic={overview.traffic} span={overview.span} worst={overview.worst} />
          <Performance performance={overview.performance} span={overview.span} stepS={overview.traffic.step_s} />
          <Structure query={query} performance={overview.performance} />
        </>
      )}
    </>
  );
}

function Priorities({ overview }: { overview: Overview }) {
  const go = useGo();
  return PRIORITIES.map((priority) => {
    const found = overview.priorities.find((one) => one.priority === priority);
    const events = found?.events ?? 0;
    return (
      <UnstyledButton key={priority} onClick={() => go("/events", { priority })}>
        <Card withBorder padding="sm" h="100%">
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
  });
}

const LEVEL = {
  good: ["✓", "sound", "var(--mantine-color-teal-light-color)"],
  warning: ["!", "with gaps", "var(--mantine-color-yellow-light-color)"],
  bad: ["✗", "not to be trusted", "var(--mantine-color-error)"],
} as const;

/** Can the data be trusted? The first reason stands here, all of them on the page of health. */
function DataHealth({ health }: { health: Overview["health"] }) {
  const go = useGo();
  const [sign, word, colour] = LEVEL[health.level];
  return (
    <UnstyledButton onClick={() => go("/health")} title={health.reasons.join("\n")}>
      <Card withBorder padding="sm" h="100%">
        <Text size="sm">
          <Text span fw={700} size="sm" c={colour} aria-hidden="true">
            {sign}
          </Text>{" "}
          the data are
        </Text>
        <Text fw={700} fz={20} lh={1.56} truncate>
          {word}
        </Text>
        <Text size="xs" c="dimmed">
          {health.sources_connected} of {health.sources} sources connected
        </Text>
        {health.reasons[0] && (
          <Text size="xs" lineClamp={2}>
            <Raw>{health.reasons[0]}</Raw>
          </Text>
        )}
      </Card>
    </UnstyledButton>
  );
}

function Sources({ sources }: { sources: Overview["sources"] }) {
  const go = useGo();
  return (
    <Panel title="Hosts to look at">
      {sources.length ? (
        <Table fz="sm" horizontalSpacing={6}>
          <Table.Thead>
            <Table.Tr>
              <Table.Th>Host</Table.Th>
              <Table.Th>Worst</Table.Th>
              <Table.Th ta="right">Threat</Table.Th>
              <Table.Th>Events</Table.Th>
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
                <Table.Td ta="right">{Math.round(source.threat)}</Table.Td>
                <Table.Td>
                  <Found methods={source.methods} open={(method) => go("/events", { source: source.source, method })} />
                </Table.Td>
              </Table.Tr>
            ))}
          </Table.Tbody>
        </Table>
      ) : (
        <Empty title="No host stands out">Hosts come here when events are about them, the highest threat first.</Empty>
      )}
    </Panel>
  );
}

/** Hosts outside, by what events say of them. */
function Peers({ peers }: { peers: Overview["peers"] }) {
  const go = useGo();
  return (
    <Panel title="Peers outside to look at">
      {peers.length ? (
        <Table fz="sm" horizontalSpacing={6}>
          <Table.Thead>
            <Table.Tr>
              <Table.Th>Peer</Table.Th>
              <Table.Th>Worst</Table.Th>
              <Table.Th ta="right">Traffic</Table.Th>
              <Table.Th>Events</Table.Th>
            </Table.Tr>
          </Table.Thead>
          <Table.Tbody>
            {peers.map((peer) => (
              <Table.Tr key={peer.ip}>
                <Table.Td>
                  <HostLink ip={peer.ip} />
                </Table.Td>
                <Table.Td>
                  <PriorityBadge priority={peer.priority} />
                </Table.Td>
                <Table.Td ta="right" className="keep">
                  <button
                    type="button"
                    className="value"
                    title="Its flows"
                    onClick={() => go("/flows", { filter: `ip ${peer.ip}` })}
                  >
                    {bytes(peer.bytes)}
                  </button>
                </Table.Td>
                <Table.Td>
                  <Found methods={peer.methods} open={(method) => go("/events", { text: peer.ip, method })} />
                </Table.Td>
              </Table.Tr>
            ))}
          </Table.Tbody>
        </Table>
      ) : (
        <Empty title="No event is about a host outside">
          Hosts outside that events name as source or target come here, with their traffic.
        </Empty>
      )}
    </Panel>
  );
}

/** Methods that found something, each leading to its events. */
function Found({ methods, open }: { methods: Schemas["Count"][]; open: (method: string) => void }) {
  return methods.map(({ value, count: times }) => (
    <button key={value} type="button" className="value chip" onClick={() => open(value)}>
      {value}
      {times > 1 ? ` × ${times}` : ""}
    </button>
  ));
}

function Methods({ methods }: { methods: Overview["methods"] }) {
  const go = useGo();
  const most = Math.max(1, ...methods.map(({ events }) => events));
  return (
    <Panel title="Events by type">
      {methods.length ? (
        <Table fz="sm" horizontalSpacing={6}>
          <Table.Tbody>
            {methods.map(({ method, title, events, before }) => (
              <Table.Tr key={method}>
                <Table.Td>
                  <Anchor component="button" type="button" size="sm" onClick={() => go("/events", { method })}>
                    {method}
                  </Anchor>
                  <Text size="xs" c="dimmed">
                    {title}
                  </Text>
                </Table.Td>
                <Table.Td w="30%">
                  <svg width="100%" height="10" role="img" aria-label={`${events} events`}>
                    <rect className="bar" width={`${(100 * events) / most}%`} height="10" rx="2" />
                  </svg>
                </Table.Td>
                <Table.Td ta="right" className="keep">
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
