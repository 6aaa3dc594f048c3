// Who is this, is it normal for it, whom does it talk to?
import { Button, Group, Stack, Title } from "@mantine/core";
import { useQuery } from "@tanstack/react-query";
import { useParams } from "@tanstack/react-router";
import { api, got, type Schemas } from "../api/client";
import { useGo, useRange } from "../app/navigate";
import { useSeenFrom } from "../app/perspective";
import { asQuery } from "../app/range";
import { bytes, count, counted, time } from "../ui/format";
import { Empty, Fact, HostLink, Panel, Raw, Shown } from "../ui/parts";
import { RankedTable } from "../ui/ranked";
import { filterOf, serviceOf } from "../ui/services";
import { EventTable } from "./events/EventTable";
import { ThreatTerms } from "./ThreatTerms";

type Detail = Schemas["HostDetail"];

export function HostScreen() {
  const { ip } = useParams({ strict: false }) as { ip: string };
  const { seenFrom, known } = useSeenFrom();
  const query = { ...asQuery(useRange()), ...seenFrom };
  const go = useGo();
  const host = useQuery({
    queryKey: ["host", ip, query],
    queryFn: () => got(api.GET("/api/v1/hosts/{ip}", { params: { path: { ip }, query } })),
    enabled: known,
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
        {(detail) => <Known detail={detail} ip={ip} />}
      </Shown>
    </Stack>
  );
}

function Known({ detail, ip }: { detail: Detail; ip: string }) {
  const { host } = detail;
  const go = useGo();
  const peers = detail.peers.map((peer) => ({
    key: peer.ip,
    name: <HostLink ip={peer.ip} />,
    size: peer.bytes,
    cells: [bytes(peer.bytes), counted(peer.flows, "flow")],
    open: () => go("/flows", { filter: `ip ${ip} and ip ${peer.ip}` }),
  }));
  return (
    <>
      <div className="grid">
        <Panel title="Facts">
          {host ? (
            <dl>
              <Fact name="Seems to be">{host.roles.join(", ") || "a client: it answers on no service that tells more"}</Fact>
              <Fact name="Worst event">{host.events ? `risk ${host.risk} of 100` : "no events"}</Fact>
              <Fact name="Traffic">
                {bytes(host.bytes)}, {count(host.packets)} packets,{" "}
                <button type="button" className="value" onClick={() => go("/flows", { filter: `ip ${ip}` })}>
                  {counted(host.flows, "flow")}
                </button>
              </Fact>
              <Fact name="Peers">{count(host.peers)}</Fact>
              <Fact name="First seen">{time(host.first_seen)} UTC</Fact>
              <Fact name="Last seen">{time(host.last_seen)} UTC</Fact>
              <Fact name="MAC">
                <Raw mono>{detail.macs.map(({ mac }) => mac).join(", ") || "not seen"}</Raw>
              </Fact>
            </dl>
          ) : (
            <Empty title="No flow of this host in the window" />
          )}
        </Panel>
        <ThreatTerms threat={detail.threat} ip={ip} />
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
      <div className="grid">
        <Panel title="Peers" note="The most flows first.">
          <RankedTable label="Peers" rows={peers} empty="None seen" />
        </Panel>
        <Services title="Services it uses" services={detail.used} from={`src ip ${ip}`} />
        <Services title="Services it answers on" services={detail.offered} from={`dst ip ${ip}`} />
      </div>
    </>
  );
}

interface ServicesProps {
  title: string;
  services: Detail["offered"];
  /** The filter's side of the host. */
  from: string;
}

function Services({ title, services, from }: ServicesProps) {
  const go = useGo();
  const rows = services.map((service) => ({
    key: serviceOf(service),
    name: serviceOf(service),
    size: service.bytes,
    cells: [bytes(service.bytes), counted(service.flows, "flow")],
    open: () => go("/flows", { filter: `${from} and ${filterOf(service)}` }),
  }));
  return (
    <Panel title={title} note="The most flows first.">
      <RankedTable label={title} rows={rows} empty="None seen" />
    </Panel>
  );
}
