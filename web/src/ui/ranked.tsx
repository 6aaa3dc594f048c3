// A short list of the greatest, with bars; more on demand, and every line leads to its flows.
import { Anchor, Table } from "@mantine/core";
import { type ReactNode, useState } from "react";
import { Empty } from "./parts";

export interface Ranked {
  key: string;
  name: ReactNode;
  /** Length of the bar. */
  size: number;
  cells: string[];
  open?: () => void;
}

interface Props {
  label: string;
  rows: Ranked[];
  empty: string;
  /** Shown before somebody asks for more. */
  first?: number;
}

export function RankedTable({ label, rows, empty, first = 8 }: Props) {
  const [all, setAll] = useState(false);
  if (!rows.length) return <Empty title={empty} />;
  const most = Math.max(1, ...rows.map(({ size }) => size));
  return (
    <>
      <Table fz="sm" verticalSpacing={4} aria-label={label}>
        <Table.Tbody>
          {rows.slice(0, all ? undefined : first).map(({ key, name, size, cells, open }) => (
            <Table.Tr key={key}>
              <Table.Td className="mono">{name}</Table.Td>
              <Table.Td w="25%">
                <svg width="100%" height="8" aria-hidden="true">
                  <rect className="bar" width={`${(100 * size) / most}%`} height="8" rx="2" />
                </svg>
              </Table.Td>
              {cells.map((cell, at) => (
                // Cells have their place only.
                <Table.Td key={at} ta="right" className="keep">
                  {open && at === cells.length - 1 ? (
                    <button type="button" className="value" title="Its flows" onClick={open}>
                      {cell}
                    </button>
                  ) : (
                    cell
                  )}
                </Table.Td>
              ))}
            </Table.Tr>
          ))}
        </Table.Tbody>
      </Table>
      {rows.length > first && (
        <Anchor component="button" type="button" size="xs" onClick={() => setAll(!all)}>
          {all ? `the first ${first} only` : `all ${rows.length}`}
        </Anchor>
      )}
    </>
  );
}
