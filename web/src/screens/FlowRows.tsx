// Flow records as a table: the columns people read first, virtual rows, and every cell a condition for the search.
import { Anchor, Text } from "@mantine/core";
import { useVirtualizer } from "@tanstack/react-virtual";
import { useRef } from "react";
import { bytes, count, time } from "../ui/format";
import { HostLink, Raw } from "../ui/parts";

export type FlowRow = Record<string, unknown>;

interface Column {
  name: string;
  label: string;
  right?: boolean;
  show?: (value: unknown) => string;
  /** The word of the filter language for "equal to this value". */
  word?: string;
}

const PROTOCOLS: Record<string, string> = {
  "1": "ICMP",
  "6": "TCP",
  "17": "UDP",
  "47": "GRE",
  "58": "ICMPv6",
  "132": "SCTP",
};
const number = (value: unknown) => count(Number(value));
const size = (value: unknown) => bytes(Number(value));

const COLUMNS: Column[] = [
  { name: "start", label: "Start (UTC)", show: (value) => time(String(value)) },
  { name: "src_ip", label: "From", word: "src ip" },
  { name: "src_port", label: "Port", right: true, word: "src port" },
  { name: "dst_ip", label: "To", word: "dst ip" },
  { name: "dst_port", label: "Port", right: true, word: "dst port" },
  {
    name: "proto",
    label: "Protocol",
    show: (value) => PROTOCOLS[String(value)] ?? String(value),
    word: "proto",
  },
  { name: "app", label: "Application", word: "app" },
  { name: "src_packets", label: "Packets →", right: true, show: number },
  { name: "src_bytes", label: "Bytes →", right: true, show: size },
  { name: "dst_packets", label: "← Packets", right: true, show: number },
  { name: "dst_bytes", label: "← Bytes", right: true, show: size },
  { name: "src_tcp_flags", label: "Flags →" },
  { name: "dst_tcp_flags", label: "← Flags" },
  { name: "conn_state", label: "State" },
];

const ROW_HEIGHT = 28;

interface Props {
  flows: FlowRow[];
  /** Narrows the search by a condition. */
  onNarrow?: (condition: string) => void;
}

export function FlowRows({ flows, onNarrow }: Props) {
  const box = useRef<HTMLDivElement>(null);
  const present = COLUMNS.filter(({ name }) => flows.some((flow) => flow[name] !== undefined));
  const rows = useVirtualizer({
    count: flows.length,
    getScrollElement: () => box.current,
    estimateSize: () => ROW_HEIGHT,
    overscan: 20,
  });
  const shownRows = rows.getVirtualItems();
  const above = shownRows[0]?.start ?? 0;
  const below = rows.getTotalSize() - (shownRows.at(-1)?.end ?? 0);
  return (
    <section className="flows" ref={box} tabIndex={0} aria-label="Flow records">
      <table>
        <thead>
          <tr>
            {present.map(({ name, label }) => (
              <th key={name} scope="col">
                {label}
              </th>
            ))}
          </tr>
        </thead>
        <tbody>
          {above > 0 && (
            <tr style={{ height: above }}>
              <td colSpan={present.length} />
            </tr>
          )}
          {shownRows.map(({ index }) => {
            const flow = flows[index] ?? {};
            return (
              <tr key={index}>
                {present.map((column) => (
                  <td key={column.name} className={column.right ? "right" : undefined}>
                    <Cell column={column} value={flow[column.name]} onNarrow={onNarrow} />
                  </td>
                ))}
              </tr>
            );
          })}
          {below > 0 && (
            <tr style={{ height: below }}>
              <td colSpan={present.length} />
            </tr>
          )}
        </tbody>
      </table>
    </section>
  );
}

function Cell({
  column,
  value,
  onNarrow,
}: {
  column: Column;
  value: unknown;
  onNarrow?: (condition: string) => void;
}) {
  if (value === undefined || value === null) return null;
  const text = column.show ? column.show(value) : String(value);
  if (column.word && onNarrow) {
    const condition = `${column.word} ${String(value)}`;
    return (
      <Anchor
        component="button"
        type="button"
        className="mono"
        title={`Only ${condition}`}
        onClick={() => onNarrow(condition)}
      >
        <Raw>{text}</Raw>
      </Anchor>
    );
  }
  if (column.name.endsWith("_ip")) return <HostLink ip={String(value)} />;
  return (
    <Text span size="sm" className="mono">
      <Raw>{text}</Raw>
    </Text>
  );
}
