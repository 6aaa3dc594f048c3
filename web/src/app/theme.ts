// One colour of our own, and priorities that differ in shape and word as well as in colour.
import { type ConvertCSSVariablesInput, createTheme, Drawer, type MantineColorsTuple, Modal } from "@mantine/core";

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
  components: {
    // Locking the page behind a dialog would write a style element into it.
    Modal: Modal.extend({ defaultProps: { lockScroll: false } }),
    Drawer: Drawer.extend({ defaultProps: { lockScroll: false } }),
  },
});

/** What differs from Mantine's own variables: enough contrast (4.5 to 1) for small text on tinted ground, in both schemes. */
export const variables: ConvertCSSVariablesInput = {
  variables: { "--mantine-primary-color-contrast": "#fff" },
  light: {
    "--mantine-color-anchor": "#0a6375",
    "--mantine-color-dimmed": "#5a6169",
    "--mantine-color-placeholder": "#6b7280",
    "--mantine-color-water-light-color": water[8],
    "--mantine-color-teal-light-color": "#055240",
    "--mantine-color-yellow-light-color": "#6b4400",
    "--mantine-color-red-light-color": "#9b1313",
    "--mantine-color-gray-light-color": "#343a40",
    "--mantine-color-error": "#c01c1c",
  },
  dark: {
    "--mantine-color-anchor": water[3],
    "--mantine-color-dimmed": "#a3abb3",
    "--mantine-color-placeholder": "#8f979f",
    "--mantine-primary-color-filled": water[6],
    "--mantine-primary-color-filled-hover": water[7],
    "--mantine-color-water-filled": water[6],
    "--mantine-color-water-filled-hover": water[7],
    "--mantine-color-error": "#ff8a80",
  },
};

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
