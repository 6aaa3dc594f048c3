// The window of time every screen shows. It lives in the address as `t=24h`, or `since` and `until`, so that a link shows
// what its sender saw; the server knows the same words.

export interface Range {
  t?: string;
  since?: string;
  until?: string;
}

export const PRESETS = ["15m", "1h", "6h", "24h", "7d", "30d"] as const;
export const DEFAULT_PRESET = "24h";

const PRESET = /^[1-9][0-9]{0,4}[smhd]$/;
const MOMENT = /^(now(-[1-9][0-9]{0,4}[smhd])?|\d{4}-\d{2}-\d{2}T\d{2}:\d{2}(:\d{2}(\.\d+)?)?Z)$/;

/** What an address says of the window; what is not understood is left out. */
export function readRange(search: Record<string, unknown>): Range {
  const { t, since, until } = search;
  if (typeof since === "string" && MOMENT.test(since)) {
    return { since, until: typeof until === "string" && MOMENT.test(until) ? until : undefined };
  }
  return typeof t === "string" && PRESET.test(t) ? { t } : {};
}

/** The window as parameters of the API. */
export function asQuery(range: Range): { since: string; until?: string } {
  if (range.since) return { since: range.since, until: range.until };
  return { since: `now-${range.t ?? DEFAULT_PRESET}` };
}

/** The window in words. */
export function rangeWords(range: Range): string {
  if (range.since) {
    const short = (moment: string) => moment.slice(0, 16).replace("T", " ");
    return `${short(range.since)} to ${range.until ? short(range.until) : "now"} UTC`;
  }
  return `last ${range.t ?? DEFAULT_PRESET}`;
}
