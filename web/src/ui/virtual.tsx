// Long tables: only the rows that can be seen are in the page; two rows keep the room of the others.
import { useVirtualizer, type Virtualizer } from "@tanstack/react-virtual";
import type { ReactNode, RefObject } from "react";

const ROW_HEIGHT = 28;
/** Rows drawn beyond the edges, so that a quick scroll finds something. */
const BEYOND = 20;

type Rows = Virtualizer<HTMLElement, Element>;

/** The rows of a table that scrolls in `box`. */
export function useVirtualRows(box: RefObject<HTMLElement | null>, count: number): Rows {
  return useVirtualizer<HTMLElement, Element>({
    count,
    getScrollElement: () => box.current,
    estimateSize: () => ROW_HEIGHT,
    overscan: BEYOND,
  });
}

interface BodyProps {
  rows: Rows;
  /** How many columns the table has. */
  columns: number;
  children: (index: number) => ReactNode;
}

export function VirtualBody({ rows, columns, children }: BodyProps) {
  const drawn = rows.getVirtualItems();
  const above = drawn[0]?.start ?? 0;
  const below = rows.getTotalSize() - (drawn.at(-1)?.end ?? 0);
  return (
    <tbody>
      {above > 0 && <Room height={above} columns={columns} />}
      {drawn.map(({ index }) => children(index))}
      {below > 0 && <Room height={below} columns={columns} />}
    </tbody>
  );
}

function Room({ height, columns }: { height: number; columns: number }) {
  return (
    <tr aria-hidden="true" style={{ height }}>
      <td colSpan={columns} />
    </tr>
  );
}
