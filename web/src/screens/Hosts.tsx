// Who is there: hosts with what they seem to be, what they offer, how much they move and what events say about them.
import { Button, Group, SegmentedControl, Stack, Text, TextInput } from "@mantine/core";
import { useQuery } from "@tanstack/react-query";
import { useSearch } from "@tanstack/react-router";
import { useEffect, useRef, useState } from "react";
import { api, got, type Schemas } from "../api/client";
import { useGo, useRange, useSetSearch } from "../app/navigate";
import { PerspectivePicker, useSeenFrom } from "../app/perspective";
import { asQuery, type Range, readRange } from "../app/range";
import { bytes, count, time } from "../ui/format";
import { Empty, HostLink, Raw, Shown } from "../ui/parts";
import { serviceOf } from "../ui/services";
import { useVirtualRows, VirtualBody } from "../ui/virtual";

type Host = Schemas["Host"];
type HostSearch = Range & { order?: string; within?: string };

const ORDERS = ["threat", "bytes", "flows", "peers"];
/** As many as one answer holds. */
const HOSTS_MAX = 1000;

export function readHostSearch(search: Record<string, unknown>): HostSearch {
  const { order, within } = search;
  return {
    ...readRange(search),
    order: typeof order === "string" && ORDERS.includes(order) ? order : undefined,
    within: typeof within === "string" && within ? within : undefined,
  };
}

export function HostsScreen() {
  const range = useRange();
  const { order = "threat", within } = readHostSearch(useSearch({ strict: false }) as Record<string, unknown>);
  const setSearch = useSetSearch();
  const { seenFrom, known } = useSeenFrom();
  const query = { ...asQuery(range), ...seenFrom, order, within, limit: HOSTS_MAX };
  const hosts = useQuery({
    queryKey: ["hosts", query],
    queryFn: ({ signal }) => got(api.GET("/api/v1/hosts", { params: { query }, signal })),
    enabled: known,
    placeholderData: (before) => before,
  });
  return (
    <Stack gap="sm">
      <Group gap="sm">
        <PerspectivePicker />
        <Within value={within} onLook={(within) => setSearch({ within })} />
        <SegmentedControl
          size="xs"
          aria-label="Order by"
          value={order}
          data={ORDERS}
          onChange={(next) => setSearch({ order: next === "threat" ? undefined : next })}
        />
      </Group>
      <Shown of={hosts} rows={12}>
        {({ hosts: found, total }) =>
          found.length ? (
            <>
              <Text size="sm" c="dimmed" role="status">
                {found.length} of {count(total)} hosts{order === "threat" && " that events are about"}
              </Text>
              <HostRows hosts={found} />
            </>
          ) : order === "threat" ? (
            <Empty title="No event is about a host here">
              <Button size="xs" variant="default" mt="xs" onClick={() => setSearch({ order: "bytes" })}>
                Show all hosts by traffic
              </Button>
            </Empty>
          ) : (
            <Empty title="No hosts in this window">Choose a longer window of time above, or a wider prefix.</Empty>
          )
        }
      </Shown>
    </Stack>
  );
}

function Within({ value, onLook }: { value?: string; onLook: (within: string | undefined) => void }) {
  const [text, setText] = useState(value ?? "");
  useEffect(() => setText(value ?? ""), [value]);
  return (
    <form
      onSubmit={(submit) => {
        submit.preventDefault();
        onLook(text.trim() || undefined);
      }}
    >
      <TextInput
        w={280}
        size="xs"
        aria-label="Address or prefix"
        placeholder="Address or prefix, Enter to look"
        value={text}
        onChange={(change) => setText(change.currentTarget.value)}
      />
    </form>
  );
}

const COLUMNS: { label: string; right?: boolean }[] = [
  { label: "Host" },
  { label: "Seems to be" },
  { label: "Answers on" },
  { label: "Threat", right: true },
  { label: "Events as source", right: true },
  { label: "as target", right: true },
  { label: "Peers", right: true },
  { label: "Flows", right: true },
  { label: "Bytes", right: true },
  { label: "MAC" },
  { label: "First seen (UTC)" },
  { label: "Last seen (UTC)" },
];

function HostRows({ hosts }: { hosts: Host[] }) {
  const box = useRef<HTMLElement>(null);
  const rows = useVirtualRows(box, hosts.length);
  return (
    <section className="flows tall" ref={box} tabIndex={0} aria-label="List of hosts">
      <table aria-label="Hosts" aria-rowcount={hosts.length + 1}>
        <thead>
          <tr>
            {COLUMNS.map(({ label, right }) => (
              <th key={label} scope="col" className={right ? "right" : undefined}>
                {label}
              </th>
            ))}
          </tr>
        </thead>
        <VirtualBody rows={rows} columns={COLUMNS.length}>
          {(index) => {
            const host = hosts[index];
            return host && <HostRow key={host.ip} host={host} index={index} />;
          }}
        </VirtualBody>
      </table>
    </section>
  );
}

function HostRow({ host, index }: { host: Host; index: number }) {
  const go = useGo();
  const number = (value: string, title: string, open: () => void) => (
    <td className="right mono">
      {value === "0" ? (
        <Text span c="dimmed" size="sm">
          0
        </Text>
      ) : (
        <button type="button" className="value" title={title} onClick={open}>
          {value}
        </button>
      )}
    </td>
  );
  const { ip } = host;
  return (
    <tr aria-rowindex={index + 2}>
      <td>
        <HostLink ip={ip} />
      </td>
      <td>{host.roles.slice(0, 2).join(", ")}</td>
      <td className="mono">{host.offers.slice(0, 4).map(serviceOf).join(" ")}</td>
      <td className="right mono">{count(Math.round(host.threat))}</td>
      {number(count(host.events), "Events it is the source of", () => go("/events", { source: ip }))}
      {number(count(host.events_as_target), "Events it is a target of", () => go("/events", { target: ip }))}
      {number(count(host.peers), "Its peers", () => go("/flows", { filter: `ip ${ip}`, by: "ip" }))}
      {number(count(host.flows), "Its flows", () => go("/flows", { filter: `ip ${ip}` }))}
      {number(bytes(host.bytes), "Its flows", () => go("/flows", { filter: `ip ${ip}` }))}
      <td className="mono">{host.mac && <Raw>{host.mac}</Raw>}</td>
      <td className="mono">{time(host.first_seen)}</td>
      <td className="mono">{time(host.last_seen)}</td>
    </tr>
  );
}
