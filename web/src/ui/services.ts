// Services as people name them.

const TRANSPORTS: Record<number, string> = { 1: "icmp", 6: "tcp", 17: "udp", 58: "icmp6", 132: "sctp" };
/** Protocols whose flows have ports. */
const WITH_PORTS = new Set([6, 17, 132]);

interface Service {
  proto: number;
  port: number;
}

/** `tcp/445`, `icmp`; records without a protocol (ARP) come as protocol 0. */
export function serviceOf({ proto, port }: Service): string {
  const name = TRANSPORTS[proto] ?? (proto === 0 ? "no IP" : `protocol ${proto}`);
  return WITH_PORTS.has(proto) ? `${name}/${port}` : name;
}

/** The filter that finds its flows. */
export function filterOf({ proto, port }: Service): string {
  if (proto === 0) return "not exists proto";
  return WITH_PORTS.has(proto) ? `proto ${proto} and dst port ${port}` : `proto ${proto}`;
}
