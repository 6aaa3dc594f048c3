// Files made in the browser: tables as CSV or as text.

/** Hands a file to whoever looks at the page. */
export function save(name: string, text: string, kind: "text/csv" | "text/plain" | "application/json" | "application/x-ndjson") {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(new Blob([text], { type: `${kind};charset=utf-8` }));
  link.download = name;
  link.click();
  URL.revokeObjectURL(link.href);
}

/** Columns under each other, as wide as their widest cell. */
export function asText(head: string[], rows: string[][]): string {
  const width = head.map((name, at) => Math.max(name.length, ...rows.map((row) => row[at]?.length ?? 0)));
  const line = (cells: string[]) =>
    cells
      .map((cell, at) => cell.padEnd(width[at] ?? 0))
      .join("  ")
      .trimEnd();
  return `${[head, ...rows].map(line).join("\n")}\n`;
}
