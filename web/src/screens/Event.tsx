// One event: what happened, who, how sure, what proves it, what next. The evidence is what was frozen when it was raised.
import {
  Badge,
  Button,
  Code,
  Group,
  Stack,
  Table,
  Tabs,
  Text,
  Textarea,
  TextInput,
  Title,
} from "@mantine/core";
import { useQuery } from "@tanstack/react-query";
import { useParams } from "@tanstack/react-router";
import { useState } from "react";
import { api, got, type Schemas } from "../api/client";
import { useGo } from "../app/navigate";
import { useAct } from "../app/act";
import { useMayAct } from "../app/session";
import { asCsv } from "../ui/csv";
import { time, words } from "../ui/format";
import { Empty, Fact, Failure, Go, HostLink, Panel, PriorityBadge, Raw, Shown } from "../ui/parts";
import { FlowRows } from "./FlowRows";

type Document = Schemas["EventDocument"];
type Detail = Schemas["EventDetail"];

export function EventScreen() {
  const { id } = useParams({ strict: false }) as { id: string };
  const event = useQuery({
    queryKey: ["event", id],
    queryFn: () => got(api.GET("/api/v1/events/{id}", { params: { path: { id } } })),
  });
  return (
    <Shown of={event} rows={12}>
      {(detail) => <Told event={detail} />}
    </Shown>
  );
}

function Told({ event }: { event: Detail }) {
  const { document } = event;
  const flows = document.evidence.flows as Record<string, unknown>[];
  return (
    <Stack>
      <Group justify="space-between" align="start">
        <div>
          <Group gap="sm">
            <Title order={1} size="h3">
              {event.title}
            </Title>
            <PriorityBadge priority={event.priority} />
            <Badge variant="light" tt="none">
              {event.state === "open" ? "goes on" : "over"}
            </Badge>
            <Badge variant="outline" tt="none">
              {event.workflow}
            </Badge>
            {event.false_positive && (
              <Badge color="gray" tt="none">
                false positive
              </Badge>
            )}
          </Group>
          <Text className="why" mt={6}>
            <Raw>{event.reason}</Raw>
          </Text>
        </div>
        <Actions event={event} />
      </Group>
      <div className="grid">
        <Facts event={event} />
        <Rule document={document} />
      </div>
      <Tabs defaultValue="evidence" keepMounted={false}>
        <Tabs.List>
          <Tabs.Tab value="evidence">Evidence ({document.evidence.flow_count})</Tabs.Tab>
          <Tabs.Tab value="targets">Targets ({event.target_count})</Tabs.Tab>
          <Tabs.Tab value="comments">Comments ({event.comments.length})</Tabs.Tab>
          <Tabs.Tab value="attributes">Attributes</Tabs.Tab>
          <Tabs.Tab value="history">History ({event.history.length})</Tabs.Tab>
        </Tabs.List>
        <Tabs.Panel value="evidence" pt="sm">
          <Evidence document={document} flows={flows} />
        </Tabs.Panel>
        <Tabs.Panel value="targets" pt="sm">
          <Targets document={document} />
        </Tabs.Panel>
        <Tabs.Panel value="comments" pt="sm">
          <Comments event={event} />
        </Tabs.Panel>
        <Tabs.Panel value="attributes" pt="sm">
          <Attributes document={document} />
        </Tabs.Panel>
        <Tabs.Panel value="history" pt="sm">
          <History event={event} />
        </Tabs.Panel>
      </Tabs>
    </Stack>
  );
}

function Facts({ event }: { event: Detail }) {
  const { document } = event;
  const { source } = document;
  return (
    <Panel title="Facts">
      <dl>
        <Fact name="Type">
          <Go to={`/methods/${event.method}`}>{event.method}</Go> · {event.submethod}
        </Fact>
        <Fact name="Source">
          <HostLink ip={source.ip} /> {source.hostname && <Raw>{source.hostname}</Raw>}
        </Fact>
        {source.mac && (
          <Fact name="MAC">
            <Raw mono>{source.mac}</Raw>
          </Fact>
        )}
        {source.user && (
          <Fact name="User">
            <Raw>{source.user}</Raw>
          </Fact>
        )}
        <Fact name="First flow">{time(document.first_flow)} UTC</Fact>
        <Fact name="Detected">{time(document.detected)} UTC</Fact>
        <Fact name="Last update">
          {time(document.last_update)} UTC ({document.updates} updates)
        </Fact>
        {document.end && <Fact name="End">{time(document.end)} UTC</Fact>}
        <Fact name="Probability">{event.probability} %</Fact>
        <Fact name="Risk">{event.risk} of 100</Fact>
        <Fact name="ATT&CK">
          {document.attack.length
            ? document.attack.map(({ tactic, technique }) => (
                <Badge key={tactic + technique} variant="light" mr={4} tt="none">
                  {tactic} {technique}
                </Badge>
              ))
            : "none: the amount alone is no technique"}
        </Fact>
        <Fact name="Instance, feed">
          {document.instance}, {document.feed}
        </Fact>
        {document.also && document.also.length > 0 && (
          <Fact name="Also seen by">{document.also.join(", ")}</Fact>
        )}
      </dl>
    </Panel>
  );
}

type Values = Record<string, unknown>;

/** The rule that held, each input beside its limit, and the nearest value that would have kept silent. */
function Rule({ document }: { document: Document }) {
  const { rule, silent_below } = document.explanation;
  const inputs = document.explanation.inputs as Values;
  const limits = document.explanation.limits as Values;
  const baseline = (document.explanation.baseline ?? {}) as Values;
  const silent = silent_below as Values;
  return (
    <Panel title="Why it was raised" note="The rule that held, with its numbers.">
      <Code block>{rule}</Code>
      <Table mt="sm" fz="sm" aria-label="Numbers of the rule">
        <Table.Thead>
          <Table.Tr>
            <Table.Th>Seen</Table.Th>
            <Table.Th ta="right">Value</Table.Th>
            <Table.Th ta="right">Silent until</Table.Th>
            <Table.Th w="30%">Seen against limit</Table.Th>
          </Table.Tr>
        </Table.Thead>
        <Table.Tbody>
          {Object.entries(inputs).map(([name, value]) => (
            <Table.Tr key={name}>
              <Table.Td>{words(name)}</Table.Td>
              <Table.Td ta="right">{plain(value)}</Table.Td>
              <Table.Td ta="right">{name in silent ? plain(silent[name]) : ""}</Table.Td>
              <Table.Td>
                <Against value={value} limit={silent[name]} name={words(name)} />
              </Table.Td>
            </Table.Tr>
          ))}
        </Table.Tbody>
      </Table>
      <Text size="xs" c="dimmed" mt="xs">
        Limits: {pairs(limits)}
        {Object.keys(baseline).length > 0 && ` · usual: ${pairs(baseline)}`}
      </Text>
    </Panel>
  );
}

function plain(value: unknown): string {
  if (typeof value === "number")
    return new Intl.NumberFormat("en", { maximumFractionDigits: 3 }).format(value);
  return typeof value === "string" ? value : JSON.stringify(value);
}

function pairs(values: Values): string {
  return Object.entries(values)
    .map(([name, value]) => `${words(name)} ${plain(value)}`)
    .join(", ");
}

/** How far what was seen lies beyond what would have been silent; nothing when they are no numbers. */
function Against({ value, limit, name }: { value: unknown; limit: unknown; name: string }) {
  if (typeof value !== "number" || typeof limit !== "number") return null;
  const most = Math.max(Math.abs(value), Math.abs(limit)) * 1.1 || 1;
  const at = (number: number) => `${(100 * Math.abs(number)) / most}%`;
  return (
    <svg width="100%" height="14" role="img" aria-label={`${name}: ${plain(value)} against ${plain(limit)}`}>
      <rect x="0" y="3" width="100%" height="8" rx="4" fill="currentColor" opacity="0.12" />
      <rect x="0" y="3" width={at(value)} height="8" rx="4" fill="currentColor" opacity="0.55" />
      <line x1={at(limit)} x2={at(limit)} y1="0" y2="14" stroke="currentColor" strokeWidth="2" />
    </svg>
  );
}

function Evidence({ document, flows }: { document: Document; flows: Record<string, unknown>[] }) {
  const go = useGo();
  const { query, flow_count } = document.evidence;
  const before = new Date(Date.parse(document.first_flow) - 60_000).toISOString();
  const after = new Date(Date.parse(document.end ?? document.last_update) + 60_000).toISOString();
  return (
    <Stack gap="sm">
      <Group justify="space-between">
        <Text size="sm">
          {flows.length} of {flow_count} flows, frozen when the event was raised. All of them:{" "}
          <Raw mono>{query}</Raw>
        </Text>
        <Group gap="xs">
          <Button
            size="xs"
            variant="default"
            onClick={() => go("/flows", { filter: query, t: undefined, since: before, until: after })}
          >
            Open in Flows
          </Button>
          <Button
            size="xs"
            variant="default"
            onClick={() => save(flows, document.id)}
            disabled={!flows.length}
          >
            Save as CSV
          </Button>
        </Group>
      </Group>
      {flows.length ? <FlowRows flows={flows} /> : <Empty title="No flow was kept with this event" />}
    </Stack>
  );
}

function save(flows: Record<string, unknown>[], id: string) {
  const blob = new Blob([asCsv(flows)], { type: "text/csv" });
  const link = window.document.createElement("a");
  link.href = URL.createObjectURL(blob);
  link.download = `weir-event-${id}.csv`;
  link.click();
  URL.revokeObjectURL(link.href);
}

function Targets({ document }: { document: Document }) {
  return (
    <Table fz="sm" aria-label="Targets">
      <Table.Thead>
        <Table.Tr>
          <Table.Th>Address</Table.Th>
          <Table.Th>Port</Table.Th>
          <Table.Th>Name</Table.Th>
        </Table.Tr>
      </Table.Thead>
      <Table.Tbody>
        {document.targets.map((target) => (
          <Table.Tr key={`${target.ip ?? target.mac} ${target.port ?? ""}`}>
            <Table.Td>
              {target.ip ? <HostLink ip={target.ip} /> : <Raw mono>{target.mac ?? "–"}</Raw>}
            </Table.Td>
            <Table.Td>{target.port ?? ""}</Table.Td>
            <Table.Td>{target.hostname && <Raw>{target.hostname}</Raw>}</Table.Td>
          </Table.Tr>
        ))}
      </Table.Tbody>
    </Table>
  );
}

function Attributes({ document }: { document: Document }) {
  return (
    <dl>
      {Object.entries(document.detail as Values).map(([name, value]) => (
        <Fact key={name} name={name}>
          <Raw mono>{plain(value)}</Raw>
        </Fact>
      ))}
      <Fact name="Entities">
        <Raw mono>{document.entities.join(" ")}</Raw>
      </Fact>
      <Fact name="Event id">
        <Raw mono>{document.id}</Raw>
      </Fact>
    </dl>
  );
}

function Comments({ event }: { event: Detail }) {
  const may = useMayAct();
  const [body, setBody] = useState("");
  const act = useAct(() => setBody(""));
  return (
    <Stack gap="sm">
      {event.comments.map((note) => (
        <div key={note.at + note.author}>
          <Text size="xs" c="dimmed">
            <Raw>{note.author}</Raw>, {time(note.at)} UTC
          </Text>
          <Raw>{note.body}</Raw>
        </div>
      ))}
      {event.comments.length === 0 && <Empty title="No comments yet" />}
      {may && (
        <>
          <Textarea
            label="Comment"
            autosize
            minRows={2}
            value={body}
            onChange={(change) => setBody(change.currentTarget.value)}
          />
          <Button
            w={120}
            size="xs"
            disabled={!body.trim()}
            loading={act.isPending}
            onClick={() => act.mutate({ ids: [event.id], verb: "comment", text: body.trim() })}
          >
            Comment
          </Button>
          {act.error && <Failure error={act.error} />}
        </>
      )}
    </Stack>
  );
}

function History({ event }: { event: Detail }) {
  return (
    <Table fz="sm" aria-label="History">
      <Table.Thead>
        <Table.Tr>
          <Table.Th>When (UTC)</Table.Th>
          <Table.Th>State</Table.Th>
          <Table.Th ta="right">Risk</Table.Th>
          <Table.Th>What it said</Table.Th>
        </Table.Tr>
      </Table.Thead>
      <Table.Tbody>
        {event.history.map((update) => (
          <Table.Tr key={update.updates + update.at}>
            <Table.Td className="mono">{time(update.at)}</Table.Td>
            <Table.Td>{update.state}</Table.Td>
            <Table.Td ta="right">{update.risk}</Table.Td>
            <Table.Td>
              <Raw>{update.reason}</Raw>
            </Table.Td>
          </Table.Tr>
        ))}
      </Table.Tbody>
    </Table>
  );
}

function Actions({ event }: { event: Detail }) {
  const may = useMayAct();
  const act = useAct();
  const [why, setWhy] = useState("");
  const [asking, setAsking] = useState(false);
  if (!may) return null;
  const ids = [event.id];
  return (
    <Stack gap="xs" align="end">
      <Group gap="xs">
        {event.workflow === "new" && (
          <Button size="xs" loading={act.isPending} onClick={() => act.mutate({ ids, verb: "acknowledge" })}>
            Acknowledge
          </Button>
        )}
        {event.workflow === "resolved" ? (
          <Button size="xs" variant="default" onClick={() => act.mutate({ ids, verb: "reopen" })}>
            Reopen
          </Button>
        ) : (
          <Button size="xs" variant="default" onClick={() => act.mutate({ ids, verb: "close" })}>
            Resolve
          </Button>
        )}
        {event.false_positive ? (
          <Button size="xs" variant="default" onClick={() => act.mutate({ ids, verb: "true_positive" })}>
            It is true after all
          </Button>
        ) : (
          <Button size="xs" variant="default" aria-expanded={asking} onClick={() => setAsking(!asking)}>
            False positive
          </Button>
        )}
      </Group>
      {asking && !event.false_positive && (
        <Group gap="xs" align="end">
          <TextInput
            size="xs"
            label="Why is it false?"
            value={why}
            onChange={(change) => setWhy(change.currentTarget.value)}
          />
          <Button
            size="xs"
            disabled={!why.trim()}
            onClick={() => {
              act.mutate({ ids, verb: "false_positive", text: why.trim() });
              setAsking(false);
            }}
          >
            Mark
          </Button>
        </Group>
      )}
      {event.false_positive_mark && (
        <Text size="xs" c="dimmed">
          <Raw>{`${event.false_positive_mark.author}: ${event.false_positive_mark.body}`}</Raw>
        </Text>
      )}
      {act.error && <Failure error={act.error} />}
    </Stack>
  );
}
