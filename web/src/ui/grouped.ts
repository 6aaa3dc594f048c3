// Answers of the series that are told apart by group: as stacked steps for a chart, and as one line per group.
import type { Schemas } from "../api/client";

type Table = Schemas["FlowTable"];

/** Name of what the greatest groups leave over. */
export const REST = "…";

export interface Group {
  keys: unknown[];
  /** All groups that are not told apart. */
  rest: boolean;
  bytes: number;
  packets: number;
  flows: number;
  /** In the fullest step. */
  bytesHighest: number;
}

interface Line {
  start: number;
  keys: unknown[];
  rest: boolean;
  bytes: number;
  packets: number;
  flows: number;
}

function lines({ columns, rows }: Table): Line[] {
  const at = (name: string) => columns.findIndex((column) => column.name === name);
  const [flows, packets, bytes, rest] = [at("flows"), at("packets"), at("bytes"), at("rest")];
  return (rows as unknown as unknown[][]).map((row) => ({
    start: Date.parse(String(row[0])),
    keys: row.slice(1, flows),
    rest: rest >= 0 && row[rest] === true,
    flows: Number(row[flows] ?? 0),
    packets: Number(row[packets] ?? 0),
    bytes: Number(row[bytes] ?? 0),
  }));
}

type Named = Pick<Line, "keys" | "rest">;

/** One word for a group; an absent value is an empty one. */
export function wordOf({ keys, rest }: Named): string {
  return rest ? REST : keys.map((key) => (key == null ? "" : String(key))).join(",");
}

/** One line per group, the most bytes first, what is left over last. */
export function grouped(table: Table): Group[] {
  const groups = new Map<string, Group>();
  for (const line of lines(table)) {
    const word = wordOf(line);
    const known = groups.get(word);
    if (known) {
      known.bytes += line.bytes;
      known.packets += line.packets;
      known.flows += line.flows;
      known.bytesHighest = Math.max(known.bytesHighest, line.bytes);
    } else {
      const { keys, rest, bytes, packets, flows } = line;
      groups.set(word, { keys, rest, bytes, packets, flows, bytesHighest: bytes });
    }
  }
  return [...groups.values()].sort((one, other) => Number(one.rest) - Number(other.rest) || other.bytes - one.bytes);
}

/** Steps in order with a value for each of these names of groups. */
export function stacked(
  table: Table,
  measure: "bytes" | "packets" | "flows",
  names: readonly string[],
  nameOf: (line: Named) => string = wordOf,
) {
  const places = new Map(names.map((name, place) => [name, place]));
  const steps = new Map<number, number[]>();
  for (const line of lines(table)) {
    const values = steps.get(line.start) ?? names.map(() => 0);
    const place = places.get(nameOf(line));
    if (place !== undefined) values[place] = (values[place] ?? 0) + line[measure];
    steps.set(line.start, values);
  }
  const inOrder = [...steps].sort(([one], [other]) => one - other);
  return inOrder.map(([start, values]) => ({ start, values }));
}
