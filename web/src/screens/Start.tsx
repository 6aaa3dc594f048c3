// The first day, step by step: traffic comes in, it is said what is inside and how much is told, the rest is watched.
import { Badge, Button, Checkbox, Group, Radio, Stack, Table, Text, TextInput, Title } from "@mantine/core";
import { useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { useState } from "react";
import { api, got, type Schemas } from "../api/client";
import { useJob, useResult } from "../app/jobs";
import { Checklist } from "../ui/Checklist";
import { count, counted, time } from "../ui/format";
import { JobLine } from "../ui/JobLine";
import { Empty, Failure, Go, Panel, Raw, Shown } from "../ui/parts";
import { Outcome } from "./settings/Outcome";
import { useChange, useMayEdit, useSettings } from "./settings/useSettings";
import { Snippets } from "./Snippets";

export function StartScreen() {
  const may = useMayEdit();
  return (
    <Stack>
      <Title order={1} size="h3">
        Getting started
      </Title>
      <div className="grid">
        <Panel title="Checklist" note="It stays on the health page.">
          <Checklist />
        </Panel>
        <Sources />
      </div>
      {may ? (
        <Settings />
      ) : (
        <Empty title="The rest is for an editor or administrator">
          They say which networks are inside and how much is told.
        </Empty>
      )}
      <Group>
        <Go to="/">To the overview</Go>
      </Group>
    </Stack>
  );
}

function Sources() {
  const sources = useQuery({
    queryKey: ["sources"],
    queryFn: () => got(api.GET("/api/v1/sources")),
    refetchInterval: 2_000,
  });
  return (
    <Panel title="1. Traffic" note="Routers, switches and probes send their flows here; captures may be put into the watched folder.">
      <Shown of={sources}>
        {(list) => (
          <Table fz="sm" aria-label="Live sources">
            <Table.Tbody>
              {list.map(({ name, kind, flows, flows_per_s, first }) => (
                <Table.Tr key={kind + name}>
                  <Table.Td>
                    <span aria-hidden="true">{flows > 0 ? "✓ " : "○ "}</span>
                    <Raw mono>{name}</Raw>
                  </Table.Td>
                  <Table.Td>{kind}</Table.Td>
                  <Table.Td ta="right">{count(Math.round(flows_per_s))} flows/s</Table.Td>
                  <Table.Td>{first ? `first ${time(first)}` : "nothing yet"}</Table.Td>
                </Table.Tr>
              ))}
            </Table.Tbody>
          </Table>
        )}
      </Shown>
      <Snippets />
    </Panel>
  );
}

function Settings() {
  const settings = useSettings();
  const change = useChange(settings.data?.etag);
  const client = useQueryClient();
  const keep = (patch: Record<string, unknown>) =>
    change.mutate(patch, {
      onSuccess: () => Promise.all([["start"], ["networks"], ["servers"]].map((queryKey) => client.invalidateQueries({ queryKey }))),
    });
  const value = (key: string) => settings.data?.values.find((one) => one.key === key);
  return (
    <>
      {change.error && <Failure error={change.error} />}
      {change.data && <Outcome of={change.data} />}
      <div className="grid two">
        <Networks busy={change.isPending} onKeep={(inside) => keep({ inside })} />
        <Servers busy={change.isPending} onKeep={keep} />
        {settings.data && (
          <Preset
            key={settings.data.etag}
            now={String(value("preset")?.value ?? "balanced")}
            busy={change.isPending}
            onKeep={(preset) => keep({ preset })}
          />
        )}
      </div>
    </>
  );
}

function Networks({ busy, onKeep }: { busy: boolean; onKeep: (inside: string[]) => void }) {
  const networks = useQuery({
    queryKey: ["networks"],
    queryFn: () => got(api.GET("/api/v1/start/networks")),
    refetchInterval: 10_000,
  });
  return (
    <Panel
      title="2. Inside networks"
      note="Behaviour is judged by which side is inside. These were seen in the traffic of the last day."
    >
      <Shown of={networks}>
        {(proposed) => (
          <Proposed key={proposed.map(({ prefix }) => prefix).join()} proposed={proposed} busy={busy} onKeep={onKeep} />
        )}
      </Shown>
    </Panel>
  );
}

interface ProposedProps {
  proposed: Schemas["NetworkProposed"][];
  busy: boolean;
  onKeep: (inside: string[]) => void;
}

function Proposed({ proposed, busy, onKeep }: ProposedProps) {
  const taken = proposed.filter((one) => one.configured || one.private).map(({ prefix }) => prefix);
  const [chosen, setChosen] = useState(taken);
  const [more, setMore] = useState("");
  const all = [...new Set([...chosen, ...more.split(/[\s,]+/).filter(Boolean)])];
  return (
    <Stack gap="xs">
      {proposed.length === 0 && <Empty title="No traffic has been seen yet">Networks can be written below.</Empty>}
      <Checkbox.Group value={chosen} onChange={setChosen} aria-label="Inside networks">
        <Stack gap="xs">
          {proposed.map(({ prefix, why, seen, configured }) => (
            <div key={prefix}>
              <Group gap="xs">
                <Checkbox value={prefix} label={prefix} />
                {configured && (
                  <Badge size="xs" variant="light" tt="none">
                    confirmed
                  </Badge>
                )}
              </Group>
              <Text size="xs" c="dimmed">
                {why}
              </Text>
              <details className="quiet">
                <summary>{counted(seen.length, "network")} seen</summary>
                {seen.map((one) => (
                  <Text key={one.prefix} size="xs">
                    <span className="mono">{one.prefix}</span>: at least {counted(one.hosts, "host")},{" "}
                    {counted(one.flows, "flow")}
                  </Text>
                ))}
              </details>
            </div>
          ))}
        </Stack>
      </Checkbox.Group>
      <TextInput
        size="xs"
        label="Others that are inside"
        placeholder="203.0.113.0/24, 2001:db8::/32"
        value={more}
        onChange={(event) => setMore(event.currentTarget.value)}
      />
      <Group>
        <Button size="xs" loading={busy} disabled={all.length === 0} onClick={() => onKeep(all)}>
          Confirm
        </Button>
      </Group>
    </Stack>
  );
}

const ROLES: Record<Schemas["ServerRole"], [title: string, about: string]> = {
  names: ["Name servers (DNS)", "Clients that ask others are told of (DNSANOMALY)."],
  addresses: ["Address servers (DHCP)", "Whoever else gives addresses is told of (DHCPANOM)."],
  mail: ["Mail servers", "Mail past them is told of (SMTPANOMALY)."],
  gateway: ["Gateways", "Traffic leaves through them; a list @gateways for your filters."],
};

function Servers({ busy, onKeep }: { busy: boolean; onKeep: (patch: Record<string, unknown>) => void }) {
  const servers = useQuery({
    queryKey: ["servers"],
    queryFn: () => got(api.GET("/api/v1/start/servers")),
    refetchInterval: 10_000,
  });
  return (
    <Panel
      title="3. Servers"
      note="Who serves others, by the traffic of the last day. Methods tell of everybody else in these roles once they are confirmed."
    >
      <Shown of={servers}>
        {(proposed) =>
          proposed.length ? (
            // What was confirmed is what is chosen now.
            <Confirmed
              key={proposed.map(({ key, configured }) => key + configured.join()).join()}
              proposed={proposed}
              busy={busy}
              onKeep={onKeep}
            />
          ) : (
            <Empty title="No servers have been seen yet">They come here when hosts inside answer for others.</Empty>
          )
        }
      </Shown>
    </Panel>
  );
}

interface ConfirmedProps {
  proposed: Schemas["ServersProposed"][];
  busy: boolean;
  onKeep: (patch: Record<string, unknown>) => void;
}

function Confirmed({ proposed, busy, onKeep }: ConfirmedProps) {
  const [chosen, setChosen] = useState<Record<string, string[]>>({});
  const of = ({ key, configured }: Schemas["ServersProposed"]) => chosen[key] ?? configured;
  return (
    <Stack gap="sm">
      {proposed.map((one) => {
        const [title, about] = ROLES[one.role];
        // What is set and was not seen lately is kept in sight, too.
        const unseen = one.configured.filter((ip) => !one.hosts.some((host) => host.ip === ip));
        return (
          <Checkbox.Group
            key={one.key}
            label={title}
            description={about}
            size="xs"
            value={of(one)}
            onChange={(ips) => setChosen({ ...chosen, [one.key]: ips })}
          >
            <Stack gap={4} mt={4}>
              {one.hosts.map(({ ip, clients, flows }) => (
                <Checkbox
                  key={ip}
                  size="xs"
                  value={ip}
                  label={`${ip}: ${counted(clients, "client")}, ${counted(flows, "flow")}${one.configured.includes(ip) ? ", confirmed" : ""}`}
                />
              ))}
              {unseen.map((ip) => (
                <Checkbox key={ip} size="xs" value={ip} label={`${ip}: confirmed, not seen lately`} />
              ))}
            </Stack>
          </Checkbox.Group>
        );
      })}
      <Group>
        <Button
          size="xs"
          loading={busy}
          disabled={Object.keys(chosen).length === 0}
          onClick={() => onKeep(patchOf(chosen))}
        >
          Confirm these servers
        </Button>
      </Group>
    </Stack>
  );
}

/** Parameters of methods are prefixes; a list of one's own may hold addresses as they are. */
function asPrefix(ip: string): string {
  if (ip.includes("/")) return ip;
  return `${ip}/${ip.includes(":") ? 128 : 32}`;
}

/** Settings by their dotted keys as one merge patch; an empty list takes a setting back. */
function patchOf(chosen: Record<string, string[]>): Record<string, unknown> {
  const patch: Record<string, unknown> = {};
  for (const [key, ips] of Object.entries(chosen)) {
    const words = key.split(".");
    let at = patch;
    for (const word of words.slice(0, -1)) at = (at[word] ??= {}) as Record<string, unknown>;
    at[words.at(-1) ?? ""] = ips.length ? ips.map(asPrefix) : null;
  }
  return patch;
}

const PRESETS = [
  { value: "quiet", label: "Quiet", about: "Events of medium priority and above." },
  { value: "balanced", label: "Balanced", about: "Every event, one for each attack." },
  { value: "everything", label: "Everything", about: "Every method speaks, also when two see the same." },
];

function Preset({ now, busy, onKeep }: { now: string; busy: boolean; onKeep: (preset: string) => void }) {
  const [preset, setPreset] = useState(now);
  const begin = useMutation({ mutationFn: () => got(api.POST("/api/v1/start/presets", { body: {} })) });
  const job = useJob(begin.data?.id).data;
  const tried = useResult<Schemas["PresetShown"][]>(job).data;
  return (
    <Panel title="4. How much is said" note="It can be changed at any time, and for each method.">
      <Stack gap="xs">
        <Radio.Group value={preset} onChange={setPreset} aria-label="Preset">
          <Stack gap="xs">
            {PRESETS.map(({ value, label, about }) => {
              const would = tried?.find((one) => one.preset === value);
              return (
                <Radio
                  key={value}
                  value={value}
                  label={label}
                  description={
                    would
                      ? `${about} ${counted(would.events, "event")} in the last hour, about ${count(Math.round(would.per_day))} a day.`
                      : about
                  }
                />
              );
            })}
          </Stack>
        </Radio.Group>
        <Group gap="xs">
          <Button size="xs" loading={busy} onClick={() => onKeep(preset)}>
            Choose
          </Button>
          <Button size="xs" variant="default" loading={begin.isPending} onClick={() => begin.mutate()}>
            Try all over the last hour
          </Button>
        </Group>
        {begin.error && <Failure error={begin.error} />}
        {begin.data && <JobLine id={begin.data.id} />}
      </Stack>
    </Panel>
  );
}
