// Who is this, is it normal for it, whom does it talk to?
import { Button, Group, Stack, Table, Title } from "@mantine/core";
import { useQuery } from "@tanstack/react-query";
import { useParams } from "@tanstack/react-router";
import { api, got, type Schemas } from "../api/client";
import { useGo, useRange } from "../app/navigate";
import { asQuery } from "../app/range";
import { bytes, count, time } from "../ui/format";
import { Empty, Fact, HostLink, Panel, Raw, Shown } from "../ui/parts";
import { EventTable } from "./events/EventTable";

type Detail = Schemas["HostDetail"];

export function HostScreen() {
  const { ip } = useParams({ strict: false }) as { ip: string };
  const query = asQuery(useRange());
  const go = useGo();
  const host = useQuery({
    queryKey: ["host", ip, query],
    queryFn: () => got(api.GET("/api/v1/hosts/{ip}", { params: { path: { ip }, query } })),
    placeholderData: (before) => before,
  });
  return (
    <Stack>
      <Group justify="space-between">
        <Title order={1} size="h3">
          <Raw mono>{ip}</Raw>
        </Title>
        <Button size="xs" variant="default" onClick={() => go("/flows", { filter: `ip ${ip}` })}>
          Its flows
        </Button>
      </Group>
      <Shown of={host} rows={12}>
        {(detail) => <Known detail={detail} />}
      </Shown>
    </Stack>
  );
}

function Known({ detail }: { detail: Detail }) {
  const { host } = detail;
  return (
    <>
      <div className="grid">
        <Panel title="Facts">
          {host ? (
            <dl>
              <Fact name="Risk">{host.risk}</Fact>
              <Fact name="Traffic">
                {bytes(host.bytes)}, {count(host.packets)} packets, {count(host.flows)} flows
              </Fact>
              <Fact name="Peers">{count(host.peers)}</Fact>
              <Fact name="Seen">
                {time(host.first_seen)} to {time(host.last_seen)} UTC
              </Fact>
              <Fact name="MAC">{detail.macs.map(({ mac }) => mac).join(", ") || "not seen"}</Fact>
            </dl>
          ) : (
            <Empty title="No flow of this host in the window" />
          )}
        </Panel>
        <Panel title="Peers" note="By bytes.">
          <Table fz="sm" aria-label="Peers">
            <Table.Tbody>
              {detail.peers.map((peer) => (
                <Table.Tr key={peer.ip}>
                  <Table.Td>
                    <HostLink ip={peer.ip} />
                  </Table.Td>
                  <Table.Td ta="right">{count(peer.flows)} flows</Table.Td>
                  <Table.Td ta="right">{bytes(peer.bytes)}</Table.Td>
                </Table.Tr>
              ))}
            </Table.Tbody>
          </Table>
        </Panel>
        <Services title="Services it offers" services={detail.offered} />
        <Services title="Services it uses" services={detail.used} />
      </div>
      <Panel title="Events it is the source of">
        {detail.events_as_source.length ? (
          <EventTable events={detail.events_as_source} />
        ) : (
          <Empty title="None" />
        )}
      </Panel>
      {detail.events_as_target.length > 0 && (
        <Panel title="Events it is a target of">
          <EventTable events={detail.events_as_target} />
        </Panel>
      )}
    </>
  );
}

const TRANSPORTS: Record<number, string> = { 6: "tcp", 17: "udp", 132: "sctp" };

function Services({ title, services }: { title: string; services: Detail["offered"] }) {
  return (
    <Panel title={title}>
      {services.length ? (
        <Table fz="sm" aria-label={title}>
          <Table.Tbody>
            {services.map(({ proto, port, flows, bytes: amount }) => (
              <Table.Tr key={`${proto} ${port}`}>
                <Table.Td className="mono">
                  {TRANSPORTS[proto] ?? proto}/{port}
                </Table.Td>
                <Table.Td ta="right">{count(flows)} flows</Table.Td>
                <Table.Td ta="right">{bytes(amount)}</Table.Td>
              </Table.Tr>
            ))}
          </Table.Tbody>
        </Table>
      ) : (
        <Empty title="None seen" />
      )}
    </Panel>
  );
}
