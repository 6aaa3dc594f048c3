// Round moments for the axis of a chart, few enough to be read.

const MINUTE = 60_000;
const DAY = 1440 * MINUTE;
/** Distances that people count in. */
const DISTANCES = [1000, 5000, 15_000, 30_000].concat(
  [1, 2, 5, 10, 15, 30, 60, 120, 180, 360, 720, 1440, 2880, 10_080, 43_200].map((minutes) => minutes * MINUTE),
);
const TICKS_MAX = 9;
/** Nearer to an edge a text would be cut. */
const MARGIN = 0.03;

export interface Tick {
  /** Milliseconds since 1970. */
  at: number;
  text: string;
}

/** Ticks in UTC between two moments: times of a day, or dates where a new one begins. */
export function ticks(from: number, until: number): Tick[] {
  const length = until - from;
  const distance = DISTANCES.find((one) => length / one <= TICKS_MAX) ?? Math.ceil(length / TICKS_MAX / DAY) * DAY;
  const found: Tick[] = [];
  for (let at = Math.ceil(from / distance) * distance; at < until; at += distance) {
    const iso = new Date(at).toISOString();
    const text = at % DAY === 0 ? iso.slice(5, 10) : iso.slice(11, distance < MINUTE ? 19 : 16);
    const share = (at - from) / length;
    if (share >= MARGIN && share <= 1 - MARGIN) found.push({ at, text });
  }
  return found;
}
