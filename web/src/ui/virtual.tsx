// Long tables: only the rows that can be seen are in the page; two rows keep the room of the others. Rows that leave are used
// again for those that come, so that a quick scroll changes texts and builds nothing.
import { useVirtualizer, type Virtualizer } from "@tanstack/react-virtual";
import { Fragment, type ReactNode, type RefObject, useRef } from "react";

const ROW_HEIGHT = 28;
/** Rows drawn beyond the edges, so that a scroll finds something. */
const BEYOND = 8;

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
  const pool = useRef(1);
  pool.current = Math.max(pool.current, drawn.length);
  const above = drawn[0]?.start ?? 0;
  const below = rows.getTotalSize() - (drawn.at(-1)?.end ?? 0);
  return (
    <tbody>
      {above > 0 && <Room height={above} columns={columns} />}
      {drawn.map(({ index }) => (
        // A row that stays keeps its place in the pool, one that comes takes the place of one that went.
        <Fragment key={index % pool.current}>{children(index)}</Fragment>
      ))}
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
