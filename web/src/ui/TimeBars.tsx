// Stacked bars over time, drawn as plain SVG, with a brush that sets the window and a table that says the same in words.
import { Group, Table, Text } from "@mantine/core";
import { useId, useRef, useState } from "react";
import type { Schemas } from "../api/client";
import { time } from "./format";

export interface Series {
  name: string;
  colour: string;
}

export interface Step {
  /** Milliseconds since 1970. */
  start: number;
  /** One value for each series. */
  values: number[];
}

interface Props {
  label: string;
  series: Series[];
  steps: Step[];
  stepMs: number;
  /** What the server looked at: its clock counts, not ours. */
  span: Schemas["Span"];
  show: (value: number) => string;
  onSelect?: (since: string, until: string) => void;
}

const WIDTH = 1000;
const HEIGHT = 140;
/** Narrower selections are clicks that slipped. */
const BRUSH_MIN = 6;

export function TimeBars({ label, series, steps, stepMs, span, show, onSelect }: Props) {
  const svg = useRef<SVGSVGElement>(null);
  const titleId = useId();
  const [brush, setBrush] = useState<[number, number]>();
  const [over, setOver] = useState<Step>();
  const from = Date.parse(span.since);
  const length = Math.max(Date.parse(span.until) - from, 1);
  const x = (at: number) => ((at - from) / length) * WIDTH;
  const highest = Math.max(1, ...steps.map((step) => step.values.reduce((sum, value) => sum + value, 0)));
  const place = (clientX: number) => {
    const box = svg.current?.getBoundingClientRect();
    return box ? Math.min(WIDTH, Math.max(0, ((clientX - box.left) / box.width) * WIDTH)) : 0;
  };
  const momentOf = (at: number) => new Date(from + (at / WIDTH) * length).toISOString();
  return (
    <div className="bars">
      <svg
        ref={svg}
        viewBox={`0 0 ${WIDTH} ${HEIGHT}`}
        preserveAspectRatio="none"
        role="img"
        aria-labelledby={titleId}
        className={onSelect ? "brushable" : undefined}
        onPointerDown={(event) => {
          if (!onSelect) return;
          event.currentTarget.setPointerCapture(event.pointerId);
          setBrush([place(event.clientX), place(event.clientX)]);
        }}
        onPointerMove={(event) => {
          const at = place(event.clientX);
          setBrush((now) => now && [now[0], at]);
          const moment = from + (at / WIDTH) * length;
          setOver(steps.find((step) => moment >= step.start && moment < step.start + stepMs));
        }}
        onPointerLeave={() => setOver(undefined)}
        onPointerUp={() => {
          if (brush && onSelect && Math.abs(brush[0] - brush[1]) >= BRUSH_MIN) {
            const [left, right] = brush[0] < brush[1] ? brush : [brush[1], brush[0]];
            onSelect(momentOf(left), momentOf(right));
          }
          setBrush(undefined);
        }}
      >
        <title id={titleId}>{label}</title>
        {steps.map((step) => {
          let y = HEIGHT;
          return series.map((one, index) => {
            const height = ((step.values[index] ?? 0) / highest) * (HEIGHT - 4);
            y -= height;
            const left = x(step.start);
            const width = Math.max(1.5, (stepMs / length) * WIDTH - 1);
            return height > 0 ? (
              <rect
                key={one.name + step.start}
                x={left}
                y={y}
                width={width}
                height={height}
                fill={one.colour}
              />
            ) : null;
          });
        })}
        {brush && (
          <rect
            className="brush"
            x={Math.min(...brush)}
            y={0}
            width={Math.abs(brush[0] - brush[1])}
            height={HEIGHT}
          />
        )}
      </svg>
      <Group justify="space-between" gap="xs">
        <Text size="xs" c="dimmed">
          {time(span.since)}
        </Text>
        <Text size="xs" aria-hidden="true">
          {over
            ? `${time(new Date(over.start).toISOString())}: ${over.values
                .map((value, index) => (value ? `${series[index]?.name} ${show(value)}` : ""))
                .filter(Boolean)
                .join(", ")}`
            : `highest ${show(highest)}${onSelect ? " · drag to zoom" : ""}`}
        </Text>
        <Text size="xs" c="dimmed">
          {time(span.until)} UTC
        </Text>
      </Group>
      <details>
        <summary>As a table</summary>
        <Table.ScrollContainer minWidth={300} mah={260}>
          <Table fz="xs" aria-label={label}>
            <Table.Thead>
              <Table.Tr>
                <Table.Th>From (UTC)</Table.Th>
                {series.map((one) => (
                  <Table.Th key={one.name}>{one.name}</Table.Th>
                ))}
              </Table.Tr>
            </Table.Thead>
            <Table.Tbody>
              {steps.map((step) => (
                <Table.Tr key={step.start}>
                  <Table.Td>{time(new Date(step.start).toISOString())}</Table.Td>
                  {series.map((one, index) => (
                    <Table.Td key={one.name}>{show(step.values[index] ?? 0)}</Table.Td>
                  ))}
                </Table.Tr>
              ))}
            </Table.Tbody>
          </Table>
        </Table.ScrollContainer>
      </details>
    </div>
  );
}
