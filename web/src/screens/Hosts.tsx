// Who is there: hosts by traffic, with events and risk.
import { SegmentedControl, Stack, Table, Text } from "@mantine/core";
import { useQuery } from "@tanstack/react-query";
import { useState } from "react";
import { api, got } from "../api/client";
import { useRange } from "../app/navigate";
import { asQuery } from "../app/range";
import { bytes, count, time } from "../ui/format";
import { Empty, HostLink, Shown } from "../ui/parts";

const ORDERS = ["threat", "bytes", "flows", "peers"];

export function HostsScreen() {
  const range = useRange();
  const [order, setOrder] = useState("threat");
  const query = { ...asQuery(range), order, limit: 200 };
  const hosts = useQuery({
    queryKey: ["hosts", query],
    queryFn: () => got(api.GET("/api/v1/hosts", { params: { query } })),
    placeholderData: (before) => before,
  });
  return (
    <Stack>
      <SegmentedControl
        w={320}
        size="xs"
        aria-label="Order by"
        value={order}
        data={ORDERS}
        onChange={setOrder}
      />
      <Shown of={hosts} rows={12}>
        {({ hosts: found, total }) =>
          found.length ? (
            <>
              <Text size="sm" c="dimmed" role="status">
                {found.length} of {count(total)} hosts
              </Text>
              <Table highlightOnHover fz="sm" aria-label="Hosts">
                <Table.Thead>
                  <Table.Tr>
                    <Table.Th>Host</Table.Th>
                    <Table.Th ta="right">Threat score</Table.Th>
                    <Table.Th ta="right">Events</Table.Th>
                    <Table.Th ta="right">Peers</Table.Th>
                    <Table.Th ta="right">Flows</Table.Th>
                    <Table.Th ta="right">Bytes</Table.Th>
                    <Table.Th>First seen (UTC)</Table.Th>
                    <Table.Th>Last seen (UTC)</Table.Th>
                  </Table.Tr>
                </Table.Thead>
                <Table.Tbody>
                  {found.map((host) => (
                    <Table.Tr key={host.ip}>
                      <Table.Td>
                        <HostLink ip={host.ip} />
                      </Table.Td>
                      <Table.Td ta="right">{count(Math.round(host.threat))}</Table.Td>
                      <Table.Td ta="right">{count(host.events)}</Table.Td>
                      <Table.Td ta="right">{count(host.peers)}</Table.Td>
                      <Table.Td ta="right">{count(host.flows)}</Table.Td>
                      <Table.Td ta="right">{bytes(host.bytes)}</Table.Td>
                      <Table.Td className="mono">{time(host.first_seen)}</Table.Td>
                      <Table.Td className="mono">{time(host.last_seen)}</Table.Td>
                    </Table.Tr>
                  ))}
                </Table.Tbody>
              </Table>
            </>
          ) : (
            <Empty title="No hosts in this window">Choose a longer window of time above.</Empty>
          )
        }
      </Shown>
    </Stack>
  );
}
