import { describe, expect, it } from "vitest";
import { grouped, REST, stacked, wordOf } from "./grouped";
import { ticks } from "./ticks";

const columns = ["time", "app", "flows", "packets", "bytes", "rest"].map((name) => ({ name, kind: "number" }));
const rows = [
  ["2026-01-01T00:00:00Z", "dns", 2, 4, 100, false],
  ["2026-01-01T00:00:00Z", null, 1, 1, 900, false],
  ["2026-01-01T00:00:00Z", null, 5, 5, 5000, true],
  ["2026-01-01T00:01:00Z", "dns", 1, 2, 300, false],
];
const table = { columns, rows, groups: 2 } as unknown as Parameters<typeof grouped>[0];

describe("groups over time", () => {
  it("are told apart from each other and from what is left over", () => {
    const told = grouped(table).map((group) => [wordOf(group), group.bytes, group.bytesHighest, group.flows]);
    expect(told).toEqual([
      ["", 900, 900, 1],
      ["dns", 400, 300, 3],
      [REST, 5000, 5000, 5],
    ]);
  });

  it("stand on one another in the order that is given", () => {
    expect(stacked(table, "bytes", ["dns", REST]).map(({ values }) => values)).toEqual([
      [100, 5000],
      [300, 0],
    ]);
  });
});

describe("the axis", () => {
  it("has few, round moments, and dates where days begin", () => {
    const from = Date.parse("2026-01-01T00:52:00Z");
    expect(ticks(from, from + 3_600_000).map(({ text }) => text)).toEqual(["01:00", "01:10", "01:20", "01:30", "01:40", "01:50"]);
    const week = ticks(from, from + 7 * 86_400_000).map(({ text }) => text);
    expect(week).toEqual(["01-02", "01-03", "01-04", "01-05", "01-06", "01-07"]);
    for (const length of [1, 1000, 86_400_000 * 4000]) expect(ticks(from, from + length).length).toBeLessThan(12);
  });
});
