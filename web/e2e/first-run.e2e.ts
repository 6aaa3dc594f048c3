// A server's first day: the administrator is made, a capture comes to lie in the watched folder, the configuration is read
// again while somebody looks, and the log-in that follows a log-out works.
import { createHmac } from "node:crypto";
import { copyFileSync, mkdirSync, readFileSync, renameSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { Browser } from "playwright-core";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { browserIsThere, launch, THEMES, Watched } from "./browser";
import { House, INCIDENT } from "./house";

const PASSWORD = "a long enough password";

/** What an authenticator with this secret (base 32) shows now (RFC 6238). */
function codeOf(secret: string): string {
  const letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";
  const bits = [...secret].map((letter) => letters.indexOf(letter).toString(2).padStart(5, "0")).join("");
  const key = Buffer.from((bits.match(/.{8}/g) ?? []).map((byte) => Number.parseInt(byte, 2)));
  const step = Buffer.alloc(8);
  step.writeBigUInt64BE(BigInt(Math.floor(Date.now() / 30_000)));
  const hash = createHmac("sha1", key).update(step).digest();
  const word = hash.readUInt32BE((hash[19] ?? 0) & 15) & 0x7fffffff;
  return String(word % 1_000_000).padStart(6, "0");
}

/** A log of Zeek: three hosts of the last minutes ask one for names. */
function names(): string {
  const fields = ["ts", "uid", "id.orig_h", "id.orig_p", "id.resp_h", "id.resp_p", "proto", "service", "duration"];
  const numbers = ["orig_bytes", "resp_bytes", "conn_state", "orig_pkts", "orig_ip_bytes", "resp_pkts", "resp_ip_bytes"];
  const head = ["#separator \\x09", "#path\tconn", ["#fields", ...fields, ...numbers].join("\t")];
  const start = Math.floor(Date.now() / 1000) - 300;
  const rows = Array.from({ length: 30 }, (_, at) => {
    const who = [start + at, `N${at}`, `192.168.0.${21 + (at % 3)}`, 40_000 + at, "192.168.0.1", 53, "udp", "dns"];
    return [...who, "0.1", 40, 90, "SF", 1, 68, 1, 118].join("\t");
  });
  return `${[...head, ...rows].join("\n")}\n`;
}

describe.skipIf(!browserIsThere())("the first run", () => {
  let house: House;
  let browser: Browser;
  let watched: Watched;

  beforeAll(async () => {
    const words = ["--config", "%/weir.toml", "--store", "%/store", "--watch", "%/in", "--no-collect"];
    house = new House(["serve", ...words, "--listen", "127.0.0.1:0"], (folder) => {
      mkdirSync(join(folder, "in"));
      writeFileSync(join(folder, "weir.toml"), 'inside = ["192.168.0.0/16"]\n');
    });
    browser = await launch();
    watched = await Watched.open(browser, await house.address());
  });
  afterAll(async () => {
    await watched?.close();
    await browser?.close();
    expect(await house?.end()).toBe(0);
  });

  it("makes the administrator with the token that was printed", async () => {
    const { page } = watched;
    await watched.go("/");
    const token = await house.says(/token .*: (\S+)$/);
    await watched.setUp(token, "short");
    await page.getByRole("alert").waitFor();
    await watched.picture("first-run-light");
    expect(await watched.inaccessible()).toEqual([]);
    await watched.setUp(token, PASSWORD);
    await page.getByRole("heading", { name: "Getting started" }).waitFor();
    await page.getByText("there is no source yet").waitFor();
    await page.getByText("How to send flows here").click();
    await page.getByText(/export-protocol ipfix/).waitFor();
    await watched.go("/");
    await page.getByText("Where to start").waitFor();
    await page.getByText("there is no source yet").waitFor();
    expect(watched.faults()).toEqual([]);
  });

  it("shows a capture that comes, and where in time it is", async () => {
    const { page } = watched;
    // Whole at once, as a recorder would hand it over.
    copyFileSync(INCIDENT, join(house.folder, "incident.part"));
    renameSync(join(house.folder, "incident.part"), join(house.folder, "in/incident.pcap.zst"));
    await house.says(/read incident\.pcap\.zst/);
    await watched.go("/?since=2020-01-01T00:00:00Z&until=2020-01-02T00:00:00Z");
    await page.getByRole("button", { name: "Show that" }).click();
    await page.getByText("195 Samba log-ins").waitFor();
    await watched.go("/health");
    await page.getByRole("table", { name: "Sources" }).getByText("incident.pcap.zst").waitFor();
    expect(watched.faults()).toEqual([]);
  });

  it("reads the configuration again while somebody works", async () => {
    const { page } = watched;
    writeFileSync(join(house.folder, "weir.toml"), 'inside = ["192.168.0.0/16"]\n[methods.scans]\nports_min = 40\n');
    house.signal("SIGHUP");
    await house.says(/configuration read again: applied methods/);
    await page.getByText(/methods/).first().waitFor();
    writeFileSync(join(house.folder, "weir.toml"), "insidee = []\n");
    house.signal("SIGHUP");
    await house.says(/configuration refused.*insidee/);
    await watched.go("/health");
    await page.getByText(/insidee/).waitFor();
    expect(watched.faults()).toEqual([]);
  });

  it("is led through the first day", async () => {
    const { page } = watched;
    writeFileSync(join(house.folder, "weir.toml"), "");
    await watched.go("/settings/configuration");
    await page.getByRole("button", { name: "Read the file again" }).click();
    await page.getByText(/In force: /).waitFor();
    await watched.go("/start");
    const list = page.locator(".checklist");
    await list.getByText(/guessed from the traffic/).waitFor();
    // What is proposed counts from now, and the capture is older.
    await page.getByLabel("Others that are inside").fill("192.168.0.0/16");
    for (const theme of THEMES) {
      await page.emulateMedia({ colorScheme: theme });
      await watched.picture(`start-${theme}`);
    }
    await page.emulateMedia({ colorScheme: "light" });
    expect([...(await watched.inaccessible()), ...(await watched.overflows())]).toEqual([]);
    await page.getByRole("button", { name: "Confirm", exact: true }).click();
    await list.getByText("confirmed").waitFor();
    await page.getByRole("button", { name: "Try all over the last hour" }).click();
    await page.getByText(/events of the span: quiet 0, balanced 0, everything 0/).waitFor();
    await page.getByRole("radio", { name: "Quiet" }).check();
    await page.getByRole("button", { name: "Choose" }).click();
    await list.getByText("chosen").waitFor();
    await watched.go("/health");
    await page.getByRole("region", { name: "Checklist" }).getByText("chosen").waitFor();
    expect(watched.faults()).toEqual([]);
  });

  it("proposes servers, and tells methods of those that are confirmed", async () => {
    const { page } = watched;
    // As a log of today, since what is proposed counts from now.
    writeFileSync(join(house.folder, "names.part"), names());
    renameSync(join(house.folder, "names.part"), join(house.folder, "in/conn.log"));
    await house.says(/read conn\.log/);
    await watched.go("/start");
    const servers = page.getByRole("region", { name: "3. Servers" });
    const asked = servers.getByRole("checkbox", { name: /^192\.168\.0\.1: [0-9] clients/ });
    await asked.first().check();
    await servers.getByRole("button", { name: "Confirm these servers" }).click();
    await servers.getByText(/192\.168\.0\.1: .*, confirmed/).waitFor();
    await watched.picture("start-servers-light");
    expect([...(await watched.inaccessible()), ...(await watched.overflows())]).toEqual([]);
    await watched.go("/settings/methods");
    await page.getByLabel("Method", { exact: true }).first().click();
    await page.getByRole("option", { name: /^DNSANOMALY/ }).click();
    const set = page.getByRole("textbox", { name: "dns_servers", exact: true });
    await expect.poll(() => set.inputValue()).toContain("192.168.0.1/32");
    await page.getByRole("button", { name: "Back to the operator's file" }).click();
    await page.getByText("changed here").waitFor({ state: "hidden" });
    expect(watched.faults()).toEqual([]);
  });

  it("keeps a pattern of one's own after a trial", async () => {
    const { page } = watched;
    await watched.go("/settings/patterns?since=2020-01-01T00:00:00Z");
    await page.getByRole("button", { name: "New pattern" }).click();
    await page.getByLabel("Name").fill("Guessing");
    await page.getByLabel("Title").fill("Many tries at file sharing");
    const text = page.getByRole("textbox", { name: "Pattern" });
    await text.fill("where dst prt 445");
    await page.getByText(/expected|unknown|did you mean/).first().waitFor();
    expect(await page.getByRole("button", { name: "Keep" }).isDisabled()).toBe(true);
    await text.fill("where dst port 445 having count > 50 per src ip within 5m");
    await page.getByRole("button", { name: "Try it over the window of time" }).click();
    await page.getByText(/^[1-9][0-9]* events?, .* records fit\.$/).waitFor();
    await page.getByRole("table", { name: "Sources of the trial" }).getByText("192.168.0.33").waitFor();
    await watched.picture("settings-patterns-light");
    expect([...(await watched.inaccessible()), ...(await watched.overflows())]).toEqual([]);
    await page.getByRole("button", { name: "Keep" }).click();
    const patterns = page.getByRole("table", { name: "Patterns" });
    await patterns.getByText("USER_Guessing").waitFor();
    await patterns.getByRole("button", { name: "Remove" }).click();
    await patterns.getByText("USER_Guessing").waitFor({ state: "hidden" });
    expect(watched.faults()).toEqual([]);
  });

  it("exports whole answers, and lists what was done", async () => {
    const { page } = watched;
    await watched.go("/flows?since=2020-01-01T00:00:00Z&filter=dst%20port%20445");
    await page.getByRole("button", { name: "Export" }).click();
    await page.getByRole("menuitem", { name: "All as CSV" }).click();
    const link = page.getByRole("link", { name: /Save weir-flows\.csv/ });
    const [file] = await Promise.all([page.waitForEvent("download"), link.click()]);
    const lines = readFileSync(await file.path(), "utf8").trim().split("\n");
    expect(lines.length).toBeGreaterThan(195);
    await watched.go("/events?since=2020-01-01T00:00:00Z");
    await page.getByRole("button", { name: "Export" }).click();
    await page.getByRole("menuitem", { name: /evidence as JSON lines/ }).click();
    const events = page.getByRole("link", { name: /Save weir-events\.ndjson/ });
    const [told] = await Promise.all([page.waitForEvent("download"), events.click()]);
    const first = JSON.parse(readFileSync(await told.path(), "utf8").split("\n")[0] ?? "");
    expect(first.evidence.flows.length).toBeGreaterThan(0);
    await watched.go("/settings/jobs");
    const jobs = page.getByRole("table", { name: "Jobs" });
    await jobs.getByText("flow export").waitFor();
    await watched.picture("settings-jobs-light");
    expect([...(await watched.inaccessible()), ...(await watched.overflows())]).toEqual([]);
    await jobs.getByRole("button", { name: "Forget" }).first().click();
    expect(watched.faults()).toEqual([]);
  });

  it("manages users and tokens, and keeps an account of it", async () => {
    const { page } = watched;
    await watched.go("/settings/users");
    await page.getByLabel("Name").fill("ben");
    await page.getByRole("textbox", { name: /Password/ }).fill(PASSWORD);
    await page.getByRole("button", { name: "Add" }).click();
    const users = page.getByRole("table", { name: "Users" });
    await users.getByText("ben").waitFor();
    await users.getByRole("button", { name: "Remove" }).click();
    await users.getByText("ben").waitFor({ state: "hidden" });
    await watched.go("/settings/tokens");
    await page.getByLabel("What it is for").fill("reports");
    await page.getByRole("button", { name: "Make" }).click();
    await page.getByText("Shown this once").waitFor();
    await page.getByRole("table", { name: "Tokens" }).getByRole("button", { name: "Remove" }).click();
    await page.getByText("No tokens").waitFor();
    await watched.go("/settings/audit");
    await page.getByText(/entries follow from one another/).waitFor();
    expect(await page.getByRole("table", { name: "Audit trail" }).getByText("ben").count()).toBeGreaterThan(0);
    await watched.picture("settings-audit-light");
    expect([...(await watched.inaccessible()), ...watched.faults()]).toEqual([]);
  });

  it("changes settings over the operator's file, and takes them back", async () => {
    const { page } = watched;
    writeFileSync(join(house.folder, "weir.toml"), 'inside = ["192.168.0.0/16"]\n');
    await watched.go("/settings/configuration");
    await page.getByRole("button", { name: "Read the file again" }).click();
    await page.getByText("192.168.0.0/16").first().waitFor();
    await watched.picture("settings-configuration-light");
    await watched.go("/settings/methods");
    await page.getByLabel("Method", { exact: true }).first().click();
    await page.getByRole("option", { name: /^DICTATTACK/ }).click();
    await page.getByRole("textbox", { name: "attempts_min", exact: true }).fill("30");
    await page.getByRole("button", { name: "Change" }).click();
    await page.getByText(/In force: .*dictattack|In force: methods/).waitFor();
    await page.getByText("changed here").first().waitFor();
    await watched.picture("settings-methods-light");
    await page.getByRole("textbox", { name: "attempts_min", exact: true }).fill("1");
    await page.getByRole("button", { name: "Change" }).click();
    await page.getByRole("alert").getByText(/attempts_min/).first().waitFor();
    await page.getByRole("button", { name: "Back to the operator's file" }).click();
    await page.getByText("changed here").waitFor({ state: "hidden" });
    expect([...(await watched.inaccessible()), ...watched.faults()]).toEqual([]);
  });

  it("sets a second factor up, and takes it off", async () => {
    const { page } = watched;
    await page.getByRole("button", { name: "anna" }).click();
    await page.getByRole("menuitem", { name: "Your account" }).click();
    await page.getByLabel("Your password").first().fill(PASSWORD);
    await page.getByRole("button", { name: "Set it up" }).click();
    await page.getByRole("img", { name: "Code for the authenticator" }).waitFor();
    const secret = await page.locator("code").first().innerText();
    expect([...(await watched.inaccessible()), ...(await watched.overflows())]).toEqual([]);
    await page.getByLabel("Code it shows now").fill(codeOf(secret));
    await page.getByRole("button", { name: "Confirm", exact: true }).click();
    await page.getByText("From now on log-ins ask for a code").waitFor();
    await page.getByRole("button", { name: "They are safe" }).click();
    await page.getByText("It is on: log-ins ask for a code.").waitFor();
    await page.getByLabel("Your password").first().fill(PASSWORD);
    await page.getByRole("button", { name: "Take it off" }).click();
    await page.getByRole("button", { name: "Set it up" }).waitFor();
    expect(watched.faults()).toEqual([]);
  });

  it("lets in again who logged out, and nobody else", async () => {
    const { page } = watched;
    await page.getByRole("button", { name: "anna" }).click();
    await page.getByRole("menuitem", { name: "Log out" }).click();
    await page.getByRole("heading", { name: "Log in to Weir" }).waitFor();
    await page.getByLabel("Name").fill("anna");
    await page.getByRole("textbox", { name: "Password" }).fill("not the password");
    await page.getByRole("button", { name: "Log in" }).click();
    await page.getByRole("alert").waitFor();
    await page.getByRole("textbox", { name: "Password" }).fill(PASSWORD);
    await page.getByRole("button", { name: "Log in" }).click();
    await page.getByRole("button", { name: "anna" }).waitFor();
    expect(watched.faults()).toEqual([]);
  });
});
