// The facts of an event: what, who, when, how sure.
import { Badge } from "@mantine/core";
import type { Schemas } from "../../api/client";
import { time } from "../../ui/format";
import { Fact, Go, HostLink, Panel, Raw } from "../../ui/parts";

export function Facts({ event }: { event: Schemas["EventDetail"] }) {
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
