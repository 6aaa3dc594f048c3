// Flow records as a table: columns that can be chosen, virtual rows, and every cell a condition for the search.
import { ActionIcon, Checkbox, Popover, Stack } from "@mantine/core";
import { IconColumns3 } from "@tabler/icons-react";
import { type MouseEvent, memo, useEffect, useMemo, useRef, useState } from "react";
import type { Way } from "../../ui/filter";
import { type Column, COLUMNS, chooseColumns, chosenColumns, type FlowRow, shownValue, USUAL, valueOf } from "./columns";
import { shown } from "../../ui/safe";
import { useVirtualRows, VirtualBody } from "../../ui/virtual";
import { type Pointed, ValueMenu } from "./ValueMenu";

interface Props {
  flows: FlowRow[];
  onNarrow?: (condition: string, way: Way) => void;
  onGroup?: (field: string) => void;
  /** The column rows are ordered by, greatest first, and how to choose another. */
  sort?: string;
  onSort?: (field: string | undefined) => void;
  /** The last rows can be seen, or nearly. */
  onEnd?: () => void;
  /** Columns shown until somebody chooses. */
  usual?: string[];
}

/** Rows before the end at which more are asked for. */
const NEAR = 200;

export function FlowRows({ flows, onNarrow, onGroup, sort, onSort, onEnd, usual = USUAL }: Props) {
  const box = useRef<HTMLElement>(null);
  const [chosen, setChosen] = useState(() => chosenColumns() ?? usual);
  const [pointed, setPointed] = useState<Pointed>();
  const present = useMemo(
    () => COLUMNS.filter(({ name }) => chosen.includes(name) && flows.some((flow) => valueOf(flow, name) !== undefined)),
    [chosen, flows],
  );
  const rows = useVirtualRows(box, flows.length);
  const last = rows.getVirtualItems().at(-1)?.index ?? 0;
  const atEnd = last >= flows.length - NEAR;
  useEffect(() => {
    if (atEnd) onEnd?.();
  }, [atEnd, onEnd]);
  const widths = useMemo(() => present.map((column) => widthOf(column, flows)), [present, flows]);
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
        <table className="fixed" aria-rowcount={flows.length + 1}>
          <colgroup>
            {present.map(({ name }, at) => (
              <col key={name} style={{ width: `${widths[at]}ch` }} />
            ))}
          </colgroup>
          <thead>
            <tr>
              {present.map((column) => (
                <th
                  key={column.name}
                  scope="col"
                  className={column.right ? "right" : undefined}
                  aria-sort={sort === column.name ? "descending" : undefined}
                >
                  <Heading column={column} sort={sort} onSort={onSort} />
                </th>
              ))}
            </tr>
          </thead>
          <VirtualBody rows={rows} columns={present.length}>
            {(index) => <Row flow={flows[index] ?? NONE} index={index} columns={present} onPoint={setPointed} />}
          </VirtualBody>
        </table>
      </section>
      <ValueMenu of={pointed} close={() => setPointed(undefined)} onNarrow={onNarrow} onGroup={onGroup} />
    </div>
  );
}

const NONE: FlowRow = {};

/** Rows that say how wide a column must be: later ones do not move the columns. */
const SAMPLE = 300;
/** Signs of a cell that is shown whole, and beside it. */
const SIGNS_MAX = 40;
const BESIDE = 2.5;

function widthOf(column: Column, flows: FlowRow[]): number {
  const texts = flows.slice(0, SAMPLE).map((flow) => shownValue(column, valueOf(flow, column.name)).length);
  return Math.min(SIGNS_MAX, Math.max(column.label.length, ...texts)) + BESIDE;
}

interface RowProps {
  flow: FlowRow;
  index: number;
  columns: Column[];
  onPoint: (at: Pointed) => void;
}

/** Drawn anew only when it shows another flow: a scroll touches many rows. */
const Row = memo(function Row({ flow, index, columns, onPoint }: RowProps) {
  return (
    <tr aria-rowindex={index + 2}>
      {columns.map((column) => {
        const value = valueOf(flow, column.name);
        const text = shown(shownValue(column, value));
        const point = (click: MouseEvent<HTMLElement>) => {
          const { left, bottom } = click.currentTarget.getBoundingClientRect();
          onPoint({ column, value, x: left, y: bottom });
        };
        return (
          <td key={column.name} className={column.right ? "right mono" : "mono"} dir="ltr">
            {text && column.word ? (
              <button type="button" className="value raw" onClick={point}>
                {text}
              </button>
            ) : (
              text
            )}
          </td>
        );
      })}
    </tr>
  );
});

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
