// How the network performs, as its packets show: what had to be sent again, how long a way takes, how long servers think.
import { Group, Table, Text } from "@mantine/core";
import type { ReactNode } from "react";
import type { Schemas } from "../api/client";
import { useGo } from "../app/navigate";
import { count, counted, milliseconds, time } from "../ui/format";
import { Panel } from "../ui/parts";
import { Spark } from "../ui/Spark";

type Measured = Schemas["Performance"];
type Times = Schemas["Times"];

/** Digits of the index: a fall from 99.9 to 99.7 is worth a look. */
const INDEX = new Intl.NumberFormat("en", { minimumFractionDigits: 3, maximumFractionDigits: 3 });

interface Props {
  performance: Measured | null | undefined;
  span: Schemas["Span"];
  stepS: number;
}

export function Performance({ performance, span, stepS }: Props) {
  const go = useGo();
  const open = (filter: string, sort: string) => () => go("/flows", { filter, sort });
  const points = performance?.points ?? [];
  const { rtt, srt, retransmissions: again } = performance ?? {};
  const spark = (label: string, of: (point: Measured["points"][number]) => number | undefined) => (
    <Spark
      label={label}
      span={span}
      stepS={stepS}
      points={points.flatMap((point) => {
        const value = of(point);
        return value === undefined ? [] : [{ start: Date.parse(point.start), value }];
      })}
    />
  );
  return (
    <Panel title="Network performance" note="Averages over the records in which it was measured; gaps where nothing was.">
      <div className="grid three">
        <Tile
          title="Retransmission index"
          value={again && `${INDEX.format(again.index)} %`}
          about={
            again &&
            `RTR ${count(again.rtr_avg)}: ${count(again.retransmitted_packets)} of ${count(again.packets)} packets sent again, ${count(again.out_of_order_packets)} out of order`
          }
          open={open("retransmitted_packets > 0", "retransmitted_packets")}
        >
          {spark("Share of packets sent again over time", ({ retransmissions }) =>
            retransmissions ? 100 - retransmissions.index : undefined,
          )}
        </Tile>
        <Tile title="Round trip (RTT)" value={rtt && milliseconds(rtt.avg_ms)} about={ofTimes(rtt)} open={open("rtt >= 0", "rtt")}>
          {spark("Average round trip over time", (point) => point.rtt?.avg_ms)}
        </Tile>
        <Tile title="Server response (SRT)" value={srt && milliseconds(srt.avg_ms)} about={ofTimes(srt)} open={open("srt >= 0", "srt")}>
          {spark("Average server response over time", (point) => point.srt?.avg_ms)}
        </Tile>
      </div>
      {points.length > 0 && <Twin points={points} />}
    </Panel>
  );
}

function ofTimes(times: Times | null | undefined) {
  return times && `at most ${milliseconds(times.max_ms)}, in ${counted(times.flows, "flow")}`;
}

interface TileProps {
  title: string;
  value: string | null | undefined;
  about: string | null | undefined;
  open: () => void;
  children: ReactNode;
}

function Tile({ title, value, about, open, children }: TileProps) {
  return (
    <div>
      <Group justify="space-between" align="baseline">
        <Text size="sm">{title}</Text>
        {value ? (
          <button type="button" className="value figure" title="The flows behind it, the worst first" onClick={open}>
            {value}
          </button>
        ) : (
          <Text size="sm" c="dimmed">
            not measured
          </Text>
        )}
      </Group>
      {value ? (
        children
      ) : (
        <Text size="xs" c="dimmed">
          It is seen in packets, or told by exporters that measure it.
        </Text>
      )}
      <Text size="xs" c="dimmed">
        {about}
      </Text>
    </div>
  );
}

/** The same as a table. */
function Twin({ points }: { points: Measured["points"] }) {
  return (
    <details className="twin">
      <summary>As a table</summary>
      <Table.ScrollContainer minWidth={300} mah={260}>
        <Table fz="xs" aria-label="Network performance over time">
          <Table.Thead>
            <Table.Tr>
              <Table.Th>From (UTC)</Table.Th>
              <Table.Th ta="right">Retransmission index</Table.Th>
              <Table.Th ta="right">RTT</Table.Th>
              <Table.Th ta="right">SRT</Table.Th>
            </Table.Tr>
          </Table.Thead>
          <Table.Tbody>
            {points.map(({ start, rtt, srt, retransmissions }) => (
              <Table.Tr key={start}>
                <Table.Td>{time(start)}</Table.Td>
                <Table.Td ta="right">{retransmissions ? `${INDEX.format(retransmissions.index)} %` : "–"}</Table.Td>
                <Table.Td ta="right">{rtt ? milliseconds(rtt.avg_ms) : "–"}</Table.Td>
                <Table.Td ta="right">{srt ? milliseconds(srt.avg_ms) : "–"}</Table.Td>
              </Table.Tr>
            ))}
          </Table.Tbody>
        </Table>
      </Table.ScrollContainer>
    </details>
  );
}
