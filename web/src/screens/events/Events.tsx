// What is new since I last looked, sorted by risk? Facets, a histogram, the list, and the same done to many.
import {
  Anchor,
  Button,
  CloseButton,
  Group,
  SegmentedControl,
  Select,
  Stack,
  Text,
  TextInput,
} from "@mantine/core";
import { useQuery } from "@tanstack/react-query";
import { useSearch } from "@tanstack/react-router";
import { useEffect, useState } from "react";
import { api, got, type Schemas } from "../../api/client";
import { useRange, useSetSearch } from "../../app/navigate";
import { PerspectivePicker, useSeenFrom } from "../../app/perspective";
import { asQuery, type Range, readRange } from "../../app/range";
import { PRIORITIES, PRIORITY_COLOUR } from "../../app/theme";
import { count, counted, words } from "../../ui/format";
import { Empty, Panel, Raw, Shown } from "../../ui/parts";
import { TimeBars } from "../../ui/TimeBars";
import { Bulk } from "./Bulk";
import { Export } from "./Export";
import { EventTable } from "./EventTable";
import { EventPanel } from "./Panel";
import { type EventQuery, Tree } from "./Tree";

/** Conditions a link may carry; each is one word of the API. */
const CONDITIONS = [
  "text",
  "priority",
  "method",
  "submethod",
  "source",
  "target",
  "state",
  "workflow",
  "label",
  "technique",
  "feed",
  "assignee",
  "false_positive",
] as const;
type Condition = (typeof CONDITIONS)[number];
type EventSearch = Range & Partial<Record<Condition | "sort" | "cursor" | "view" | "open", string>>;

const SORTS = [
  { value: "risk", label: "highest risk" },
  { value: "updated", label: "latest update" },
  { value: "detected", label: "latest detected" },
  { value: "oldest", label: "oldest" },
];

export function readEventSearch(search: Record<string, unknown>): EventSearch {
  const read: EventSearch = readRange(search);
  for (const name of [...CONDITIONS, "sort", "cursor", "view", "open"] as const) {
    const value = search[name];
    if (typeof value === "string" && value) read[name] = value;
  }
  return read;
}

export function EventsScreen() {
  const range = useRange();
  const search = readEventSearch(useSearch({ strict: false }) as Record<string, unknown>);
  const setSearch = useSetSearch();
  const [chosen, setChosen] = useState<Set<string>>(new Set());
  const conditions = Object.fromEntries(
    CONDITIONS.filter((name) => search[name]).map((name) => [name, search[name]]),
  );
  const { seenFrom, known } = useSeenFrom();
  const query: EventQuery = { ...asQuery(range), ...conditions, ...seenFrom };
  const tree = search.view === "tree";
  const open = (id: string | undefined) => setSearch({ open: id });
  const list = useQuery({
    queryKey: ["events", "list", query, search.sort, search.cursor],
    queryFn: () =>
      got(
        api.GET("/api/v1/events", {
          params: { query: { ...query, sort: search.sort ?? "risk", cursor: search.cursor, limit: 100 } },
        }),
      ),
    placeholderData: (before) => before,
    enabled: known && !tree,
  });
  const facets = useQuery({
    queryKey: ["events", "facets", query],
    queryFn: () => got(api.GET("/api/v1/events/facets", { params: { query } })),
    placeholderData: (before) => before,
    enabled: known,
  });
  return (
    <Stack>
      <Conditions search={search} />
      <Histogram query={query} known={known} />
      <div className="split">
        <Facets of={facets} search={search} />
        <Stack gap="sm">
          <Group justify="space-between">
            <Text size="sm" c="dimmed" role="status">
              {facets.data ? counted(facets.data.total, "event") : " "}
            </Text>
            <Group gap="xs">
              {chosen.size > 0 && <Bulk ids={[...chosen]} done={() => setChosen(new Set())} />}
              <Export query={query} />
              <SegmentedControl
                size="xs"
                aria-label="List or tree"
                value={tree ? "tree" : "list"}
                data={["list", "tree"]}
                onChange={(view) =>
                  setSearch({ view: view === "tree" ? view : undefined, cursor: undefined })
                }
              />
              <Select
                size="xs"
                aria-label="Order"
                disabled={tree}
                data={SORTS}
                value={search.sort ?? "risk"}
                allowDeselect={false}
                onChange={(sort) => setSearch({ sort: sort ?? undefined, cursor: undefined })}
              />
            </Group>
          </Group>
          {tree ? (
            <Shown of={facets} rows={12}>
              {(found) => <Tree query={query} facets={found} onOpen={open} />}
            </Shown>
          ) : (
          <Shown of={list} rows={12}>
            {(page) =>
              page.events.length ? (
                <>
                  <EventTable events={page.events} chosen={chosen} onChoose={setChosen} onOpen={open} />
                  {page.next_cursor && (
                    <Button
                      variant="default"
                      onClick={() => setSearch({ cursor: page.next_cursor ?? undefined })}
                    >
                      Next 100
                    </Button>
                  )}
                </>
              ) : (
                <Empty title="No event fits">
                  Take a condition away, or choose a longer window of time above.
                </Empty>
              )
            }
          </Shown>
          )}
        </Stack>
      </div>
      <EventPanel id={search.open} close={() => open(undefined)} />
    </Stack>
  );
}

function Conditions({ search }: { search: EventSearch }) {
  const setSearch = useSetSearch();
  const [text, setText] = useState(search.text ?? "");
  useEffect(() => setText(search.text ?? ""), [search.text]);
  const state = search.state ?? "all";
  return (
    <Group gap="sm" align="end">
      <PerspectivePicker />
      <form
        onSubmit={(event) => {
          event.preventDefault();
          setSearch({ text: text || undefined, cursor: undefined });
        }}
      >
        <TextInput
          w={320}
          size="xs"
          aria-label="Words of the event"
          placeholder="Words of the event, Enter to look"
          value={text}
          onChange={(event) => setText(event.currentTarget.value)}
        />
      </form>
      <SegmentedControl
        size="xs"
        aria-label="State"
        value={state}
        data={[
          { value: "all", label: "all" },
          { value: "open", label: "going on" },
          { value: "closed", label: "over" },
        ]}
        onChange={(value) => setSearch({ state: value === "all" ? undefined : value, cursor: undefined })}
      />
      {CONDITIONS.filter((name) => search[name] && name !== "state").map((name) => (
        <Group key={name} gap={2} className="mono">
          <Text size="sm" span>
            {name} <Raw>{search[name] ?? ""}</Raw>
          </Text>
          <CloseButton
            size="xs"
            aria-label={`Take away ${name}`}
            onClick={() => setSearch({ [name]: undefined, cursor: undefined })}
          />
        </Group>
      ))}
    </Group>
  );
}

function Histogram({ query, known }: { query: EventQuery; known: boolean }) {
  const setSearch = useSetSearch();
  const histogram = useQuery({
    queryKey: ["events", "histogram", query],
    queryFn: () => got(api.GET("/api/v1/events/histogram", { params: { query } })),
    placeholderData: (before) => before,
    enabled: known,
  });
  const order = [...PRIORITIES].reverse();
  return (
    <Shown of={histogram} rows={4}>
      {({ steps, step_s, span }) => (
        <TimeBars
          label="Events by priority over time"
          series={order.map((name) => ({ name, colour: PRIORITY_COLOUR[name] }))}
          stepMs={step_s * 1000}
          span={span}
          show={count}
          steps={steps.map((step) => ({
            start: Date.parse(step.start),
            values: order.map((name) => step[name]),
          }))}
          onSelect={(since, until) => setSearch({ t: undefined, since, until, cursor: undefined })}
        />
      )}
    </Shown>
  );
}

const FACETS = ["priority", "method", "source", "workflow", "technique", "label", "feed"] as const;

interface FacetsProps {
  of: {
    data: Schemas["EventFacets"] | undefined;
    error: unknown;
    isPending: boolean;
    refetch: () => unknown;
  };
  search: EventSearch;
}

function Facets({ of, search }: FacetsProps) {
  const setSearch = useSetSearch();
  return (
    <Panel title="Narrow down">
      <Shown of={of} rows={8}>
        {(facets) => (
          <Stack gap="sm">
            {FACETS.filter((name) => facets[name].length > 0).map((name) => (
              <div key={name}>
                <Text size="xs" c="dimmed">
                  {words(name)}
                </Text>
                {facets[name].slice(0, 8).map(({ value, count: times }) => (
                  <Group key={value} justify="space-between" gap="xs" wrap="nowrap">
                    <Anchor
                      size="sm"
                      component="button"
                      type="button"
                      ta="left"
                      aria-pressed={search[name] === value}
                      fw={search[name] === value ? 700 : 400}
                      onClick={() =>
                        setSearch({ [name]: search[name] === value ? undefined : value, cursor: undefined })
                      }
                    >
                      <Raw>{value}</Raw>
                    </Anchor>
                    <Text size="sm" c="dimmed">
                      {count(times)}
                    </Text>
                  </Group>
                ))}
              </div>
            ))}
          </Stack>
        )}
      </Shown>
    </Panel>
  );
}
