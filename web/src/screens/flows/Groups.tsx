// Flow records in groups, greatest first; a group opens its flows.
import { Button, Table, Text } from "@mantine/core";
import { useQuery } from "@tanstack/react-query";
import { useState } from "react";
import { api, got } from "../../api/client";
import { condition, type Way } from "../../ui/filter";
import { bytes, count, words } from "../../ui/format";
import { Raw, Shown } from "../../ui/parts";
import { COLUMNS, shownValue } from "./columns";
import type { FlowQuery } from "./Flows";
import { Cost } from "./Rows";
import { type Pointed, ValueMenu } from "./ValueMenu";

const GROUPS = 50;
const SUMS = new Set(["bytes", "src_bytes", "dst_bytes"]);

interface Props {
  query: FlowQuery;
  by: string[];
  order: string;
  narrow: (condition: string, way: Way) => void;
}

export function Groups({ query, by, order, narrow }: Props) {
  const [pointed, setPointed] = useState<Pointed>();
  const table = useQuery({
    queryKey: ["groups", query, by, order],
    queryFn: ({ signal }) =>
      got(
        api.GET("/api/v1/flows/groups", {
          params: { query: { ...query, by: by.join(","), order, limit: GROUPS } },
          signal,
        }),
      ),
    placeholderData: (before) => before,
  });
  return (
    <Shown of={table} rows={12}>
      {({ columns, rows: answered, groups, cost }) => {
        const names = columns.map(({ name }) => name);
        const rows = answered as unknown as unknown[][];
        const most = Math.max(1, ...rows.map((row) => Number(row[names.indexOf(order)] ?? 0)));
        return (
          <>
            <Cost cost={cost} />
            <Table fz="sm" highlightOnHover verticalSpacing={4} aria-label="Groups of flows">
              <Table.Thead>
                <Table.Tr>
                  {names.map((name) => (
                    <Table.Th key={name} ta={by.includes(name) ? undefined : "right"}>
                      {words(name)}
                    </Table.Th>
                  ))}
                  <Table.Th w="18%">share of the greatest</Table.Th>
                  <Table.Th />
                </Table.Tr>
              </Table.Thead>
              <Table.Tbody>
                {rows.map((row) => {
                  const whole = ofGroup(names, by, row);
                  return (
                    <Table.Tr key={JSON.stringify(row)}>
                      {row.map((value, at) => (
                        <Table.Td key={names[at]} className="mono" ta={by.includes(names[at] ?? "") ? undefined : "right"}>
                          <Cell name={names[at] ?? ""} value={value} isKey={by.includes(names[at] ?? "")} point={setPointed} />
                        </Table.Td>
                      ))}
                      <Table.Td>
                        <svg width="100%" height="10" aria-hidden="true">
                          <rect
                            className="bar"
                            width={`${(100 * Number(row[names.indexOf(order)] ?? 0)) / most}%`}
                            height="10"
                            rx="2"
                          />
                        </svg>
                      </Table.Td>
                      <Table.Td>
                        {whole && (
                          <Button size="compact-xs" variant="subtle" onClick={() => narrow(whole, "include")}>
                            its flows
                          </Button>
                        )}
                      </Table.Td>
                    </Table.Tr>
                  );
                })}
              </Table.Tbody>
            </Table>
            {groups > rows.length && (
              <Text size="xs" c="dimmed">
                the {rows.length} greatest of {count(groups)}
              </Text>
            )}
            <ValueMenu of={pointed} close={() => setPointed(undefined)} onNarrow={narrow} />
          </>
        );
      }}
    </Shown>
  );
}

/** A cut address stands for its network. */
function said(name: string, value: unknown): string | undefined {
  const [field = name, bits] = name.split("/");
  if (value === null || value === undefined) return `not exists ${field}`;
  const text = bits && !String(value).includes("/") ? `${String(value)}/${bits}` : value;
  return condition(field, text);
}

/** The condition that finds the flows of a group; nothing when a value cannot be said. */
function ofGroup(names: string[], by: string[], row: unknown[]): string | undefined {
  const parts = names.flatMap((name, at) => (by.includes(name) ? [said(name, row[at])] : []));
  return parts.every((part) => part !== undefined) ? parts.join(" and ") : undefined;
}

interface CellProps {
  name: string;
  value: unknown;
  isKey: boolean;
  point: (at: Pointed) => void;
}

function Cell({ name, value, isKey, point }: CellProps) {
  if (value === null || value === undefined) return <>–</>;
  if (!isKey) return <>{SUMS.has(name) ? bytes(Number(value)) : count(Number(value))}</>;
  const field = name.split("/")[0] ?? name;
  const known = COLUMNS.find((column) => column.name === field) ?? { name: field, label: field, word: field };
  const text = known.number ? String(value) : shownValue(known, value);
  const column = { ...known, word: known.word ?? field };
  return (
    <button
      type="button"
      className="value"
      onClick={(click) => {
        const { left, bottom } = click.currentTarget.getBoundingClientRect();
        point({ column, value, x: left, y: bottom });
      }}
    >
      <Raw>{text}</Raw>
    </button>
  );
}
