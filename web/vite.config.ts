// Builds the interface into dist/, which the server embeds. Nothing is loaded from elsewhere at run time.
import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { constants, gzipSync } from "node:zlib";
import react from "@vitejs/plugin-react";
import { defineConfig, type Plugin } from "vite";
import { guide } from "./guide.ts";
import { themeCss } from "./theme-css.ts";

/** Packs scripts and styles once, so that the server does not have to for every visitor. */
function packed(): Plugin {
  return {
    name: "packed",
    writeBundle({ dir = "dist" }) {
      for (const name of readdirSync(dir, { recursive: true, encoding: "utf8" })) {
        if (!/\.(js|css|svg|html)$/.test(name)) continue;
        const path = join(dir, name);
        writeFileSync(`${path}.gz`, gzipSync(readFileSync(path), { level: constants.Z_BEST_COMPRESSION }));
      }
    },
  };
}

export default defineConfig({
  plugins: [react(), themeCss(), guide(), packed()],
  build: {
    sourcemap: false,
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
    chunkSizeWarningLimit: 900,
  },
  // For `npm run dev`: the API of a server beside it.
  server: { proxy: { "/api": "http://127.0.0.1:8443" } },
});
