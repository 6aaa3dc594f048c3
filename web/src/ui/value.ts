// Values of settings as people type them.

/** A value as text: lists separated by commas. */
export function written(value: unknown): string {
  if (value === null || value === undefined) return "";
  if (Array.isArray(value)) return value.map(String).join(", ");
  return typeof value === "object" ? JSON.stringify(value) : String(value);
}

/** Text as the kind of value that stood there before; empty takes the setting back. */
export function readAs(before: unknown, text: string): unknown {
  const wanted = text.trim();
  if (Array.isArray(before)) {
    const parts = wanted
      .split(",")
      .map((part) => part.trim())
      .filter(Boolean);
    return before.length > 0 && before.every((one) => typeof one === "number") ? parts.map(Number) : parts;
  }
  if (wanted === "") return null;
  if (typeof before === "number") return Number.isNaN(Number(wanted)) ? wanted : Number(wanted);
  if (typeof before === "boolean") return wanted === "true" ? true : wanted === "false" ? false : wanted;
  return wanted;
}
