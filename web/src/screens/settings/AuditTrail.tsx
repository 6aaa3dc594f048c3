// What was done, by whom: a chain of entries of which none can be changed without being noticed.
import { Alert, Table, TextInput } from "@mantine/core";
import { useDebouncedValue } from "@mantine/hooks";
import { useQuery } from "@tanstack/react-query";
import { useState } from "react";
import { api, got } from "../../api/client";
import { useSession } from "../../app/session";
import { count, time } from "../../ui/format";
import { Empty, Raw, Shown } from "../../ui/parts";

const ENTRIES = 200;

export function AuditTrail() {
  const me = useSession()?.user;
  const may = me?.role === "admin" || me?.role === "auditor";
  const [wanted, setWanted] = useState("");
  const [subject] = useDebouncedValue(wanted.trim(), 300);
  const trail = useQuery({
    queryKey: ["audit", subject],
    queryFn: () =>
      got(api.GET("/api/v1/audit", { params: { query: { subject: subject || undefined, limit: ENTRIES } } })),
    enabled: may,
    placeholderData: (before) => before,
  });
  if (!may) return <Empty title="Only an auditor or administrator reads the audit trail" />;
  return (
    <>
      <TextInput
        w={320}
        size="xs"
        label="Only about"
        placeholder="id of an event, name of a user"
        value={wanted}
        onChange={(change) => setWanted(change.currentTarget.value)}
      />
      <Shown of={trail} rows={10}>
        {({ entries, chained, broken }) => (
          <>
            <Alert variant="light" color={broken ? "red" : "teal"} title={broken ? "The chain is broken" : "Whole"}>
              {count(chained)} entries follow from one another.{broken && <Raw>{` ${broken}`}</Raw>}
            </Alert>
            <Table fz="sm" aria-label="Audit trail">
              <Table.Thead>
                <Table.Tr>
                  <Table.Th>When (UTC)</Table.Th>
                  <Table.Th>Who</Table.Th>
                  <Table.Th>Did</Table.Th>
                  <Table.Th>To</Table.Th>
                  <Table.Th>Detail</Table.Th>
                </Table.Tr>
              </Table.Thead>
              <Table.Tbody>
                {entries.map((entry) => (
                  <Table.Tr key={entry.seq}>
                    <Table.Td className="mono">{time(entry.at)}</Table.Td>
                    <Table.Td>
                      <Raw>{entry.actor}</Raw>
                    </Table.Td>
                    <Table.Td>{entry.action}</Table.Td>
                    <Table.Td>
                      <Raw>{entry.subject}</Raw>
                    </Table.Td>
                    <Table.Td>
                      <Raw>{entry.detail}</Raw>
                    </Table.Td>
                  </Table.Tr>
                ))}
              </Table.Tbody>
            </Table>
          </>
        )}
      </Shown>
    </>
  );
}
