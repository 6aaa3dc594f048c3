// A real identity provider for the tests (npm: oidc-provider), on loopback, with the people of one company. Whoever knows a
// name is let in: what is tested is how Weir listens to it.
import { createServer, type Server } from "node:http";
import Provider from "oidc-provider";
import { freePort } from "./house";

export const CLIENT = "weir";
export const SECRET = "a secret of the tests";

/** People by name, with their groups. */
const PEOPLE: Record<string, string[]> = { kim: ["staff", "soc"], lou: ["staff"] };

export class IdentityProvider {
  readonly issuer: string;
  private readonly server: Server;

  private constructor(issuer: string, server: Server) {
    this.issuer = issuer;
    this.server = server;
  }

  /** Opens one that sends browsers back to `redirect`. */
  static async open(redirect: string): Promise<IdentityProvider> {
    const port = await freePort();
    const issuer = `http://127.0.0.1:${port}`;
    // What it says of its keys and its form being for development is true, and meant.
    const { info, warn } = console;
    console.info = console.warn = () => {};
    const provider = new Provider(issuer, {
      clients: [{ client_id: CLIENT, client_secret: SECRET, redirect_uris: [redirect] }],
      claims: { openid: ["sub"], profile: ["preferred_username", "groups"] },
      ttl: { Interaction: 600, Session: 600, Grant: 600, AccessToken: 600, IdToken: 600 },
      pkce: { required: () => true },
      findAccount: (_, id) => ({
        accountId: id,
        claims: async () => ({ sub: `person-${id}`, preferred_username: id, groups: PEOPLE[id] ?? [] }),
      }),
    });
    const server = createServer(provider.callback());
    await new Promise<void>((open) => server.listen(port, "127.0.0.1", open));
    Object.assign(console, { info, warn });
    return new IdentityProvider(issuer, server);
  }

  async close() {
    this.server.closeAllConnections();
    await new Promise((closed) => this.server.close(closed));
  }
}
