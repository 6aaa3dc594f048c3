// The guide and the reference as pages that the program serves under /docs: rendered at build time from docs/, with nothing
// that is loaded from elsewhere and no script.
import { readdirSync, readFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { Marked } from "marked";
import type { Plugin } from "vite";

const DOCS = resolve(import.meta.dirname, "../docs");
/** Pages of the guide in the order of reading; those not named here come after. */
const ORDER = ["index", "first-day", "interface", "events", "tuning", "collector", "event-database", "clickhouse"];

interface Page {
  /** Below /docs, without ending. */
  path: string;
  title: string;
  html: string;
}

function escaped(text: string): string {
  return text.replace(/[&<>"]/g, (letter) => `&#${letter.charCodeAt(0)};`);
}

/** An anchor as links in Markdown expect it. */
function anchor(heading: string): string {
  return heading
    .toLowerCase()
    .replace(/<[^>]*>|[^\p{L}\p{N}\s_-]/gu, "")
    .trim()
    .replace(/\s+/g, "-");
}

const marked = new Marked({
  renderer: {
    heading({ tokens, depth }) {
      const text = this.parser.parseInline(tokens);
      return `<h${depth} id="${anchor(text)}">${text}</h${depth}>\n`;
    },
    // What may scroll sideways is reached by keys as well.
    code({ text }) {
      return `<pre tabindex="0"><code>${escaped(text)}</code></pre>\n`;
    },
    table(token) {
      const cells = (row: typeof token.header, tag: string) =>
        row.map(({ tokens }) => `<${tag}>${this.parser.parseInline(tokens)}</${tag}>`).join("");
      const rows = token.rows.map((row) => `<tr>${cells(row, "td")}</tr>`).join("\n");
      return `<div class="wide" tabindex="0"><table><thead><tr>${cells(token.header, "th")}</tr></thead><tbody>${rows}</tbody></table></div>\n`;
    },
  },
});

function pages(folder: string, prefix: string): Page[] {
  const names = readdirSync(join(DOCS, folder)).filter((name) => name.endsWith(".md"));
  const place = (name: string) => (ORDER.indexOf(name.slice(0, -3)) + ORDER.length + 1) % (ORDER.length + 1);
  return names
    .sort((a, b) => place(a) - place(b) || a.localeCompare(b))
    .map((name) => {
      const text = readFileSync(join(DOCS, folder, name), "utf8").replace(/^<!--.*?-->\s*/s, "");
      const title = /^# (.*)$/m.exec(text)?.[1] ?? name;
      // Links between Markdown files become links between pages.
      const html = (marked.parse(text) as string).replaceAll(/href="([^":#]+)\.md(#[^"]*)?"/g, 'href="$1.html$2"');
      return { path: prefix + name.slice(0, -3), title, html };
    });
}

function shell(page: Page, guide: Page[], reference: Page[]): string {
  const link = ({ path, title }: Page) =>
    `<li><a href="/docs/${path}.html"${path === page.path ? ' aria-current="page"' : ""}>${escaped(title)}</a></li>`;
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<link rel="icon" href="/icon.svg" type="image/svg+xml">
<link rel="stylesheet" href="/docs/guide.css">
<title>${escaped(page.title)} - Weir</title>
</head>
<body>
<nav aria-label="Pages">
<p><a href="/">Back to Weir</a></p>
<h2>Guide</h2>
<ul>${guide.map(link).join("\n")}</ul>
<h2>Reference</h2>
<ul>${reference.map(link).join("\n")}</ul>
</nav>
<main>
${page.html}
</main>
</body>
</html>
`;
}

export function guide(): Plugin {
  return {
    name: "guide",
    generateBundle() {
      const own = pages("guide", "");
      const reference = pages("reference", "reference/");
      for (const page of [...own, ...reference]) {
        const source = shell(page, own, reference);
        this.emitFile({ type: "asset", fileName: `docs/${page.path}.html`, source });
      }
      const css = readFileSync(join(import.meta.dirname, "guide.css"), "utf8");
      this.emitFile({ type: "asset", fileName: "docs/guide.css", source: css });
      for (const name of readdirSync(join(DOCS, "guide/pictures"))) {
        const source = readFileSync(join(DOCS, "guide/pictures", name));
        this.emitFile({ type: "asset", fileName: `docs/pictures/${name}`, source });
      }
    },
  };
}
