// The facts of an event: what, who, when, how sure.
import { Badge } from "@mantine/core";
import type { Schemas } from "../../api/client";
import { counted, time } from "../../ui/format";
import { useManual } from "../Method";
import { Fact, Go, HostLink, Panel, Raw } from "../../ui/parts";

export function Facts({ event }: { event: Schemas["EventDetail"] }) {
  const { document } = event;
  const { source } = document;
  const manual = useManual(event.method).data;
  const about = manual?.submethods.find(({ name }) => name === event.submethod)?.about;
  return (
    <Panel title="Facts">
      <dl>
        <Fact name="Type">
          <Go to={`/methods/${event.method}`}>{event.method}</Go>, {event.title}
        </Fact>
        <Fact name="Subtype">
          {event.submethod}
          {about && `: ${about}`}
        </Fact>
        <Fact name="Source">
          <HostLink ip={source.ip} /> {source.hostname && <Raw>{source.hostname}</Raw>}
        </Fact>
        <Fact name="MAC">{source.mac ? <Raw mono>{source.mac}</Raw> : "not seen"}</Fact>
        <Fact name="User">{source.user ? <Raw>{source.user}</Raw> : "not known"}</Fact>
        <Fact name="First flow">{time(document.first_flow)} UTC</Fact>
        <Fact name="Detected">{time(document.detected)} UTC</Fact>
        <Fact name="Last update">
          {time(document.last_update)} UTC ({counted(document.updates, "update")})
        </Fact>
        {document.end && <Fact name="End">{time(document.end)} UTC</Fact>}
        <Fact name="Probability">{event.probability} %</Fact>
        <Fact name="False positive">{event.false_positive ? "yes, somebody said so" : "no"}</Fact>
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
