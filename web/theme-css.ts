// The theme as a stylesheet. Mantine's provider would write these variables into the page as a style element, which the
// page's policy forbids; so the build writes them into a file, and colours stand once, in src/app/theme.ts.
import { convertCssVariables, DEFAULT_THEME, defaultCssVariablesResolver, mergeMantineTheme } from "@mantine/core";
import type { Plugin } from "vite";
import { theme, variables } from "./src/app/theme.ts";

const NAME = "virtual:theme.css";

function css(): string {
  const all = defaultCssVariablesResolver(mergeMantineTheme(DEFAULT_THEME, theme));
  for (const part of ["variables", "light", "dark"] as const) Object.assign(all[part], variables[part]);
  return convertCssVariables(all, ":root");
}

export function themeCss(): Plugin {
  return {
    name: "theme-css",
    resolveId: (id) => (id === NAME ? NAME : undefined),
    load: (id) => (id === NAME ? css() : undefined),
  };
}
