// A small chart beside a number: bars over the window, from nothing to the highest. Steps without a value stay empty.
import type { Schemas } from "../api/client";

interface Props {
  label: string;
  span: Schemas["Span"];
  stepS: number;
  /** Milliseconds since 1970, and the value of the step that begins then. */
  points: { start: number; value: number }[];
}

const WIDTH = 300;
const HEIGHT = 48;
/** A value of nothing is drawn, too: it was measured. */
const LEAST = 1;

export function Spark({ label, span, stepS, points }: Props) {
  const [from, until] = [Date.parse(span.since), Date.parse(span.until)];
  const scale = WIDTH / Math.max(1, until - from);
  const highest = Math.max(...points.map(({ value }) => value), Number.MIN_VALUE);
  return (
    <svg className="spark" viewBox={`0 0 ${WIDTH} ${HEIGHT}`} preserveAspectRatio="none" role="img" aria-label={label}>
      {points.map(({ start, value }) => {
        const height = Math.max(LEAST, (value / highest) * HEIGHT);
        return (
          <rect
            key={start}
            className="bar"
            x={(start - from) * scale}
            y={HEIGHT - height}
            width={Math.max(1, stepS * 1000 * scale - 0.5)}
            height={height}
          />
        );
      })}
    </svg>
  );
}
