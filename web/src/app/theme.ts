// One colour of our own, and priorities that differ in shape and word as well as in colour.
import { createTheme, type MantineColorsTuple } from "@mantine/core";

const water: MantineColorsTuple = [
  "#e3fafc",
  "#c5f0f5",
  "#99dfe8",
  "#66cbd9",
  "#3bb6c8",
  "#1c98ac",
  "#0b7285",
  "#095c6b",
  "#074853",
  "#05363f",
];

export const theme = createTheme({
  primaryColor: "water",
  primaryShade: { light: 6, dark: 4 },
  colors: { water },
  autoContrast: true,
  fontFamily: 'Inter, "Segoe UI", system-ui, sans-serif',
  defaultRadius: "sm",
  cursorType: "pointer",
});

export const PRIORITIES = ["critical", "high", "medium", "low", "informational"] as const;
export type Priority = (typeof PRIORITIES)[number];

/** Fill for charts and the mark of a priority; safe for the common kinds of colour blindness. */
export const PRIORITY_COLOUR: Record<Priority, string> = {
  critical: "#9c1c4b",
  high: "#d9480f",
  medium: "#e8a200",
  low: "#3b82c4",
  informational: "#868e96",
};
export const PRIORITY_MARK: Record<Priority, string> = {
  critical: "◆",
  high: "▲",
  medium: "■",
  low: "●",
  informational: "○",
};

/** The priority of that name; unknown ones count as informational. */
export function priorityOf(name: string): Priority {
  return (PRIORITIES as readonly string[]).includes(name) ? (name as Priority) : "informational";
}
