// The manual page of a method: what, how, when in doubt, what looks alike, what to do, and its parameters.
import { Button, Group, Stack, Table, Text, Title } from "@mantine/core";
import { useQuery } from "@tanstack/react-query";
import { useParams } from "@tanstack/react-router";
import { api, got, type Schemas } from "../api/client";
import { useGo } from "../app/navigate";
import { count } from "../ui/format";
import { Fact, Panel, PriorityBadge, Shown } from "../ui/parts";

type Manual = Schemas["Manual"];

/** The manual of a method; it changes with the program only. */
export function useManual(code: string) {
  return useQuery({
    queryKey: ["method", code],
    queryFn: () => got(api.GET("/api/v1/methods/{code}", { params: { path: { code } } })),
    staleTime: 600_000,
  });
}

export function MethodScreen() {
  const { code } = useParams({ strict: false }) as { code: string };
  return (
    <Shown of={useManual(code)} rows={12}>
      {(method) => <Page method={method} />}
    </Shown>
  );
}

function Page({ method }: { method: Manual }) {
  const go = useGo();
  return (
    <Stack maw={1100}>
      <Group justify="space-between">
        <Group>
          <Title order={1} size="h3">
            {method.code}: {method.title}
          </Title>
          <PriorityBadge priority={method.priority} />
        </Group>
        <Button size="xs" variant="default" onClick={() => go("/events", { method: method.code })}>
          Its events
        </Button>
      </Group>
      <Text>{method.what}</Text>
      <Panel title="How it decides">
        <dl>
          <Fact name="Basis">{method.basis}</Fact>
          <Fact name="In doubt">{method.bias}</Fact>
          <Fact name="Looks alike">{method.false_positives}</Fact>
          <Fact name="What to do">{method.response}</Fact>
        </dl>
      </Panel>
      <Panel title="Submethods">
        <Table fz="sm" aria-label="Submethods">
          <Table.Tbody>
            {method.submethods.map(({ name, about, rules, attack, blind }) => (
              <Table.Tr key={name}>
                <Table.Td fw={600}>{name}</Table.Td>
                <Table.Td>
                  {about}
                  {rules.map((rule) => (
                    <Text key={rule} size="xs" className="mono">
                      {rule}
                    </Text>
                  ))}
                  {blind && (
                    <Text size="xs" fw={600}>
                      Blind here: {blind}
                    </Text>
                  )}
                </Table.Td>
                <Table.Td className="mono">{attack.map(({ technique }) => technique).join(" ")}</Table.Td>
              </Table.Tr>
            ))}
          </Table.Tbody>
        </Table>
      </Panel>
      {method.params.length > 0 && (
        <Panel title="Parameters" note={`In the configuration under [methods.${method.slug}].`}>
          <Table fz="sm" aria-label="Parameters">
            <Table.Thead>
              <Table.Tr>
                <Table.Th>Name</Table.Th>
                <Table.Th>Default</Table.Th>
                <Table.Th>Bounds</Table.Th>
                <Table.Th>What it does</Table.Th>
              </Table.Tr>
            </Table.Thead>
            <Table.Tbody>
              {method.params.map(({ name, about, default: usual, low, high }) => (
                <Table.Tr key={name}>
                  <Table.Td className="mono">{name}</Table.Td>
                  <Table.Td className="mono">{usual}</Table.Td>
                  <Table.Td>{low != null && high != null ? `${count(low)} to ${count(high)}` : ""}</Table.Td>
                  <Table.Td>{about}</Table.Td>
                </Table.Tr>
              ))}
            </Table.Tbody>
          </Table>
        </Panel>
      )}
    </Stack>
  );
}
