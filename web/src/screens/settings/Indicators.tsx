// Lists of indicators: how old each is, what went wrong, and fetching one now.
import { Button, Table, Text } from "@mantine/core";
import { useMutation, useQuery } from "@tanstack/react-query";
import { useEffect } from "react";
import { api, got, type Schemas } from "../../api/client";
import { ended, useJob } from "../../app/jobs";
import { bytes, count, time } from "../../ui/format";
import { JobLine } from "../../ui/JobLine";
import { Empty, Failure, Panel, Raw, Shown } from "../../ui/parts";
import { useMayEdit } from "./useSettings";

type List = Schemas["IndicatorList"];

export function Indicators() {
  const lists = useQuery({
    queryKey: ["indicators"],
    queryFn: () => got(api.GET("/api/v1/indicators")),
    refetchInterval: 10_000,
  });
  return (
    <Panel
      title="Lists"
      note="A list that cannot be fetched stays in force as it was. Lists are described in the configuration file, under [[indicators]]."
    >
      <Shown of={lists}>
        {(all) =>
          all.length ? (
            <Table fz="sm" aria-label="Lists of indicators">
              <Table.Thead>
                <Table.Tr>
                  <Table.Th>List</Table.Th>
                  <Table.Th ta="right">Indicators</Table.Th>
                  <Table.Th>Confirmed (UTC)</Table.Th>
                  <Table.Th>Changed (UTC)</Table.Th>
                  <Table.Th>Next (UTC)</Table.Th>
                  <Table.Th />
                </Table.Tr>
              </Table.Thead>
              <Table.Tbody>
                {all.map((list) => (
                  <Line key={list.name} list={list} again={lists.refetch} />
                ))}
              </Table.Tbody>
            </Table>
          ) : (
            <Empty title="No list of indicators is configured">
              Write <code>[[indicators]]</code> with a <code>url</code> or a <code>path</code> into the configuration
              file; the guide has examples.
            </Empty>
          )
        }
      </Shown>
    </Panel>
  );
}

function Line({ list, again }: { list: List; again: () => unknown }) {
  const may = useMayEdit();
  const refresh = useMutation({
    mutationFn: () => got(api.POST("/api/v1/indicators/{name}/refresh", { params: { path: { name: list.name } } })),
  });
  const job = useJob(refresh.data?.id).data;
  const isOver = job !== undefined && ended(job);
  useEffect(() => {
    if (isOver) again();
  }, [isOver, again]);
  return (
    <Table.Tr>
      <Table.Td>
        <Raw>{list.name}</Raw>
        <Text size="xs" c="dimmed">
          <Raw>{list.from ?? list.line ?? "from a file"}</Raw>
        </Text>
        {list.error && (
          <Text size="xs" fw={600}>
            <Raw>{`failed ${list.failures === 1 ? "once" : `${list.failures} times`}: ${list.error}`}</Raw>
          </Text>
        )}
        {refresh.error && <Failure error={refresh.error} />}
        {refresh.data && <JobLine id={refresh.data.id} />}
      </Table.Td>
      <Table.Td ta="right">
        {list.indicators != null ? count(list.indicators) : "–"}
        {list.bytes ? (
          <Text size="xs" c="dimmed">
            {bytes(list.bytes)}
          </Text>
        ) : null}
      </Table.Td>
      <Table.Td className="mono">{list.fetched ? time(list.confirmed) : "–"}</Table.Td>
      <Table.Td className="mono">{list.fetched ? time(list.changed) : "–"}</Table.Td>
      <Table.Td className="mono">{list.fetched ? time(list.next) : "–"}</Table.Td>
      <Table.Td>
        {list.fetched && may && (
          <Button size="compact-xs" variant="default" loading={refresh.isPending} onClick={() => refresh.mutate()}>
            Fetch now
          </Button>
        )}
      </Table.Td>
    </Table.Tr>
  );
}
