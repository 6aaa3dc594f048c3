// Stacked bars over time, drawn as plain SVG, with a brush that sets the window and a table that says the same in words.
import { Group, Table, Text } from "@mantine/core";
import { useId, useRef, useState } from "react";
import type { Schemas } from "../api/client";
import { clock, length as lengthOf, time } from "./format";
import { ticks } from "./ticks";

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

/** Something that happened at a moment, shown over the bars. */
export interface Mark {
  /** Milliseconds since 1970. */
  at: number;
  sign: string;
  colour: string;
  label: string;
  open: () => void;
}

interface Props {
  label: string;
  series: Series[];
  steps: Step[];
  stepMs: number;
  /** What the server looked at: its clock counts, not ours. */
  span: Schemas["Span"];
  show: (value: number) => string;
  marks?: Mark[];
  onSelect?: (since: string, until: string) => void;
}

const WIDTH = 1000;
const HEIGHT = 140;
/** Room above the highest bar. */
const HEAD = 6;
/** Narrower selections are clicks that slipped. */
const BRUSH_MIN = 6;

const sum = (step: Step) => step.values.reduce((all, value) => all + value, 0);

export function TimeBars({ label, series, steps, stepMs, span, show, marks = [], onSelect }: Props) {
  const svg = useRef<SVGSVGElement>(null);
  const titleId = useId();
  const [brush, setBrush] = useState<[number, number]>();
  const [over, setOver] = useState<Step>();
  const [from, until] = [Date.parse(span.since), Date.parse(span.until)];
  const length = Math.max(until - from, 1);
  const x = (at: number) => ((at - from) / length) * WIDTH;
  const highest = Math.max(1, ...steps.map(sum));
  const place = (clientX: number) => {
    const box = svg.current?.getBoundingClientRect();
    return box ? Math.min(WIDTH, Math.max(0, ((clientX - box.left) / box.width) * WIDTH)) : 0;
  };
  const momentOf = (at: number) => new Date(from + (at / WIDTH) * length).toISOString();
  const isCut = steps.some(({ start }) => start + stepMs > until);
  return (
    <div className="bars">
      {series.length > 1 && <Legend series={series} steps={steps} />}
      <div className="plot">
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
          {[HEAD, (HEIGHT + HEAD) / 2].map((y) => (
            <line key={y} className="rule" x1={0} x2={WIDTH} y1={y} y2={y} />
          ))}
          {steps.map((step) => {
            let y = HEIGHT;
            return series.map((one, index) => {
              const height = ((step.values[index] ?? 0) / highest) * (HEIGHT - HEAD);
              y -= height;
              return height > 0 ? (
                <rect
                  key={one.name + step.start}
                  x={x(step.start)}
                  y={y}
                  width={Math.max(1.5, (stepMs / length) * WIDTH - 1)}
                  height={height}
                  fill={one.colour}
                  // The step goes on: what it holds is not all.
                  opacity={step.start + stepMs > until ? 0.5 : undefined}
                />
              ) : null;
            });
          })}
          {brush && (
            <rect className="brush" x={Math.min(...brush)} y={0} width={Math.abs(brush[0] - brush[1])} height={HEIGHT} />
          )}
        </svg>
        <span className="level" aria-hidden="true">
          {show(highest)}
        </span>
        {marks
          .filter(({ at }) => at >= from && at <= until)
          .map((mark) => (
            <button
              key={mark.at + mark.label}
              type="button"
              className="mark"
              style={{ left: `${x(mark.at) / (WIDTH / 100)}%`, color: mark.colour }}
              title={mark.label}
              aria-label={mark.label}
              onClick={mark.open}
            >
              {mark.sign}
            </button>
          ))}
      </div>
      <div className="axis" aria-hidden="true">
        {ticks(from, until).map((tick) => (
          <span key={tick.at} style={{ left: `${x(tick.at) / (WIDTH / 100)}%` }}>
            {tick.text}
          </span>
        ))}
      </div>
      <Group justify="space-between" gap="xs">
        <Text size="xs" c="dimmed">
          {clock(span.since)} to {clock(span.until)} UTC
        </Text>
        <Text size="xs" aria-hidden="true">
          {over
            ? `${time(new Date(over.start).toISOString())}: ${said(over, series, show)}`
            : onSelect && "drag over the bars to zoom"}
        </Text>
        <Text size="xs" c="dimmed">
          steps of {lengthOf(stepMs / 1000)}
          {isCut && ", the last is not over"}
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

/** Names of what is there at all. */
function Legend({ series, steps }: Pick<Props, "series" | "steps">) {
  const present = series.filter((_, index) => steps.some(({ values }) => (values[index] ?? 0) > 0));
  return (
    <Group gap="md" mb={4} component="ul" className="legend" aria-label="Colours">
      {present.map(({ name, colour }) => (
        <li key={name}>
          <svg width="10" height="10" aria-hidden="true">
            <rect width="10" height="10" rx="2" fill={colour} />
          </svg>{" "}
          {name}
        </li>
      ))}
    </Group>
  );
}

function said(step: Step, series: Series[], show: (value: number) => string): string {
  const parts = step.values.map((value, index) => (value ? `${series[index]?.name} ${show(value)}` : ""));
  return parts.filter(Boolean).join(", ") || "nothing";
}
