// Logging in through a real identity provider: there and back in the browser, with the groups that count and those that do not.
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import type { Browser, Page } from "playwright-core";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { browserIsThere, launch, THEMES, Watched } from "./browser";
import { freePort, House } from "./house";
import { CLIENT, IdentityProvider, SECRET } from "./provider";

/** The provider's pages ask for a font there, and get none. */
const FONTS = "https://fonts.googleapis.com";
const PASSWORD = "a long enough password";

describe.skipIf(!browserIsThere())("the identity provider", () => {
  let house: House;
  let provider: IdentityProvider;
  let browser: Browser;
  let address: string;

  beforeAll(async () => {
    const port = await freePort();
    address = `http://127.0.0.1:${port}`;
    provider = await IdentityProvider.open(`${address}/sign-in`);
    const words = ["--config", "%/weir.toml", "--store", "%/store", "--no-collect", "--listen", `127.0.0.1:${port}`];
    house = new House(["serve", ...words], (folder) => {
      writeFileSync(join(folder, "secret"), `${SECRET}\n`);
      const lines = [
        "[serve.oidc]",
        `issuer = "${provider.issuer}"`,
        `client_id = "${CLIENT}"`,
        'client_secret_file = "secret"',
        `url = "${address}"`,
        'name = "The Company"',
        "private = true",
        'roles = {soc = "analyst", heads = "admin"}',
      ];
      writeFileSync(join(folder, "weir.toml"), lines.join("\n"));
    });
    await house.address();
    browser = await launch();
  });
  afterAll(async () => {
    await browser?.close();
    await provider?.close();
    expect(await house?.end()).toBe(0);
  });

  /** Faults, but for pages of the provider, which are meant to be asked for and want a font from elsewhere. */
  const faults = (watched: Watched) =>
    watched.faults().filter((fault) => !fault.includes(provider.issuer) && !fault.includes(FONTS));

  /** The provider's own forms. */
  async function logInThere(page: Page, name: string) {
    await page.route(`${FONTS}/**`, (route) => route.fulfill({ contentType: "text/css", body: "" }));
    await page.getByRole("button", { name: "Log in with The Company" }).click();
    await page.locator("input[name=login]").fill(name);
    await page.locator("input[name=password]").fill("any");
    await page.locator("button[type=submit]").click();
    await page.getByRole("button", { name: /continue/i }).click();
  }

  it("is offered after the first administrator is there", async () => {
    const watched = await Watched.open(browser, address);
    const { page } = watched;
    await watched.go("/");
    const token = await house.says(/token .*: (\S+)$/);
    expect(await page.getByRole("button", { name: "Log in with The Company" }).count()).toBe(0);
    await watched.setUp(token, PASSWORD);
    await page.getByRole("heading", { name: "Getting started" }).waitFor();
    expect(faults(watched)).toEqual([]);
    await watched.close();
    for (const theme of THEMES) {
      const seen = await Watched.open(browser, address, theme);
      await seen.go("/");
      await seen.page.getByRole("button", { name: "Log in with The Company" }).waitFor();
      await seen.picture(`log-in-provider-${theme}`);
      if (theme === "light") await seen.guide("log-in-provider");
      expect(await seen.inaccessible()).toEqual([]);
      expect(faults(seen)).toEqual([]);
      await seen.close();
    }
  });

  it("lets in who is in a group, back to what was looked at", async () => {
    const watched = await Watched.open(browser, address);
    const { page } = watched;
    await watched.go("/hosts?since=now-7d");
    await logInThere(page, "kim");
    await page.getByRole("link", { name: "Hosts" }).waitFor();
    expect(new URL(page.url()).pathname + new URL(page.url()).search).toBe("/hosts?since=now-7d");
    await watched.go("/settings/account");
    await page.getByText("kept by the identity provider").waitFor();
    // The address that brought the code is worth nothing any more, and leads nowhere odd.
    await watched.go("/sign-in?code=used&state=used");
    await page.getByText("Where to start").waitFor();
    expect(faults(watched)).toEqual([]);
    await watched.close();
  });

  it("does not let in who is in none, and says so", async () => {
    const watched = await Watched.open(browser, address);
    const { page } = watched;
    await watched.go("/");
    await logInThere(page, "lou");
    await page.getByText(/no group of lou gives a role here/).waitFor();
    expect(new URL(page.url()).search).toBe("");
    await watched.picture("log-in-refused-light");
    expect(await watched.inaccessible()).toEqual([]);
    expect(faults(watched)).toEqual([]);
    await watched.close();
  });

  it("may refuse by itself", async () => {
    const watched = await Watched.open(browser, address);
    await watched.go("/sign-in?error=access_denied&error_description=not+<b>today</b>&state=x");
    await watched.page.getByText("not <b>today</b>").waitFor();
    expect(faults(watched)).toEqual([]);
    await watched.close();
  });
});
