// All events that fit as a file, by a job of the server.
import { Button, Group, Menu } from "@mantine/core";
import { useMutation } from "@tanstack/react-query";
import { api, got } from "../../api/client";
import { JobLine } from "../../ui/JobLine";
import { Failure } from "../../ui/parts";
import type { EventQuery } from "./Tree";

export function Export({ query }: { query: EventQuery }) {
  const begin = useMutation({
    mutationFn: (form: "csv" | "ndjson") => {
      const pairs = Object.entries(query).flatMap(([name, value]) => (value ? [[name, value]] : []));
      const text = new URLSearchParams(pairs).toString();
      return got(api.POST("/api/v1/events/export", { body: { query: text, form } }));
    },
  });
  return (
    <Group gap="xs">
      {begin.error && <Failure error={begin.error} />}
      {begin.data && <JobLine id={begin.data.id} />}
      <Menu position="bottom-end">
        <Menu.Target>
          <Button size="xs" variant="default" loading={begin.isPending}>
            Export
          </Button>
        </Menu.Target>
        <Menu.Dropdown>
          <Menu.Item onClick={() => begin.mutate("csv")}>All as CSV</Menu.Item>
          <Menu.Item onClick={() => begin.mutate("ndjson")}>All with evidence as JSON lines</Menu.Item>
        </Menu.Dropdown>
      </Menu>
    </Group>
  );
}
