// Columns of flow records as tables show them. Those the server has and this page does not know are shown as they come.
import { bytes, count, duration, milliseconds, toMillis } from "../../ui/format";

export type FlowRow = Record<string, unknown>;

export interface Column {
  name: string;
  label: string;
  right?: boolean;
  show?: (value: unknown) => string;
  /** The word of the filter language for "equal to this value". */
  word?: string;
  /** A number that histograms can be made of. */
  number?: boolean;
}

const PROTOCOLS: Record<string, string> = {
  "1": "ICMP",
  "6": "TCP",
  "17": "UDP",
  "47": "GRE",
  "50": "ESP",
  "58": "ICMPv6",
  "132": "SCTP",
};
/** RFC 2474, 2597, 3246: the names of the DSCP in the type of service. */
function dscp(value: unknown): string {
  const code = Number(value) >> 2;
  if (code === 0) return "default";
  if (code === 46) return "EF";
  if (code % 8 === 0) return `CS${code / 8}`;
  const [group, drop] = [code >> 3, (code & 7) >> 1];
  return group >= 1 && group <= 4 && drop >= 1 && code % 2 === 0 ? `AF${group}${drop}` : String(code);
}

function length(value: unknown): string {
  const seconds = Number(value);
  return seconds < 60 ? `${seconds.toFixed(seconds < 1 ? 3 : 1)} s` : duration(seconds);
}

const moment = (value: unknown) => toMillis(String(value));
const number = (value: unknown) => count(Number(value));
const size = (value: unknown) => bytes(Number(value));
const amount = { right: true, show: number, number: true };
/** Microseconds. */
const delay = { right: true, show: (value: unknown) => milliseconds(Number(value) / 1000), number: true };
const volume = { right: true, show: size, number: true };

export const COLUMNS: Column[] = [
  { name: "start", label: "Start (UTC)", show: moment },
  { name: "duration", label: "Duration", right: true, number: true, show: length },
  { name: "src_ip", label: "From", word: "src ip" },
  { name: "src_port", label: "Port", right: true, word: "src port", number: true },
  { name: "dst_ip", label: "To", word: "dst ip" },
  { name: "dst_port", label: "Port", right: true, word: "dst port", number: true },
  { name: "proto", label: "Protocol", show: (value) => PROTOCOLS[String(value)] ?? String(value), word: "proto" },
  { name: "app", label: "Application", word: "app" },
  { name: "src_packets", label: "Packets →", word: "src packets", ...amount },
  { name: "src_bytes", label: "Bytes →", word: "src bytes", ...volume },
  { name: "dst_packets", label: "← Packets", word: "dst packets", ...amount },
  { name: "dst_bytes", label: "← Bytes", word: "dst bytes", ...volume },
  { name: "src_tcp_flags", label: "Flags →" },
  { name: "dst_tcp_flags", label: "← Flags" },
  { name: "conn_state", label: "State", word: "state" },
  { name: "tos", label: "DSCP", word: "tos", show: dscp },
  { name: "src_mac", label: "MAC →", word: "src mac" },
  { name: "dst_mac", label: "← MAC", word: "dst mac" },
  { name: "syn_window", label: "TCP window", word: "syn_window", ...amount },
  { name: "logins_refused", label: "Log-ins refused", word: "logins_refused", ...amount },
  { name: "logins_accepted", label: "Log-ins accepted", word: "logins_accepted", ...amount },
  { name: "exporter", label: "Exporter", word: "exporter" },
  { name: "rtt", label: "RTT", word: "rtt", ...delay },
  { name: "rtt_client", label: "RTT client", ...delay },
  { name: "rtt_server", label: "RTT server", ...delay },
  { name: "srt", label: "SRT", word: "srt", ...delay },
  { name: "srt_max", label: "SRT highest", ...delay },
  { name: "src_retransmitted_packets", label: "Sent again →", word: "src retransmitted_packets", ...amount },
  { name: "dst_retransmitted_packets", label: "← Sent again", word: "dst retransmitted_packets", ...amount },
  { name: "src_out_of_order_packets", label: "Out of order →", word: "src out_of_order_packets", ...amount },
  { name: "dst_out_of_order_packets", label: "← Out of order", word: "dst out_of_order_packets", ...amount },
  { name: "src_payload_bytes", label: "Payload →", word: "src payload_bytes", ...volume },
  { name: "dst_payload_bytes", label: "← Payload", word: "dst payload_bytes", ...volume },
  { name: "src_ttl", label: "TTL →", word: "src ttl", ...amount },
  { name: "dst_ttl", label: "← TTL", word: "dst ttl", ...amount },
  { name: "vlan", label: "VLAN", word: "vlan" },
  { name: "icmp_type", label: "ICMP type", word: "icmp_type" },
  { name: "icmp_code", label: "ICMP code", word: "icmp_code" },
  { name: "end", label: "End (UTC)", show: moment },
  { name: "history", label: "History", word: "history" },
  { name: "community_id", label: "Community ID", word: "community_id" },
];

/** Shown until somebody chooses. */
export const USUAL = COLUMNS.slice(0, 15).map(({ name }) => name);
const KEY = "weir-flow-columns";

/** Shown with the evidence of an event: what tells attackers apart stands beside what they did. */
export const USUAL_EVIDENCE = [...USUAL, "tos", "src_mac", "dst_mac", "syn_window", "exporter"];

/** The columns somebody chose on this browser. */
export function chosenColumns(): string[] | undefined {
  try {
    const kept: unknown = JSON.parse(localStorage.getItem(KEY) ?? "null");
    const known = Array.isArray(kept) ? COLUMNS.filter(({ name }) => kept.includes(name)) : [];
    return known.length > 0 ? known.map(({ name }) => name) : undefined;
  } catch {
    return undefined;
  }
}

export function chooseColumns(names: string[]) {
  localStorage.setItem(KEY, JSON.stringify(names));
}

/** A cell; the duration is counted from the ends, in seconds. */
export function valueOf(flow: FlowRow, name: string): unknown {
  if (name !== "duration") return flow[name];
  const [start, end] = [flow.flow_start ?? flow.start, flow.end].map((at) => Date.parse(String(at)));
  return start !== undefined && end !== undefined && end >= start ? (end - start) / 1000 : undefined;
}

/** A cell as people read it. */
export function shownValue(column: Column, value: unknown): string {
  if (value === undefined || value === null) return "";
  return column.show ? column.show(value) : String(value);
}
