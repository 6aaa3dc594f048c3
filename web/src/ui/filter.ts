// Conditions of the filter language, made from values people point at.

/** How a condition changes a filter. */
export type Way = "include" | "exclude" | "only";

const PLAIN = /^[A-Za-z0-9_.:/-]+$/;

/** `word value`; nothing for a text that holds both kinds of quotes, which the language cannot say. */
export function condition(word: string, value: unknown): string | undefined {
  const text = String(value);
  if (typeof value === "boolean") return `${word} ${value ? "yes" : "no"}`;
  if (PLAIN.test(text)) return `${word} ${text}`;
  if (!text.includes('"')) return `${word} = "${text}"`;
  return text.includes("'") ? undefined : `${word} = '${text}'`;
}

/** The filter with the condition in it. */
export function narrowed(filter: string | undefined, added: string, way: Way): string {
  const wanted = way === "exclude" ? `not (${added})` : added;
  if (way === "only" || !filter?.trim()) return wanted;
  // "and" binds closer than "or": brackets where there may be one.
  return /\bor\b|\|\||["'#]/i.test(filter) ? `(${filter}) and ${wanted}` : `${filter} and ${wanted}`;
}
