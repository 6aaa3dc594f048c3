// The real program for a test: started on a free port of loopback with its own folder, ended with SIGTERM.
import { type ChildProcess, spawn } from "node:child_process";
import { existsSync, mkdtempSync, rmSync } from "node:fs";
import { type AddressInfo, createServer } from "node:net";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";

const ROOT = resolve(import.meta.dirname, "../..");
const TARGET = resolve(ROOT, process.env.CARGO_TARGET_DIR ?? "target");
const PROGRAM = process.env.WEIR ?? join(TARGET, "debug/weir");
export const INCIDENT = join(ROOT, "captures/incident/incident.pcap.zst");
/** Where pictures of the screens go. */
export const SCREENS = process.env.WEIR_SCREENS ?? join(TARGET, "screens");

/** Pictures of the guide. */
export const PICTURES = join(ROOT, "docs/guide/pictures");

/** How long the program may take until it says what a test waits for. */
const SAYS_MS = 60_000;
const STOPS_MS = 15_000;

/** A port that is free now. */
export async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((open) => server.listen(0, "127.0.0.1", open));
  const { port } = server.address() as AddressInfo;
  await new Promise((closed) => server.close(closed));
  return port;
}

export class House {
  readonly folder = mkdtempSync(join(tmpdir(), "weir-e2e-"));
  readonly lines: string[] = [];
  private readonly child: ChildProcess;

  /** `words` follow the program's name; `%` in them is the folder of this house, which `prepare` fills before. */
  constructor(words: string[], prepare?: (folder: string) => void) {
    if (!existsSync(PROGRAM)) throw new Error(`${PROGRAM} is missing: cargo build --package weir`);
    prepare?.(this.folder);
    const given = words.map((word) => word.replace("%", this.folder));
    this.child = spawn(PROGRAM, given, { stdio: ["ignore", "ignore", "pipe"], cwd: this.folder });
    let rest = "";
    this.child.stderr?.setEncoding("utf8").on("data", (text: string) => {
      const lines = (rest + text).split("\n");
      rest = lines.pop() ?? "";
      this.lines.push(...lines);
    });
  }

  /** Waits for a line and gives its first group. */
  async says(pattern: RegExp): Promise<string> {
    const until = Date.now() + SAYS_MS;
    while (Date.now() < until) {
      const found = this.lines.map((line) => pattern.exec(line)).find(Boolean);
      if (found) return found[1] ?? found[0];
      if (this.child.exitCode !== null) break;
      await new Promise((wake) => setTimeout(wake, 50));
    }
    throw new Error(`the program did not say ${pattern}:\n${this.lines.join("\n")}`);
  }

  /** Address of the interface, without the slash at its end. */
  address(): Promise<string> {
    return this.says(/open (http:\/\/[^/]+)\//);
  }

  signal(name: NodeJS.Signals) {
    this.child.kill(name);
  }

  /** Ends the program and gives its exit code; its folder goes too. */
  async end(): Promise<number | null> {
    const ended = new Promise<void>((done) => this.child.once("exit", () => done()));
    if (this.child.exitCode === null) {
      this.child.kill("SIGTERM");
      const late = setTimeout(() => this.child.kill("SIGKILL"), STOPS_MS);
      await ended;
      clearTimeout(late);
    }
    rmSync(this.folder, { recursive: true, force: true });
    return this.child.exitCode;
  }
}
