// A threat score with the terms it is made of, so that nobody has to believe a number.
import { Table, Text } from "@mantine/core";
import type { Schemas } from "../api/client";
import { useGo } from "../app/navigate";
import { count } from "../ui/format";
import { Empty, Panel } from "../ui/parts";

export function ThreatTerms({ threat, ip }: { threat: Schemas["ThreatScore"]; ip: string }) {
  const go = useGo();
  return (
    <Panel title={`Threat score ${count(Math.round(threat.score) || 0)} of 100`} note="What its events amount to.">
      {threat.terms.length ? (
        <>
          <Table fz="sm" horizontalSpacing={6} aria-label="Terms of the threat score">
            <Table.Thead>
              <Table.Tr>
                <Table.Th>Events</Table.Th>
                <Table.Th ta="right">priority</Table.Th>
                <Table.Th ta="right">× probability</Table.Th>
                <Table.Th ta="right">× targets</Table.Th>
                <Table.Th ta="right">× age</Table.Th>
                <Table.Th ta="right">× repeats</Table.Th>
                <Table.Th ta="right">points</Table.Th>
              </Table.Tr>
            </Table.Thead>
            <Table.Tbody>
              {threat.terms.map((term) => (
                <Table.Tr key={`${term.method} ${term.submethod}`}>
                  <Table.Td>
                    <button
                      type="button"
                      className="value"
                      onClick={() => go("/events", { source: ip, method: term.method, submethod: term.submethod })}
                    >
                      {term.method}.{term.submethod}
                    </button>
                  </Table.Td>
                  {[term.weight, term.probability, term.reach, term.age, term.repeats, term.points].map((value, at) => (
                    // The factors have no names of their own, and their order does not change.
                    <Table.Td key={at} ta="right">
                      {count(value)}
                    </Table.Td>
                  ))}
                </Table.Tr>
              ))}
            </Table.Tbody>
          </Table>
          <Text size="sm" mt="xs">
            Sum {count(threat.sum)} × {count(threat.methods_factor)} for {count(threat.methods)} different methods ×{" "}
            {count(threat.tactics_factor)} for {count(threat.tactics.length)} tactics
            {threat.tactics.length > 0 && ` (${threat.tactics.join(", ")})`}, at most 100.
          </Text>
        </>
      ) : (
        <Empty title="No events in the window" />
      )}
    </Panel>
  );
}
