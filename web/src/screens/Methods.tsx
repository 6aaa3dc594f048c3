// What is looked for: every method, and which of them are blind on this feed.
import { Stack, Table, Text, TextInput } from "@mantine/core";
import { useQuery } from "@tanstack/react-query";
import { useState } from "react";
import { api, got } from "../api/client";
import { Go, PriorityBadge, Shown } from "../ui/parts";

export function MethodsScreen() {
  const [wanted, setWanted] = useState("");
  const methods = useQuery({
    queryKey: ["methods"],
    queryFn: () => got(api.GET("/api/v1/methods")),
    staleTime: 600_000,
  });
  return (
    <Stack>
      <TextInput
        w={320}
        size="xs"
        aria-label="Name or words of a method"
        placeholder="Name or words"
        value={wanted}
        onChange={(event) => setWanted(event.currentTarget.value)}
      />
      <Shown of={methods} rows={14}>
        {(all) => (
          <Table fz="sm" aria-label="Methods">
            <Table.Thead>
              <Table.Tr>
                <Table.Th>Method</Table.Th>
                <Table.Th>Family</Table.Th>
                <Table.Th>Priority</Table.Th>
                <Table.Th>What it finds</Table.Th>
                <Table.Th>Submethods</Table.Th>
              </Table.Tr>
            </Table.Thead>
            <Table.Tbody>
              {all
                .filter(({ code, title, what }) =>
                  `${code} ${title} ${what}`.toLowerCase().includes(wanted.toLowerCase()),
                )
                .map((method) => (
                  <Table.Tr key={method.code}>
                    <Table.Td>
                      <Go to={`/methods/${method.code}`}>{method.code}</Go>
                      <Text size="xs" c="dimmed">
                        {method.title}
                      </Text>
                    </Table.Td>
                    <Table.Td>{method.family}</Table.Td>
                    <Table.Td>
                      <PriorityBadge priority={method.priority} />
                    </Table.Td>
                    <Table.Td>{method.what}</Table.Td>
                    <Table.Td>
                      {method.submethods.map(({ name, blind }) => (
                        <Text
                          key={name}
                          size="xs"
                          td={blind ? "line-through" : undefined}
                          title={blind ?? undefined}
                        >
                          {name}
                          {blind ? " (blind)" : ""}
                        </Text>
                      ))}
                    </Table.Td>
                  </Table.Tr>
                ))}
            </Table.Tbody>
          </Table>
        )}
      </Shown>
    </Stack>
  );
}
