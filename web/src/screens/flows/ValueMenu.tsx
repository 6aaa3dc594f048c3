// What can be done with a value: one menu for a whole table, opened where somebody clicked.
import { Menu } from "@mantine/core";
import { useGo } from "../../app/navigate";
import { condition, type Way } from "../../ui/filter";
import { shown } from "../../ui/safe";
import type { Column } from "./columns";

export interface Pointed {
  column: Column;
  value: unknown;
  /** Where, in pixels of the window. */
  x: number;
  y: number;
}

interface Props {
  of: Pointed | undefined;
  close: () => void;
  /** Changes the search of this page; without it every choice opens the search. */
  onNarrow?: (condition: string, way: Way) => void;
  onGroup?: (field: string) => void;
}

export function ValueMenu({ of, close, onNarrow, onGroup }: Props) {
  const go = useGo();
  if (!of) return null;
  const { column, value, x, y } = of;
  const said = column.word && condition(column.word, value);
  const side = /^(src|dst) (ip|port|mac)$/.exec(column.word ?? "")?.[2];
  const either = side && condition(side, value);
  const narrow = (what: string, way: Way) =>
    onNarrow ? onNarrow(what, way) : go("/flows", { filter: what, by: undefined });
  return (
    <Menu opened onClose={close} position="bottom-start" width={280} returnFocus>
      <Menu.Target>
        <span className="spot" style={{ left: x, top: y }} />
      </Menu.Target>
      <Menu.Dropdown>
        <Menu.Label className="mono">{shown(said ?? String(value))}</Menu.Label>
        {said && onNarrow && <Menu.Item onClick={() => narrow(said, "include")}>Include</Menu.Item>}
        {said && onNarrow && <Menu.Item onClick={() => narrow(said, "exclude")}>Exclude</Menu.Item>}
        {said && <Menu.Item onClick={() => narrow(said, "only")}>Only this</Menu.Item>}
        {either && <Menu.Item onClick={() => narrow(either, "only")}>Only this, on either side</Menu.Item>}
        {onGroup && column.word && (
          <Menu.Item onClick={() => onGroup(column.name)}>Group by {column.word}</Menu.Item>
        )}
        <Menu.Item onClick={() => navigator.clipboard?.writeText(String(value))}>Copy</Menu.Item>
        {side === "ip" && (
          <>
            <Menu.Divider />
            <Menu.Item onClick={() => go(`/hosts/${String(value)}`)}>Open the host</Menu.Item>
            <Menu.Item onClick={() => go("/events", { source: String(value) })}>Events it is the source of</Menu.Item>
            <Menu.Item onClick={() => go("/events", { target: String(value) })}>Events it is a target of</Menu.Item>
          </>
        )}
      </Menu.Dropdown>
    </Menu>
  );
}
