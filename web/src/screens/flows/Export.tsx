// All flows that fit as a file: read page by page, with progress, until somebody stops it or the limit is reached.
import { Button, Group, Menu, Text } from "@mantine/core";
import { useRef, useState } from "react";
import { api, got } from "../../api/client";
import { asCsv } from "../../ui/csv";
import { count } from "../../ui/format";
import { Failure } from "../../ui/parts";
import { save } from "../../ui/save";
import type { FlowRow } from "./columns";
import type { FlowQuery } from "./Flows";

const PAGE = 1000;
/** Rows of one file; they are held in the browser until it is saved. */
const ROWS_MAX = 100_000;

type Kind = "csv" | "ndjson";

export function Export({ query, by, order }: { query: FlowQuery; by?: string; order?: string }) {
  const [read, setRead] = useState<number>();
  const [cut, setCut] = useState(false);
  const [error, setError] = useState<unknown>();
  const stop = useRef<AbortController>(null);
  const run = async (kind: Kind) => {
    const control = new AbortController();
    stop.current = control;
    setError(undefined);
    setCut(false);
    setRead(0);
    try {
      const rows = by
        ? await allGroups(query, by, order ?? "bytes", control.signal)
        : await allFlows(query, control.signal, setRead);
      setCut(rows.length >= (by ? PAGE : ROWS_MAX));
      const lines = () => `${rows.map((row) => JSON.stringify(row)).join("\n")}\n`;
      if (kind === "csv") save("weir-flows.csv", asCsv(rows), "text/csv");
      else save("weir-flows.ndjson", lines(), "application/x-ndjson");
    } catch (problem) {
      if (!control.signal.aborted) setError(problem);
    } finally {
      setRead(undefined);
    }
  };
  if (read !== undefined) {
    return (
      <Group gap="xs" role="status">
        <Text size="xs">{count(read)} rows read</Text>
        <Button size="compact-xs" variant="default" onClick={() => stop.current?.abort()}>
          Stop
        </Button>
      </Group>
    );
  }
  return (
    <Group gap="xs">
      {error !== undefined && <Failure error={error} />}
      {cut && (
        <Text size="xs" role="status">
          The file holds the first {count(by ? PAGE : ROWS_MAX)} rows only.
        </Text>
      )}
      <Menu position="bottom-end">
        <Menu.Target>
          <Button size="xs" variant="default">
            Export
          </Button>
        </Menu.Target>
        <Menu.Dropdown>
          <Menu.Item onClick={() => run("csv")}>All as CSV</Menu.Item>
          <Menu.Item onClick={() => run("ndjson")}>All as JSON lines</Menu.Item>
        </Menu.Dropdown>
      </Menu>
    </Group>
  );
}

async function allFlows(query: FlowQuery, signal: AbortSignal, tell: (rows: number) => void): Promise<FlowRow[]> {
  const rows: FlowRow[] = [];
  let cursor: string | undefined;
  // The end of the window stays where it was when the export began.
  const fixed = { ...query, until: query.until };
  do {
    const page = await got(
      api.GET("/api/v1/flows", { params: { query: { ...fixed, cursor, limit: PAGE } }, signal }),
    );
    fixed.until ??= page.span.until;
    fixed.since = page.span.since;
    rows.push(...(page.flows as FlowRow[]));
    tell(rows.length);
    cursor = page.next_cursor ?? undefined;
  } while (cursor && rows.length < ROWS_MAX);
  return rows;
}

async function allGroups(query: FlowQuery, by: string, order: string, signal: AbortSignal): Promise<FlowRow[]> {
  const { columns, rows } = await got(
    api.GET("/api/v1/flows/groups", { params: { query: { ...query, by, order, limit: PAGE } }, signal }),
  );
  return (rows as unknown as unknown[][]).map((row) =>
    Object.fromEntries(row.map((value, at) => [columns[at]?.name ?? String(at), value])),
  );
}
