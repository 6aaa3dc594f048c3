import { describe, expect, it } from "vitest";
import { asQuery, readRange } from "../app/range";
import { asCsv } from "./csv";
import { bits, bytes, change, duration } from "./format";
import { shown } from "./safe";

describe("what attackers write", () => {
  it("shows control, zero-width and bidi characters", () => {
    expect(shown("a\u202egpj.exe")).toBe("a\\u{202e}gpj.exe");
    expect(shown("x\u0000\u200b\n")).toBe("x\\u{0}\\u{200b}\\u{a}");
    expect(shown("<script>alert(1)</script> žluť 漢字")).toBe("<script>alert(1)</script> žluť 漢字");
  });

  it("cannot make a spreadsheet calculate", () => {
    expect(asCsv([{ a: "=1+1", b: 'say "hi"' }, { b: -5 }])).toBe(
      '"a","b"\r\n"\'=1+1","say ""hi"""\r\n"","\'-5"',
    );
  });
});

describe("numbers", () => {
  it("have their unit", () => {
    expect([bytes(0), bytes(1023), bytes(1536), bytes(62 * 1024 * 1024)]).toEqual([
      "0 B",
      "1023 B",
      "1.50 KiB",
      "62.0 MiB",
    ]);
    expect([bits(999), bits(1_500_000)]).toEqual(["999 bit/s", "1.50 Mbit/s"]);
    expect([duration(59), duration(3_725), duration(90_000)]).toEqual(["59 s", "1 h 2 min", "1 d 1 h"]);
    expect([change(3, 3), change(5, 3), change(0, 2)]).toEqual([
      "as before",
      "2 more than before",
      "2 fewer than before",
    ]);
  });
});

describe("the window of time in an address", () => {
  it("is read when it is understood", () => {
    expect(readRange({ t: "6h" })).toEqual({ t: "6h" });
    expect(readRange({ since: "2026-11-22T03:00:00Z", until: "now" })).toEqual({
      since: "2026-11-22T03:00:00Z",
      until: "now",
    });
  });

  it("is left out when it is not", () => {
    for (const search of [{}, { t: "6" }, { t: "x" }, { since: "yesterday" }, { t: 6 }]) {
      expect(readRange(search)).toEqual({});
    }
    expect(asQuery({})).toEqual({ since: "now-24h" });
  });
});
