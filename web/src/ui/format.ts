// Numbers and times as people read them. Times are UTC everywhere; the unit stands with the number.

const COUNT = new Intl.NumberFormat("en", { maximumFractionDigits: 2 });
const BYTE_UNITS = ["B", "KiB", "MiB", "GiB", "TiB", "PiB"];
const BIT_UNITS = ["bit/s", "kbit/s", "Mbit/s", "Gbit/s", "Tbit/s"];

export function count(value: number): string {
  return COUNT.format(value);
}

/** `1 flow`, `2 flows`. */
export function counted(value: number, word: string): string {
  return `${count(value)} ${word}${value === 1 ? "" : "s"}`;
}

function scaled(value: number, step: number, units: string[]): string {
  let at = 0;
  let rest = value;
  while (rest >= step && at < units.length - 1) {
    rest /= step;
    at += 1;
  }
  const digits = at === 0 || rest >= 100 ? 0 : rest >= 10 ? 1 : 2;
  return `${rest.toFixed(digits)} ${units[at]}`;
}

export function bytes(value: number): string {
  return scaled(value, 1024, BYTE_UNITS);
}

export function bits(value: number): string {
  return scaled(value, 1000, BIT_UNITS);
}

/** `2026-11-22 03:14:07`, to the second. */
export function time(iso: string | null | undefined): string {
  return iso ? iso.slice(0, 19).replace("T", " ") : "–";
}

/** `2026-11-22 03:14:07.120`, to the millisecond. */
export function toMillis(iso: string): string {
  const [seconds = "", rest = ""] = iso.replace(/Z$/, "").replace("T", " ").split(".");
  return `${seconds}.${rest.padEnd(3, "0").slice(0, 3)}`;
}

/** `2026-11-22 03:14`, to the minute. */
export function clock(iso: string): string {
  return iso.slice(0, 16).replace("T", " ");
}

/** `30 s`, `5 min`, `2 h`, `1 d`: a length that is round. */
export function length(seconds: number): string {
  const units: [number, string][] = [
    [86_400, "d"],
    [3600, "h"],
    [60, "min"],
  ];
  const [size, unit] = units.find(([size]) => seconds >= size && seconds % size === 0) ?? [1, "s"];
  return `${count(seconds / size)} ${unit}`;
}

/** A length of time in the two largest units. */
export function duration(seconds: number): string {
  const s = Math.round(seconds);
  if (s < 60) return `${s} s`;
  if (s < 3600) return `${Math.floor(s / 60)} min ${s % 60} s`;
  if (s < 86_400) return `${Math.floor(s / 3600)} h ${Math.floor((s % 3600) / 60)} min`;
  return `${Math.floor(s / 86_400)} d ${Math.floor((s % 86_400) / 3600)} h`;
}

/** Milliseconds with three digits that count; seconds from one on. */
export function milliseconds(ms: number): string {
  if (ms >= 1000) return `${Number((ms / 1000).toPrecision(3))} s`;
  return `${Number(ms.toPrecision(3))} ms`;
}

/** Packets in a second; small numbers with their decimals. */
export function perSecond(value: number): string {
  return `${count(value >= 100 ? Math.round(value) : Number(value.toPrecision(3)))}/s`;
}

/** How a number stands to the one of the period before. */
export function change(now: number, before: number): string {
  if (now === before) return now === 0 ? "none before either" : "as before";
  return now > before
    ? `${count(now - before)} more than before`
    : `${count(before - now)} fewer than before`;
}

/** `DictionaryAttack_min` and `attempts_min` as words. */
export function words(name: string): string {
  return name.replaceAll("_", " ");
}
