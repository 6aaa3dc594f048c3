// The flows that prove the event: those frozen with it, or all that the store still has, as table, chart or file.
import { Button, Group, Menu, SegmentedControl, Select, Stack, Table, Text } from "@mantine/core";
import { useQuery } from "@tanstack/react-query";
import { useState } from "react";
import { api, got, type Schemas } from "../../api/client";
import { useGo } from "../../app/navigate";
import { asCsv } from "../../ui/csv";
import { count } from "../../ui/format";
import { histogram } from "../../ui/histogram";
import { Empty, Raw, Shown } from "../../ui/parts";
import { asText, save } from "../../ui/save";
import { shown } from "../../ui/safe";
import { COLUMNS, type FlowRow, shownValue, USUAL_EVIDENCE, valueOf } from "../flows/columns";
import { FlowRows } from "../flows/FlowRows";

type Document = Schemas["EventDocument"];

/** Flows read of the store for one event. */
const STORED_MAX = 1000;
/** Around the event's own times. */
const MARGIN_MS = 60_000;

export function Evidence({ document }: { document: Document }) {
  const [from, setFrom] = useState<"frozen" | "stored">("frozen");
  const [view, setView] = useState<"table" | "chart">("table");
  const { query, flow_count } = document.evidence;
  const since = new Date(Date.parse(document.first_flow) - MARGIN_MS).toISOString();
  const until = new Date(Date.parse(document.end ?? document.last_update) + MARGIN_MS).toISOString();
  const go = useGo();
  const stored = useQuery({
    queryKey: ["flows", "evidence", document.id],
    queryFn: ({ signal }) =>
      got(
        api.GET("/api/v1/flows", {
          params: { query: { since, until, filter: query, limit: STORED_MAX } },
          signal,
        }),
      ),
    enabled: from === "stored",
  });
  const frozen = document.evidence.flows as FlowRow[];
  const flows = from === "frozen" ? frozen : ((stored.data?.flows ?? []) as FlowRow[]);
  const shownFlows =
    view === "table" ? <FlowRows flows={flows} usual={USUAL_EVIDENCE} /> : <Chart flows={flows} />;
  return (
    <Stack gap="sm">
      <Group justify="space-between">
        <Group gap="xs">
          <SegmentedControl
            size="xs"
            aria-label="Which flows"
            value={from}
            onChange={(value) => setFrom(value as typeof from)}
            data={[
              { value: "frozen", label: `kept with the event (${flow_count})` },
              { value: "stored", label: "all in the store" },
            ]}
          />
          <SegmentedControl
            size="xs"
            aria-label="Table or chart"
            value={view}
            onChange={(value) => setView(value as typeof view)}
            data={["table", "chart"]}
          />
        </Group>
        <Group gap="xs">
          <Button
            size="xs"
            variant="default"
            onClick={() => go("/flows", { filter: query, t: undefined, since, until })}
          >
            Open in Flows
          </Button>
          <Menu position="bottom-end">
            <Menu.Target>
              <Button size="xs" variant="default" disabled={!flows.length}>
                Save
              </Button>
            </Menu.Target>
            <Menu.Dropdown>
              <Menu.Item onClick={() => saveText(flows, document.id)}>as text</Menu.Item>
              <Menu.Item onClick={() => save(`weir-event-${document.id}.csv`, asCsv(flows), "text/csv")}>
                as CSV
              </Menu.Item>
            </Menu.Dropdown>
          </Menu>
        </Group>
      </Group>
      <Text size="xs" c="dimmed">
        The filter that finds them: <Raw mono>{query}</Raw>
      </Text>
      {from === "stored" ? (
        <Shown of={stored} rows={8}>
          {({ cost }) => (
            <>
              {cost.rows_fitting > flows.length && (
                <Text size="xs" c="dimmed">
                  the latest {count(flows.length)} of {count(cost.rows_fitting)}
                </Text>
              )}
              {flows.length ? shownFlows : <Empty title="The store has none of them any more" />}
            </>
          )}
        </Shown>
      ) : flows.length ? (
        shownFlows
      ) : (
        <Empty title="No flow was kept with this event" />
      )}
    </Stack>
  );
}

function saveText(flows: FlowRow[], id: string) {
  const columns = COLUMNS.filter(({ name }) => flows.some((flow) => valueOf(flow, name) !== undefined));
  const rows = flows.map((flow) => columns.map((column) => shown(shownValue(column, valueOf(flow, column.name)))));
  const head = columns.map(({ label }) => label);
  save(`weir-event-${id}.txt`, asText(head, rows), "text/plain");
}

const FLOWS = "flows";

/** Any variable against any other: its classes, and how many flows, or how much of the other, fall in each. */
function Chart({ flows }: { flows: FlowRow[] }) {
  const numbers = COLUMNS.filter(
    ({ name, number }) => number && flows.some((flow) => valueOf(flow, name) !== undefined),
  );
  const [x, setX] = useState("src_bytes");
  const [y, setY] = useState(FLOWS);
  const options = numbers.map(({ name }) => ({ value: name, label: name.replaceAll("_", " ") }));
  const column = numbers.find(({ name }) => name === x) ?? numbers[0];
  if (!column) return <Empty title="These flows hold no numbers" />;
  const show = (value: number) => shownValue(column, column.name === "duration" ? value : Math.round(value));
  const held = flows.filter((flow) => valueOf(flow, column.name) !== undefined);
  const values = held.map((flow) => Number(valueOf(flow, column.name)));
  const weights = held.map((flow) => (y === FLOWS ? 1 : Number(valueOf(flow, y) ?? 0)));
  const classes = histogram(values, weights, show);
  const most = Math.max(1, ...classes.map(({ value }) => value));
  const other = numbers.find(({ name }) => name === y);
  return (
    <Stack gap="xs" maw={760}>
      <Group gap="xs">
        <Select
          size="xs"
          label="Classes of"
          data={options}
          value={column.name}
          allowDeselect={false}
          onChange={(value) => setX(value ?? x)}
        />
        <Select
          size="xs"
          label="Against"
          data={[{ value: FLOWS, label: "number of flows" }, ...options]}
          value={y}
          allowDeselect={false}
          onChange={(value) => setY(value ?? FLOWS)}
        />
      </Group>
      <Table fz="xs" verticalSpacing={2} aria-label="Histogram">
        <Table.Tbody>
          {classes.map(({ label, value }) => (
            <Table.Tr key={label}>
              <Table.Td className="mono">{label}</Table.Td>
              <Table.Td w="55%">
                <svg width="100%" height="12" aria-hidden="true">
                  <rect className="bar" width={`${(100 * value) / most}%`} height="12" rx="2" />
                </svg>
              </Table.Td>
              <Table.Td ta="right">{other ? shownValue(other, value) : count(value)}</Table.Td>
            </Table.Tr>
          ))}
        </Table.Tbody>
      </Table>
    </Stack>
  );
}
