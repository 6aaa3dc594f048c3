// Tables as CSV (RFC 4180), safe to open in a spreadsheet: a cell that would be taken for a formula is text.

const FORMULA = /^[=+\-@\t\r]/;

function cell(value: unknown): string {
  const text = value === undefined || value === null ? "" : String(value);
  return `"${(FORMULA.test(text) ? `'${text}` : text).replaceAll('"', '""')}"`;
}

/** Rows with all columns any of them has, in the order they first appear. */
export function asCsv(rows: Record<string, unknown>[]): string {
  const columns = [...new Set(rows.flatMap((row) => Object.keys(row)))];
  const lines = [columns.map(cell), ...rows.map((row) => columns.map((name) => cell(row[name])))];
  return lines.map((line) => line.join(",")).join("\r\n");
}
