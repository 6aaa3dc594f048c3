// Longer work: what runs, what came of it, and its files until the server is started anew.
import { Button, Table } from "@mantine/core";
import { useQuery } from "@tanstack/react-query";
import { api, got } from "../../api/client";
import { ended, useCancel } from "../../app/jobs";
import { time } from "../../ui/format";
import { JobState } from "../../ui/JobLine";
import { Empty, Raw, Shown } from "../../ui/parts";

export function Jobs() {
  const cancel = useCancel();
  const jobs = useQuery({
    queryKey: ["jobs"],
    queryFn: () => got(api.GET("/api/v1/jobs")),
    refetchInterval: ({ state }) => (state.data?.some((job) => !ended(job)) ? 1000 : 10_000),
  });
  return (
    <Shown of={jobs}>
      {(list) =>
        list.length ? (
          <Table fz="sm" aria-label="Jobs">
            <Table.Thead>
              <Table.Tr>
                <Table.Th>What</Table.Th>
                <Table.Th>By</Table.Th>
                <Table.Th>Begun (UTC)</Table.Th>
                <Table.Th>State</Table.Th>
                <Table.Th />
              </Table.Tr>
            </Table.Thead>
            <Table.Tbody>
              {list.map((job) => (
                <Table.Tr key={job.id}>
                  <Table.Td>
                    {job.kind.replaceAll("_", " ")} <Raw mono>{job.about}</Raw>
                  </Table.Td>
                  <Table.Td miw={90}>
                    <Raw>{job.owner}</Raw>
                  </Table.Td>
                  <Table.Td className="mono">{time(job.began)}</Table.Td>
                  <Table.Td>
                    <JobState job={job} />
                  </Table.Td>
                  <Table.Td>
                    {ended(job) && (
                      <Button size="compact-xs" variant="default" onClick={() => cancel.mutate(job.id)}>
                        Forget
                      </Button>
                    )}
                  </Table.Td>
                </Table.Tr>
              ))}
            </Table.Tbody>
          </Table>
        ) : (
          <Empty title="No jobs">Exports, trials of patterns and the like are listed here.</Empty>
        )
      }
    </Shown>
  );
}
