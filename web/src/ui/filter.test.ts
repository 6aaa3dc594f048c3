import { describe, expect, it } from "vitest";
import { condition, narrowed } from "./filter";
import { histogram } from "./histogram";
import { asText } from "./save";

describe("conditions", () => {
  it("say values in the filter language", () => {
    expect(condition("src ip", "10.0.0.5")).toBe("src ip 10.0.0.5");
    expect(condition("src_inside", true)).toBe("src_inside yes");
    expect(condition("history", "ShADad Ff")).toBe('history = "ShADad Ff"');
    expect(condition("app", 'a"b')).toBe("app = 'a\"b'");
    expect(condition("app", `a"b'c`)).toBeUndefined();
  });

  it("go into a filter without changing its meaning", () => {
    expect(narrowed(undefined, "proto tcp", "include")).toBe("proto tcp");
    expect(narrowed("bytes > 1M", "proto tcp", "include")).toBe("bytes > 1M and proto tcp");
    expect(narrowed("port 80 or port 443", "proto tcp", "include")).toBe("(port 80 or port 443) and proto tcp");
    expect(narrowed("port 80", "src ip 10.0.0.5", "exclude")).toBe("port 80 and not (src ip 10.0.0.5)");
    expect(narrowed("port 80", "proto tcp", "only")).toBe("proto tcp");
  });
});

describe("histograms", () => {
  it("have one class for each of few values, and twenty of equal width for many", () => {
    const ones = [1, 1, 1];
    expect(histogram([5, 7, 5], ones, String)).toEqual([
      { label: "5", value: 2 },
      { label: "7", value: 1 },
    ]);
    const many = Array.from({ length: 100 }, (_, at) => at);
    const classes = histogram(many, many, String);
    expect(classes.length).toBe(20);
    expect(classes.reduce((sum, { value }) => sum + value, 0)).toBe(4950);
    expect(histogram([], [], String)).toEqual([]);
  });
});

it("sets text in columns", () => {
  expect(asText(["a", "long"], [["12345", "x"]])).toBe("a      long\n12345  x\n");
});
