// Two customers under one roof: each has its folder of captures, its events and its people.
import { copyFileSync, mkdirSync, renameSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { Browser } from "playwright-core";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { browserIsThere, launch, THEMES, Watched } from "./browser";
import { House, INCIDENT } from "./house";

const PASSWORD = "a long enough password";
const THEN = "since=2020-01-01T00:00:00Z&until=2027-01-01T00:00:00Z";

describe.skipIf(!browserIsThere())("sites", () => {
  let house: House;
  let browser: Browser;
  let address: string;

  beforeAll(async () => {
    const words = ["--config", "%/weir.toml", "--store", "%/store", "--no-collect", "--listen", "127.0.0.1:0"];
    house = new House(["serve", ...words], (folder) => {
      for (const name of ["acme", "beta"]) mkdirSync(join(folder, name));
      const site = (name: string) => `[[sites]]\nname = "${name}"\nwatch = "${name}"\ninside = ["192.168.0.0/16"]\n`;
      writeFileSync(join(folder, "weir.toml"), site("acme") + site("beta"));
    });
    address = await house.address();
    browser = await launch();
  });
  afterAll(async () => {
    await browser?.close();
    expect(await house?.end()).toBe(0);
  });

  it("are looked at one by one", async () => {
    const watched = await Watched.open(browser, address);
    const { page } = watched;
    await watched.go("/");
    await watched.setUp(await house.says(/token .*: (\S+)$/), PASSWORD);
    await page.getByRole("heading", { name: "Getting started" }).waitFor();
    copyFileSync(INCIDENT, join(house.folder, "incident.part"));
    renameSync(join(house.folder, "incident.part"), join(house.folder, "acme/incident.pcap.zst"));
    await house.says(/read incident\.pcap\.zst/);
    await watched.go(`/events?${THEN}`);
    await page.getByText("No event fits").first().waitFor();
    await page.getByRole("combobox", { name: "Site", exact: true }).click();
    await page.getByRole("option", { name: "acme" }).click();
    await page.waitForURL(`**/s/acme/events?**`);
    await page.getByText("195 Samba log-ins").first().waitFor();
    expect(await watched.overflows()).toEqual([]);
    await watched.picture("site-events-light");
    expect(await watched.inaccessible()).toEqual([]);
    // Links inside stay at the site.
    await page.getByRole("link", { name: "Hosts" }).click();
    await page.waitForURL("**/s/acme/hosts?**");
    await watched.go(`/s/beta/events?${THEN}`);
    await page.getByText("No event fits").first().waitFor();
    await watched.go("/s/gamma/");
    await page.getByText("There is no site gamma").waitFor();
    expect(watched.faults()).toEqual([]);
    await watched.close();
  });

  it("have people of their own", async () => {
    const watched = await Watched.open(browser, address);
    const { page } = watched;
    const logIn = async (name: string) => {
      await page.getByLabel("Name").fill(name);
      await page.getByRole("textbox", { name: "Password" }).fill(PASSWORD);
      await page.getByRole("button", { name: "Log in", exact: true }).click();
    };
    await watched.go("/settings/users");
    await logIn("anna");
    await page.getByRole("table", { name: "Users" }).waitFor();
    await page.getByLabel("Name").fill("bo");
    await page.getByRole("textbox", { name: "Password, 12 letters or more" }).fill(PASSWORD);
    await page.getByRole("combobox", { name: "Sites of the new user" }).press("ArrowDown");
    await page.getByRole("option", { name: "beta" }).click();
    await page.keyboard.press("Escape");
    await page.getByRole("button", { name: "Add" }).click();
    await page.getByRole("table", { name: "Users" }).getByText("bo", { exact: true }).waitFor();
    await watched.picture("site-users-light");
    expect(await watched.inaccessible()).toEqual([]);
    await watched.go("/settings/tokens");
    await page.getByLabel("What it is for").fill("reports-acme");
    await page.getByRole("combobox", { name: "Sites of the token" }).press("ArrowDown");
    await page.getByRole("option", { name: "acme" }).click();
    await page.keyboard.press("Escape");
    await page.getByRole("button", { name: "Make" }).click();
    const secret = await page.getByRole("alert").locator("code").innerText();
    await page.getByRole("table", { name: "Tokens" }).getByRole("cell", { name: "acme", exact: true }).waitFor();
    await watched.picture("site-tokens-light");
    expect(await watched.inaccessible()).toEqual([]);
    // The token sees what it was given, and nothing beside it.
    const ask = (site: string) =>
      fetch(`${address}/api/v1/events?site=${site}&${THEN}`, { headers: { authorization: `Bearer ${secret}` } });
    expect([(await ask("acme")).status, (await ask("beta")).status]).toEqual([200, 404]);
    // Inside is what the file says of each site.
    await watched.go("/s/beta/start");
    await page.getByText("the site's own: 192.168.0.0/16").waitFor();
    await page.getByRole("button", { name: "anna" }).click();
    await page.getByRole("menuitem", { name: "Log out" }).click();
    await logIn("bo");
    await page.getByRole("link", { name: "Overview", exact: true }).waitFor();
    await watched.go("/settings");
    const pages = page.getByRole("navigation", { name: "Settings" });
    // What he may see, and who sees the rest.
    const links = await pages.getByRole("link").allInnerTexts();
    expect(links).toEqual(expect.arrayContaining(["False positives", "API tokens", "Your account", "Jobs"]));
    expect(links).not.toContain("Users");
    await pages.getByText(/What belongs to all sites is for those who see all: .*users/).waitFor();
    await watched.picture("site-settings-light");
    expect(await watched.inaccessible()).toEqual([]);
    await watched.go("/settings/users");
    await page.getByText("This page is not for you").waitFor();
    // The only site is meant without being named, and there is nothing to choose.
    expect(await page.getByRole("combobox", { name: "Site", exact: true }).count()).toBe(0);
    await watched.go(`/s/acme/events?${THEN}`);
    await page.getByText("There is no site acme").waitFor();
    await watched.go(`/events?${THEN}`);
    await page.getByText("No event fits").first().waitFor();
    expect(watched.faults()).toEqual([]);
    await watched.close();
  });

  it("look well in both themes", async () => {
    for (const theme of THEMES) {
      const watched = await Watched.open(browser, address, theme);
      await watched.go("/s/acme/");
      await watched.page.getByLabel("Name").fill("anna");
      await watched.page.getByRole("textbox", { name: "Password" }).fill(PASSWORD);
      await watched.page.getByRole("button", { name: "Log in", exact: true }).click();
      await watched.page.getByText("Where to start").waitFor();
      await watched.settled();
      await watched.picture(`site-overview-${theme}`);
      expect(await watched.inaccessible()).toEqual([]);
      expect(watched.faults()).toEqual([]);
      await watched.close();
    }
  });
});
