// Where the data come from: somebody who exports, a list that is fetched, and more flow records than a page can draw.
import { createSocket } from "node:dgram";
import { mkdirSync, writeFileSync } from "node:fs";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import type { Browser } from "playwright-core";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { browserIsThere, launch, THEMES, Watched } from "./browser";
import { freePort, House } from "./house";

const PASSWORD = "a long enough password";
/** Records of the long table; the target speaks of 10,000 rows. */
const ROWS = 12_000;
/** A task that is longer is felt. */
const TASK_MAX_MS = 50;
/** From the first to the last row. */
const STEPS = 150;

/** A log of Zeek with many connections of the last hour. */
function connections(): string {
  const fields = ["ts", "uid", "id.orig_h", "id.orig_p", "id.resp_h", "id.resp_p", "proto", "service", "duration"];
  const numbers = ["orig_bytes", "resp_bytes", "conn_state", "orig_pkts", "orig_ip_bytes", "resp_pkts", "resp_ip_bytes"];
  const head = ["#separator \\x09", "#path\tconn", ["#fields", ...fields, ...numbers].join("\t")];
  const start = Math.floor(Date.now() / 1000) - 3300;
  const rows = Array.from({ length: ROWS }, (_, at) => {
    const who = [(start + at / 4).toFixed(3), `C${at}`, `10.0.${at % 7}.${at % 200}`, 1024 + (at % 60_000), "10.0.9.9", 443];
    return [...who, "tcp", "ssl", "1.5", 500 + at, 900, "SF", 6, 740, 7, 1180].join("\t");
  });
  return `${[...head, ...rows].join("\n")}\n`;
}

/** A datagram of NetFlow v5 with records of one conversation, numbered from `sequence`. */
function netflow(sequence: number, records: number): Buffer {
  const datagram = Buffer.alloc(24 + 48 * records);
  datagram.writeUInt16BE(5, 0);
  datagram.writeUInt16BE(records, 2);
  datagram.writeUInt32BE(60_000, 4);
  datagram.writeUInt32BE(Math.floor(Date.now() / 1000), 8);
  datagram.writeUInt32BE(sequence, 16);
  for (let at = 0; at < records; at += 1) {
    const record = datagram.subarray(24 + 48 * at);
    record.writeUInt32BE(0x0a00_0105, 0);
    record.writeUInt32BE(0x0a00_0109, 4);
    record.writeUInt32BE(10, 16);
    record.writeUInt32BE(5000, 20);
    record.writeUInt32BE(30_000 + at, 24);
    record.writeUInt32BE(31_000 + at, 28);
    record.writeUInt16BE(40_000 + sequence + at, 32);
    record.writeUInt16BE(445, 34);
    record.writeUInt8(0x1b, 37);
    record.writeUInt8(6, 38);
  }
  return datagram;
}

describe.skipIf(!browserIsThere())("sources", () => {
  let house: House;
  let lists: Server;
  let browser: Browser;
  let watched: Watched;
  let exports: number;
  let list = "203.0.113.80\n203.0.113.81\n";

  beforeAll(async () => {
    lists = createServer((_, answer) => {
      if (list) answer.setHeader("content-type", "text/plain").end(list);
      else answer.writeHead(503).end();
    });
    await new Promise<void>((open) => lists.listen(0, "127.0.0.1", open));
    const { port } = lists.address() as AddressInfo;
    exports = await freePort();
    const words = ["--config", "%/weir.toml", "--store", "%/store", "--watch", "%/in", "--listen", "127.0.0.1:0"];
    house = new House(["serve", ...words, "--collect", `udp://127.0.0.1:${exports}`], (folder) => {
      mkdirSync(join(folder, "in"));
      const indicators = ["[[indicators]]", 'name = "neighbours"', `url = "http://127.0.0.1:${port}/list.txt"`, "private = true"];
      writeFileSync(join(folder, "weir.toml"), ['inside = ["10.0.0.0/8"]', ...indicators].join("\n"));
      writeFileSync(join(folder, "in/conn.log"), connections());
    });
    browser = await launch();
    watched = await Watched.open(browser, await house.address());
    await watched.go("/");
    await watched.setUp(await house.says(/token .*: (\S+)$/), PASSWORD);
    await watched.page.getByRole("heading", { name: "Getting started" }).waitFor();
    await house.says(/read conn\.log/);
  });
  afterAll(async () => {
    await watched?.close();
    await browser?.close();
    lists?.closeAllConnections();
    lists?.close();
    expect(await house?.end()).toBe(0);
  });

  it("that export are told apart, with what was lost on the way", async () => {
    const { page } = watched;
    const socket = createSocket("udp4");
    const send = (datagram: Buffer) =>
      new Promise<void>((sent) => socket.send(datagram, exports, "127.0.0.1", () => sent()));
    await send(netflow(0, 20));
    // Ten records never come.
    await send(netflow(30, 20));
    await watched.go("/health");
    await page.getByRole("table", { name: "Sources" }).getByRole("link", { name: "127.0.0.1" }).click();
    await page.getByRole("heading", { name: "Exporter 127.0.0.1" }).waitFor();
    const facts = page.getByRole("region", { name: "In short" });
    await facts.getByText(/40 in 2 messages/).waitFor();
    await facts.getByText(/^10 \(20\.0 %\)/).waitFor();
    await facts.getByText("NetFlow v5").waitFor();
    await page.getByText(/methods that are switched on see everything/).waitFor();
    await page.getByRole("table", { name: "Coverage" }).getByRole("link", { name: "ARPSPOOF" }).waitFor();
    for (const theme of THEMES) {
      await page.emulateMedia({ colorScheme: theme });
      await watched.picture(`exporter-${theme}`);
      expect([...(await watched.inaccessible()), ...(await watched.overflows())], theme).toEqual([]);
    }
    await page.emulateMedia({ colorScheme: "light" });
    // Nobody of that address.
    await watched.go("/exporters/192.0.2.7");
    await page.getByText("no exporter of that address has sent anything").waitFor();
    socket.close();
    expect(watched.faults()).toEqual([]);
  });

  it("of indicators are fetched when somebody asks, and stay in force when that fails", async () => {
    const { page } = watched;
    await watched.go("/settings/indicators");
    const table = page.getByRole("table", { name: "Lists of indicators" });
    const line = table.getByRole("row", { name: /neighbours/ });
    await expect.poll(() => line.getByRole("cell").nth(1).innerText(), { timeout: 15_000 }).toMatch(/^2/);
    list += "203.0.113.82\n";
    await line.getByRole("button", { name: "Fetch now" }).click();
    await expect.poll(() => line.getByRole("cell").nth(1).innerText(), { timeout: 15_000 }).toMatch(/^3/);
    list = "";
    await line.getByRole("button", { name: "Fetch now" }).click();
    await line.getByText(/failed once/).waitFor();
    expect(await line.getByRole("cell").nth(1).innerText()).toMatch(/^3/);
    for (const theme of THEMES) {
      await page.emulateMedia({ colorScheme: theme });
      await watched.picture(`settings-indicators-${theme}`);
      expect([...(await watched.inaccessible()), ...(await watched.overflows())], theme).toEqual([]);
    }
    await page.emulateMedia({ colorScheme: "light" });
    expect(watched.faults()).toEqual([]);
  });

  it("fill a long table that scrolls without being felt", async () => {
    const { page } = watched;
    await watched.go("/flows?t=2h&filter=dst%20port%20443");
    const box = page.getByRole("region", { name: "Flow records" });
    await box.locator("tbody tr").nth(5).waitFor();
    // To the end as often as more have come.
    await expect
      .poll(
        async () => {
          await box.evaluate((element) => element.scrollTo(0, element.scrollHeight));
          return page.getByText(/rows are here/).innerText();
        },
        { timeout: 50_000, interval: 200 },
      )
      .toMatch(/^12,000 rows are here\.$/);
    expect(await box.locator("table").getAttribute("aria-rowcount")).toBe(String(ROWS + 1));
    // What is drawn is little, wherever somebody is.
    expect(await box.locator("tbody tr").count()).toBeLessThan(120);
    // Counted in time of the processor, which others on this machine cannot lengthen: what a step of eighty rows costs the
    // page, all its tasks together. That is less than the one task that is felt.
    const session = await page.context().newCDPSession(page);
    await session.send("Performance.enable", { timeDomain: "threadTicks" });
    const spent = async () => {
      const { metrics } = await session.send("Performance.getMetrics");
      return 1000 * (metrics.find(({ name }) => name === "TaskDuration")?.value ?? Number.NaN);
    };
    await box.evaluate((element) => element.scrollTo(0, 0));
    const steps: number[] = [];
    for (let at = 0; at < STEPS; at += 1) {
      const before = await spent();
      await box.evaluate(async (element, steps) => {
        element.scrollBy(0, element.scrollHeight / steps);
        await new Promise((drawn) => requestAnimationFrame(() => requestAnimationFrame(drawn)));
      }, STEPS);
      steps.push((await spent()) - before);
    }
    expect(await box.evaluate((element) => element.scrollTop)).toBeGreaterThan(300_000);
    // The figure is told; what a slow machine makes of it is no fault, steps that cost many times as much are.
    const sorted = steps.toSorted((one, other) => one - other);
    const [middle, most] = [sorted[STEPS >> 1] ?? Number.NaN, sorted.at(-1) ?? Number.NaN];
    console.info(`a step of the table takes ${Math.round(middle)} ms, ${Math.round(most)} at most; aimed at ${TASK_MAX_MS}`);
    expect(middle).toBeLessThan(5 * TASK_MAX_MS);
    expect(watched.faults()).toEqual([]);
  });
});
