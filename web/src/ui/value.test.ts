import { expect, it } from "vitest";
import { readAs, written } from "./value";

it("writes values as people type them, and reads them back as what they were", () => {
  expect(written([445, 139])).toBe("445, 139");
  expect([written(null), written(false), written({ file: "a" })]).toEqual(["", "false", '{"file":"a"}']);
  expect(readAs([445], "445, 80")).toEqual([445, 80]);
  expect(readAs([], "10.0.0.0/8,")).toEqual(["10.0.0.0/8"]);
  expect(readAs(20, " 40 ")).toBe(40);
  expect(readAs(20, "many")).toBe("many");
  expect(readAs(true, "false")).toBe(false);
  expect(readAs("quiet", "")).toBeNull();
});
