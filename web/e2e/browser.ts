// A browser whose pages are watched: errors on the console, breaches of the page's policy, failed scripts, and requests to
// anywhere but the server are collected, and a test ends with none of them.
import { existsSync, mkdirSync } from "node:fs";
import { extname, join } from "node:path";
import axe from "axe-core";
import { type Browser, type BrowserContext, chromium, type Page } from "playwright-core";
import { PICTURES, SCREENS } from "./house";

const PLACES = ["/usr/bin/chromium", "/usr/bin/chromium-browser", "/usr/bin/google-chrome"];
const PROGRAM = process.env.CHROMIUM ?? PLACES.find((place) => existsSync(place));

/** False when these tests cannot run here; where everything must run, that is an error. */
export function browserIsThere(): boolean {
  if (PROGRAM) return true;
  if (process.env.CI) throw new Error("chromium is missing: apt-get install chromium");
  console.warn("skipped: chromium is missing (apt-get install chromium)");
  return false;
}

export type Theme = "light" | "dark";
export const THEMES: Theme[] = ["light", "dark"];

export async function launch(): Promise<Browser> {
  // Everything stays on loopback, and root has no sandbox to offer.
  return chromium.launch({ executablePath: PROGRAM, args: ["--no-sandbox", "--disable-gpu"] });
}

/**
 * With WEIR_DIST pages come from that folder instead of the program, which then need not be built after every change of
 * the interface. The headers, and with them the policy, are still the program's.
 */
async function fromFolder(context: BrowserContext, base: string) {
  const folder = process.env.WEIR_DIST;
  if (!folder) return;
  const { headers } = await fetch(base);
  const kept = Object.fromEntries([...headers].filter(([name]) => !name.startsWith("content-") || /policy/.test(name)));
  await context.route(
    (url) => url.href.startsWith(`${base}/`) && !url.pathname.startsWith("/api/"),
    (route) => {
      const path = join(folder, new URL(route.request().url()).pathname);
      const file = existsSync(path) && extname(path) ? path : join(folder, "index.html");
      return route.fulfill({ path: file, headers: { ...kept, "content-type": KINDS[extname(file)] ?? "text/plain" } });
    },
  );
}

const KINDS: Record<string, string> = {
  ".html": "text/html",
  ".js": "text/javascript",
  ".css": "text/css",
  ".svg": "image/svg+xml",
  ".png": "image/png",
};

/** A page and what went wrong on it. */
export class Watched {
  readonly page: Page;
  private readonly base: string;
  private readonly seen: string[] = [];
  private readonly context: BrowserContext;

  private constructor(context: BrowserContext, page: Page, base: string) {
    this.context = context;
    this.page = page;
    this.base = base;
  }

  static async open(browser: Browser, base: string, theme: Theme = "light"): Promise<Watched> {
    const context = await browser.newContext({
      viewport: { width: 1440, height: 900 },
      colorScheme: theme,
      reducedMotion: "reduce",
    });
    await fromFolder(context, base);
    const watched = new Watched(context, await context.newPage(), base);
    const { page, seen: faults } = watched;
    page.setDefaultTimeout(15_000);
    page.on("pageerror", (error) => faults.push(`script: ${error.message}`));
    page.on("console", (message) => {
      // A refusal that a test provokes is logged by the browser itself.
      if (message.type() === "error" && !/status of 4\d\d/.test(message.text())) faults.push(message.text());
    });
    page.on("request", (request) => {
      const url = request.url();
      if (!url.startsWith(`${base}/`) && !/^(data|blob):/.test(url)) faults.push(`outside request: ${url}`);
    });
    page.on("dialog", (dialog) => {
      faults.push(`dialog: ${dialog.message()}`);
      void dialog.dismiss();
    });
    return watched;
  }

  async go(path: string) {
    await this.page.goto(this.base + path);
    await this.settled();
  }

  /** Waits until nothing on the page is loading. */
  async settled() {
    await this.page.locator("main").waitFor();
    await this.page.waitForFunction(() => !document.querySelector("[aria-busy=true]"));
  }

  /** Makes the first administrator, `anna`. */
  async setUp(token: string, password: string) {
    const { page } = this;
    await page.getByRole("heading", { name: "Welcome to Weir" }).waitFor();
    await page.getByLabel("Token").fill(token);
    await page.getByLabel("Name").fill("anna");
    await page.getByRole("textbox", { name: "Password" }).fill(password);
    await page.getByRole("button", { name: "Make the administrator" }).click();
  }

  /** Serious findings of axe on what is shown. */
  async inaccessible(): Promise<string[]> {
    await this.page.evaluate(axe.source);
    return this.page.evaluate(async () => {
      const { axe } = globalThis as unknown as { axe: typeof import("axe-core") };
      const { violations } = await axe.run(document, { resultTypes: ["violations"] });
      return violations
        .filter(({ impact }) => impact === "serious" || impact === "critical")
        .flatMap(({ id, nodes }) => nodes.map(({ html }) => `${id}: ${html.slice(0, 160)}`));
    });
  }

  /** A screen must not be wider than the window: only its tables scroll sideways. */
  async overflows(): Promise<string[]> {
    const over = await this.page.evaluate(() => {
      const { scrollWidth, clientWidth } = document.documentElement;
      return scrollWidth - clientWidth;
    });
    return over > 0 ? [`${over} pixels too wide`] : [];
  }

  /** A picture of the screen, as high as its content. */
  async picture(name: string) {
    mkdirSync(SCREENS, { recursive: true });
    await this.page.screenshot({ path: join(SCREENS, `${name}.png`), fullPage: true });
  }

  /** A picture for the guide, when they are to be made anew. */
  async guide(name: string) {
    if (!process.env.WEIR_PICTURES) return;
    await this.page.screenshot({ path: join(PICTURES, `${name}.png`) });
  }

  /** What went wrong since the last time this was asked. */
  faults(): string[] {
    return this.seen.splice(0);
  }

  async close() {
    await this.context.close();
  }
}
