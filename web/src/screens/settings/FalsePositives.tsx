// Rules of false positives: what is hidden, by whom, since when, and whether it still hides anything.
import { Badge, Button, Table, Text } from "@mantine/core";
import { useQuery } from "@tanstack/react-query";
import { api, got, type Schemas } from "../../api/client";
import { useMayAct } from "../../app/session";
import { count, time } from "../../ui/format";
import { Empty, Failure, Raw, Shown } from "../../ui/parts";
import { useUndo } from "../event/FalsePositive";

export function FalsePositives() {
  const may = useMayAct();
  const undo = useUndo();
  const rules = useQuery({
    queryKey: ["rules", "list"],
    queryFn: () => got(api.GET("/api/v1/false-positives")),
  });
  return (
    <Shown of={rules} rows={8}>
      {(list) =>
        list.length ? (
          <>
            {undo.error && <Failure error={undo.error} />}
            <Table.ScrollContainer minWidth={720}>
              <Table fz="sm" aria-label="Rules">
                <Table.Thead>
                  <Table.Tr>
                    <Table.Th>Harmless is</Table.Th>
                    <Table.Th>Why</Table.Th>
                    <Table.Th>Made</Table.Th>
                    <Table.Th>Holds until (UTC)</Table.Th>
                    <Table.Th ta="right">Hidden</Table.Th>
                    <Table.Th ta="right">Marked</Table.Th>
                    <Table.Th />
                  </Table.Tr>
                </Table.Thead>
                <Table.Tbody>
                  {list.map((rule) => (
                    <Table.Tr key={rule.id}>
                      <Table.Td>
                        <Conditions of={rule.conditions} />
                      </Table.Td>
                      <Table.Td>
                        <Raw>{rule.note}</Raw>
                      </Table.Td>
                      <Table.Td>
                        {time(rule.created)}
                        <Text size="xs" c="dimmed">
                          <Raw>{rule.author}</Raw>
                        </Text>
                      </Table.Td>
                      <Table.Td>
                        {rule.expires ? time(rule.expires) : "removed"}
                        {rule.expired && <Mark>over</Mark>}
                        {rule.unused && <Mark>unused for 90 days</Mark>}
                      </Table.Td>
                      <Table.Td ta="right">
                        {count(rule.hits)}
                        {rule.last_hit && (
                          <Text size="xs" c="dimmed">
                            last {time(rule.last_hit)}
                          </Text>
                        )}
                      </Table.Td>
                      <Table.Td ta="right">{count(rule.marked)}</Table.Td>
                      <Table.Td>
                        {may && (
                          <Button
                            size="compact-xs"
                            variant="default"
                            loading={undo.isPending && undo.variables === rule.id}
                            onClick={() => undo.mutate(rule.id)}
                          >
                            Remove
                          </Button>
                        )}
                      </Table.Td>
                    </Table.Tr>
                  ))}
                </Table.Tbody>
              </Table>
            </Table.ScrollContainer>
          </>
        ) : (
          <Empty title="No rules">
            A rule is made from an event: open one that is harmless and choose “False positive”.
          </Empty>
        )
      }
    </Shown>
  );
}

function Mark({ children }: { children: string }) {
  return (
    <Badge size="xs" variant="light" color="yellow" tt="none" ml={4}>
      {children}
    </Badge>
  );
}

function Conditions({ of }: { of: Schemas["RuleConditions"] }) {
  return (
    <>
      {Object.entries(of)
        .filter(([, values]) => values.length > 0)
        .map(([name, values]) => (
          <Text key={name} size="xs">
            {name}: <Raw mono>{values.join(", ")}</Raw>
          </Text>
        ))}
    </>
  );
}
