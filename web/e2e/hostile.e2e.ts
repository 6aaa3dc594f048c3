// Text that attackers choose, in every field a file or a colleague can carry it to: none of it runs, none of it breaks the
// page, and what the eye cannot see in it is shown.
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { Browser } from "playwright-core";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { browserIsThere, launch, Watched } from "./browser";
import { House } from "./house";

const BIDI = "\u202egpj.exe\u202c\u200b";
const SCRIPT = "<script>alert(1)</script>";
const IMAGE = `"><img src=x onerror=alert(2)>${BIDI}`;
const LONG = "W".repeat(180);
const FILE = "'\"><svg onload=alert(3)>\u202eglp.log";
const PASSWORD = "a long enough password";

/** 40 connections to a listed address, by a log of Zeek whose words are not words. */
function connections(): string {
  const fields = ["ts", "uid", "id.orig_h", "id.orig_p", "id.resp_h", "id.resp_p", "proto", "service", "duration"];
  const numbers = ["orig_bytes", "resp_bytes", "conn_state", "orig_pkts", "orig_ip_bytes", "resp_pkts", "resp_ip_bytes"];
  const head = ["#separator \\x09", "#path\tconn", ["#fields", ...fields, ...numbers].join("\t")];
  const start = Math.floor(Date.now() / 1000) - 600;
  const rows = Array.from({ length: 40 }, (_, at) => {
    const who = [start + at, `${SCRIPT}${at}`, "10.0.0.5", 40_000 + at, "203.0.113.80", 443, "tcp", SCRIPT + BIDI];
    return [...who, "1.5", 500, 900, "SF", 6, 740, 7, 1180].join("\t");
  });
  return `${[...head, ...rows].join("\n")}\n`;
}

describe.skipIf(!browserIsThere())("hostile text", () => {
  let house: House;
  let base: string;
  let browser: Browser;
  let watched: Watched;

  beforeAll(async () => {
    const words = ["--config", "%/weir.toml", "--store", "%/store", "--watch", "%/in", "--no-collect"];
    house = new House(["serve", ...words, "--listen", "127.0.0.1:0"], (folder) => {
      mkdirSync(join(folder, "in"));
      writeFileSync(join(folder, "listed.txt"), "203.0.113.80\n");
      const text = JSON.stringify;
      const list = ["[[indicators]]", 'path = "listed.txt"', "score = 0", `category = ${text(IMAGE)}`];
      const briefing = ['name = "Told"', `title = ${text(IMAGE)}`, `text = ${text(`${SCRIPT} ${LONG}`)}`];
      briefing.push('indicators = ["203.0.113.80"]');
      writeFileSync(join(folder, "told.toml"), briefing.join("\n"));
      const config = ['inside = ["10.0.0.0/8"]', ...list, "[[briefings]]", 'path = "told.toml"'];
      writeFileSync(join(folder, "weir.toml"), config.join("\n"));
      writeFileSync(join(folder, "in", FILE), connections());
    });
    base = await house.address();
    browser = await launch();
    watched = await Watched.open(browser, base);
    await watched.go("/");
    await watched.setUp(await house.says(/token .*: (\S+)$/), PASSWORD);
    await watched.page.getByRole("heading", { name: "Getting started" }).waitFor();
    await house.says(/read .*onload/);
  });
  afterAll(async () => {
    await watched?.close();
    await browser?.close();
    await house?.end();
  });

  /** Nothing ran, nothing overflowed, no element came out of a text. */
  const harmless = async (name: string) => {
    const made = watched.page.locator("img, svg[onload], main script");
    expect(await made.count(), name).toBe(0);
    expect([...(await watched.overflows()), ...watched.faults()], name).toEqual([]);
  };

  it("of files and lists is only text", async () => {
    const { page } = watched;
    await watched.go("/health");
    await page.getByText("\\u{202e}glp.log").first().waitFor();
    await harmless("health");
    await watched.go("/flows?t=1h");
    await page.getByText("203.0.113.80").first().waitFor();
    await harmless("flows");
    await watched.go("/events?t=1h");
    await page.getByRole("button", { name: "BLACKLIST" }).first().waitFor();
    await harmless("events");
    for (const path of ["/?t=1h", "/hosts?t=1h", "/hosts/10.0.0.5?t=1h"]) {
      await watched.go(path);
      await harmless(path);
    }
  });

  it("of colleagues is only text, and long words do not widen the page", async () => {
    const { page } = watched;
    await watched.go("/events?t=1h");
    await page.getByRole("table", { name: "Events" }).getByRole("button", { name: "BLACKLIST" }).click();
    await page.getByRole("dialog").getByText("203.0.113.80").first().waitFor();
    await harmless("event beside the list");
    await page.getByRole("button", { name: "Open its page" }).click();
    await page.getByRole("tab", { name: /Comments/ }).click();
    await page.getByRole("textbox", { name: "Comment" }).fill(`${SCRIPT} ${IMAGE} ${LONG}`);
    await page.getByRole("button", { name: "Comment" }).click();
    await page.getByText(LONG.slice(0, 40)).first().waitFor();
    await page.getByText("\\u{202e}gpj.exe").first().waitFor();
    await harmless("comment");
    await page.getByRole("tab", { name: "Attributes" }).click();
    await harmless("attributes");
    await watched.picture("hostile-light");
    await watched.go(`/events?t=1h&text=${encodeURIComponent(IMAGE)}`);
    await harmless("text in the address");
    await watched.go(`/flows?t=1h&filter=${encodeURIComponent(`app "${SCRIPT}${BIDI}`)}`);
    await harmless("filter in the address");
    await watched.go(`/hosts/${encodeURIComponent(IMAGE)}`);
    await harmless("host in the address");
  });
});
