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

/** Bytes of packed scripts: what the first page loads, and what each screen that is loaded later may add. */
const FIRST_MAX = 350_000;
const LATER_MAX = 200_000;

/** Ends the build when a script has grown beyond what people should wait for. */
function small(): Plugin {
  return {
    name: "small",
    generateBundle(_, bundle) {
      const chunks = Object.values(bundle).filter((file) => file.type === "chunk");
      const size = new Map(chunks.map(({ fileName, code }) => [fileName, gzipSync(code).length]));
      const first = new Set<string>();
      const add = (name: string) => {
        if (first.has(name)) return;
        first.add(name);
        for (const needed of chunks.find(({ fileName }) => fileName === name)?.imports ?? []) add(needed);
      };
      for (const { fileName, isEntry } of chunks) if (isEntry) add(fileName);
      const sum = [...first].reduce((bytes, name) => bytes + (size.get(name) ?? 0), 0);
      if (sum > FIRST_MAX) this.error(`the first page loads ${sum} bytes of packed scripts, at most ${FIRST_MAX}`);
      for (const [name, bytes] of size) {
        if (!first.has(name) && bytes > LATER_MAX) this.error(`${name} has ${bytes} bytes packed, at most ${LATER_MAX}`);
      }
    },
  };
}

export default defineConfig({
  plugins: [react(), themeCss(), guide(), small(), packed()],
  build: {
    sourcemap: false,
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
    chunkSizeWarningLimit: 900,
  },
  // For `npm run dev`: the API of a server beside it.
  server: { proxy: { "/api": "http://127.0.0.1:8443" } },
});
