// Everything that fits as a file: flow records by a job of the server, groups as they are shown.
import { Button, Group, Menu } from "@mantine/core";
import { useMutation } from "@tanstack/react-query";
import { api, got } from "../../api/client";
import { asCsv } from "../../ui/csv";
import { JobLine } from "../../ui/JobLine";
import { Failure } from "../../ui/parts";
import { save } from "../../ui/save";
import type { FlowRow } from "./columns";
import type { FlowQuery } from "./Flows";

/** Groups of one file: as many as one question gives. */
const GROUPS_MAX = 1000;

type Form = "csv" | "ndjson" | "parquet";

export function Export({ query, by, order }: { query: FlowQuery; by?: string; order?: string }) {
  const begin = useMutation({
    mutationFn: (form: Form) => got(api.POST("/api/v1/flows/export", { body: { ...query, form } })),
  });
  const groups = useMutation({ mutationFn: (form: Form) => saveGroups(query, by ?? "", order ?? "bytes", form) });
  const run = (form: Form) => (by ? groups.mutate(form) : begin.mutate(form));
  const failed = begin.error ?? groups.error;
  return (
    <Group gap="xs">
      {failed && <Failure error={failed} />}
      {begin.data && <JobLine id={begin.data.id} />}
      <Menu position="bottom-end">
        <Menu.Target>
          <Button size="xs" variant="default" loading={begin.isPending || groups.isPending}>
            Export
          </Button>
        </Menu.Target>
        <Menu.Dropdown>
          <Menu.Item onClick={() => run("csv")}>All as CSV</Menu.Item>
          <Menu.Item onClick={() => run("ndjson")}>All as JSON lines</Menu.Item>
          {!by && <Menu.Item onClick={() => run("parquet")}>All as Parquet</Menu.Item>}
        </Menu.Dropdown>
      </Menu>
    </Group>
  );
}

async function saveGroups(query: FlowQuery, by: string, order: string, form: Form) {
  const { columns, rows } = await got(
    api.GET("/api/v1/flows/groups", { params: { query: { ...query, by, order, limit: GROUPS_MAX } } }),
  );
  const lines = (rows as unknown as unknown[][]).map(
    (row): FlowRow => Object.fromEntries(row.map((value, at) => [columns[at]?.name ?? String(at), value])),
  );
  if (form === "csv") save("weir-groups.csv", asCsv(lines), "text/csv");
  else save("weir-groups.ndjson", `${lines.map((line) => JSON.stringify(line)).join("\n")}\n`, "application/x-ndjson");
}
