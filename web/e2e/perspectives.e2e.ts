// A perspective is made, tried while it is written, looked through, linked to, carried into a file and taken away.
import { copyFileSync, mkdirSync, readFileSync, renameSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { Browser } from "playwright-core";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { browserIsThere, launch, THEMES, Watched } from "./browser";
import { House, INCIDENT } from "./house";

const PASSWORD = "a long enough password";
const THEN = "since=2020-01-01T00:00:00Z&until=2027-01-01T00:00:00Z";

describe.skipIf(!browserIsThere())("perspectives", () => {
  let house: House;
  let browser: Browser;
  let address: string;
  let watched: Watched;

  beforeAll(async () => {
    const words = ["--config", "%/weir.toml", "--store", "%/store", "--watch", "%/captures", "--no-collect"];
    house = new House(["serve", ...words, "--listen", "127.0.0.1:0"], (folder) => {
      mkdirSync(join(folder, "captures"));
      writeFileSync(join(folder, "weir.toml"), 'inside = ["192.168.0.0/16"]\n[lists]\nservers = ["192.168.0.252"]\n');
    });
    address = await house.address();
    browser = await launch();
    const first = await Watched.open(browser, address);
    await first.go("/");
    await first.setUp(await house.says(/token .*: (\S+)$/), PASSWORD);
    await first.page.getByRole("heading", { name: "Getting started" }).waitFor();
    await first.close();
    copyFileSync(INCIDENT, join(house.folder, "incident.part"));
    renameSync(join(house.folder, "incident.part"), join(house.folder, "captures/incident.pcap.zst"));
    await house.says(/read incident\.pcap\.zst/);
  });
  afterAll(async () => {
    await browser?.close();
    expect(await house?.end()).toBe(0);
  });
  beforeEach(async () => {
    watched = await Watched.open(browser, address);
    await open(watched, `/settings/perspectives?${THEN}`);
  });
  afterEach(async () => {
    expect(watched.faults()).toEqual([]);
    await watched.close();
  });

  async function open({ page }: Watched, path: string) {
    await page.goto(address + path);
    await page.getByLabel("Name").fill("anna");
    await page.getByRole("textbox", { name: "Password" }).fill(PASSWORD);
    await page.getByRole("button", { name: "Log in", exact: true }).click();
    await page.getByRole("link", { name: "Overview" }).waitFor();
  }

  /** Chooses an option of a list. */
  async function choose(box: string, option: string | RegExp) {
    await watched.page.getByRole("combobox", { name: box, exact: true }).click();
    await watched.page.getByRole("option", { name: option }).click();
  }

  it("are tried while they are written", async () => {
    const { page } = watched;
    await page.getByRole("button", { name: "New perspective" }).click();
    await page.getByLabel("Name").fill("servers");
    await page.getByLabel("Title").fill("Servers <b>only</b>");
    const tally = page.getByRole("table", { name: "What it makes of events" });
    await tally.getByRole("row", { name: "hidden 0 –" }).waitFor();
    await choose("All other events", "hidden");
    await tally.getByRole("row", { name: "hidden 3 –" }).waitFor();
    await page.getByRole("button", { name: "Add a rule" }).click();
    const rule = page.getByRole("group", { name: "Rule 1" });
    await rule.getByText("Fits 3 events, decides about 3.").waitFor();
    await choose("Is", /critical/);
    await rule.getByRole("textbox", { name: "One of the targets" }).fill("ip in @servrs");
    await rule.getByRole("alert").filter({ hasText: "servrs" }).waitFor();
    expect(await page.getByRole("button", { name: "Keep" }).isDisabled()).toBe(true);
    await rule.getByRole("textbox", { name: "One of the targets" }).fill("ip in @servers and port 445");
    await tally.getByRole("row", { name: /^critical 1 0$/ }).waitFor();
    await page.getByRole("button", { name: "Add a rule" }).click();
    await page.getByRole("group", { name: "Rule 2" }).getByRole("combobox", { name: "What these methods found" }).fill("UPLO");
    await page.getByRole("option", { name: /^UPLOAD:/ }).click();
    await page.keyboard.press("Escape");
    await page.getByRole("group", { name: "Rule 2" }).getByText("Fits 1 event, decides about 1.").waitFor();
    await tally.getByRole("row", { name: "hidden 1 –" }).waitFor();
    await watched.settled();
    await watched.picture("perspective-light");
    expect([...(await watched.inaccessible()), ...(await watched.overflows())]).toEqual([]);
    await page.getByRole("button", { name: "Keep" }).click();
    await page.getByRole("table", { name: "Perspectives" }).getByText("2 rules").waitFor();
  });

  it("change what is seen, for who chose them", async () => {
    const { page } = watched;
    await watched.go(`/events?${THEN}`);
    await page.getByText("3 events", { exact: true }).waitFor();
    await choose("Perspective", "Servers <b>only</b>");
    await page.getByText("2 events", { exact: true }).waitFor();
    expect(await page.getByRole("table").getByText("critical").count()).toBe(1);
    expect(new URL(page.url()).searchParams.get("perspective")).toBe("servers");
    await watched.picture("perspective-events-light");
    // The next screen, and the next visit, are seen so too; a link says it.
    await page.getByRole("link", { name: "Overview" }).click();
    await page.getByRole("button", { name: /^critical 1/ }).waitFor();
    await page.waitForURL(/perspective=servers/);
    await page.getByRole("table").getByRole("button", { name: "DICTATTACK" }).first().click();
    await page.getByRole("heading", { name: "Dictionary attack" }).waitFor();
    expect(await page.locator(".priority").getByText("critical").count()).toBeGreaterThan(0);
    await watched.go(`/events?${THEN}`);
    await page.waitForURL(/perspective=servers/);
    await page.getByText("2 events", { exact: true }).waitFor();
    // Somebody else's link shows what they saw and chooses nothing.
    await watched.go(`/events?${THEN}&perspective=security`);
    await page.getByText("3 events", { exact: true }).waitFor();
    await watched.go(`/events?${THEN}`);
    await page.getByText("2 events", { exact: true }).waitFor();
  });

  it("are carried in a file, and go", async () => {
    const { page } = watched;
    const table = page.getByRole("table", { name: "Perspectives" });
    await table.getByText("your choice").waitFor();
    const [file] = await Promise.all([
      page.waitForEvent("download"),
      page.getByRole("button", { name: "Export all" }).click(),
    ]);
    const path = join(house.folder, "perspectives.json");
    await file.saveAs(path);
    expect(JSON.parse(readFileSync(path, "utf8")).perspectives[0].title).toBe("Servers <b>only</b>");
    await page.getByRole("button", { name: "Remove servers" }).click();
    await table.getByText("2 rules").waitFor({ state: "detached" });
    // Nobody looks through what is gone.
    await page.getByRole("link", { name: "Events" }).click();
    await page.getByText("3 events", { exact: true }).waitFor();
    await page.getByRole("link", { name: "Settings" }).click();
    await page.getByRole("link", { name: "Perspectives" }).click();
    await page.locator("input[type=file]").setInputFiles(path);
    await page.getByText("1 perspective kept.").waitFor();
    await table.getByText("2 rules").waitFor();
    writeFileSync(path, "{");
    await page.locator("input[type=file]").setInputFiles(path);
    await page.getByText("no export of perspectives").waitFor();
  });

  it("look well in both themes", async () => {
    for (const theme of THEMES) {
      const other = await Watched.open(browser, address, theme);
      await open(other, `/settings/perspectives?${THEN}`);
      await other.settled();
      await other.picture(`settings-perspectives-${theme}`);
      await other.page.getByRole("button", { name: "Change" }).click();
      await other.page.getByText(/decides about 1/).first().waitFor();
      await other.settled();
      await other.picture(`perspective-${theme}`);
      expect([...(await other.inaccessible()), ...(await other.overflows()), ...other.faults()]).toEqual([]);
      await other.close();
    }
  });
});
