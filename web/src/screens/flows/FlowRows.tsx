// Flow records as a table: columns that can be chosen, virtual rows, and every cell a condition for the search.
import { ActionIcon, Checkbox, Popover, Stack } from "@mantine/core";
import { IconColumns3 } from "@tabler/icons-react";
import { type MouseEvent, useRef, useState } from "react";
import type { Way } from "../../ui/filter";
import { Raw } from "../../ui/parts";
import { type Column, COLUMNS, chooseColumns, chosenColumns, type FlowRow, shownValue, valueOf } from "./columns";
import { useVirtualRows, VirtualBody } from "../../ui/virtual";
import { type Pointed, ValueMenu } from "./ValueMenu";

interface Props {
  flows: FlowRow[];
  onNarrow?: (condition: string, way: Way) => void;
  onGroup?: (field: string) => void;
  /** The column rows are ordered by, greatest first, and how to choose another. */
  sort?: string;
  onSort?: (field: string | undefined) => void;
}

export function FlowRows({ flows, onNarrow, onGroup, sort, onSort }: Props) {
  const box = useRef<HTMLElement>(null);
  const [chosen, setChosen] = useState(chosenColumns);
  const [pointed, setPointed] = useState<Pointed>();
  const present = COLUMNS.filter(
    ({ name }) => chosen.includes(name) && flows.some((flow) => valueOf(flow, name) !== undefined),
  );
  const rows = useVirtualRows(box, flows.length);
  const point = (column: Column, value: unknown) => (click: MouseEvent<HTMLElement>) => {
    const { left, bottom } = click.currentTarget.getBoundingClientRect();
    setPointed({ column, value, x: left, y: bottom });
  };
  return (
    <div className="flowbox">
      <Chooser
        chosen={chosen}
        onChoose={(names) => {
          chooseColumns(names);
          setChosen(names);
        }}
      />
      <section className="flows" ref={box} tabIndex={0} aria-label="Flow records">
        <table aria-rowcount={flows.length + 1}>
          <thead>
            <tr>
              {present.map((column) => (
                <th key={column.name} scope="col" aria-sort={sort === column.name ? "descending" : undefined}>
                  <Heading column={column} sort={sort} onSort={onSort} />
                </th>
              ))}
            </tr>
          </thead>
          <VirtualBody rows={rows} columns={present.length}>
            {(index) => {
              const flow = flows[index] ?? {};
              return (
                <tr key={index} aria-rowindex={index + 2}>
                  {present.map((column) => {
                    const value = valueOf(flow, column.name);
                    const text = shownValue(column, value);
                    return (
                      <td key={column.name} className={column.right ? "right mono" : "mono"}>
                        {text && column.word ? (
                          <button type="button" className="value" onClick={point(column, value)}>
                            <Raw>{text}</Raw>
                          </button>
                        ) : (
                          <Raw>{text}</Raw>
                        )}
                      </td>
                    );
                  })}
                </tr>
              );
            }}
          </VirtualBody>
        </table>
      </section>
      <ValueMenu of={pointed} close={() => setPointed(undefined)} onNarrow={onNarrow} onGroup={onGroup} />
    </div>
  );
}

interface HeadingProps {
  column: Column;
  sort?: string;
  onSort?: (field: string | undefined) => void;
}

function Heading({ column, sort, onSort }: HeadingProps) {
  if (!onSort || !(column.number || column.name === "start")) return <>{column.label}</>;
  const by = column.name === "start" ? undefined : column.name;
  return (
    <button type="button" className="value" title="Greatest first" onClick={() => onSort(by)}>
      {column.label}
      {sort === by && (by || !sort) ? " ▾" : ""}
    </button>
  );
}

function Chooser({ chosen, onChoose }: { chosen: string[]; onChoose: (names: string[]) => void }) {
  return (
    <Popover position="left-start" shadow="md" trapFocus>
      <Popover.Target>
        <ActionIcon variant="default" size="sm" aria-label="Columns" className="columns">
          <IconColumns3 size={14} />
        </ActionIcon>
      </Popover.Target>
      <Popover.Dropdown className="chooser">
        <Stack gap={4}>
          {COLUMNS.map(({ name, label }) => (
            <Checkbox
              key={name}
              size="xs"
              label={label === "Port" ? `${label} ${name.startsWith("src") ? "→" : "←"}` : label}
              checked={chosen.includes(name)}
              onChange={(change) =>
                onChoose(
                  change.currentTarget.checked ? [...chosen, name] : chosen.filter((one) => one !== name),
                )
              }
            />
          ))}
        </Stack>
      </Popover.Dropdown>
    </Popover>
  );
}
