// Going to other addresses, and changing the one we are at, without spelling out types of every route.
import { useNavigate, useSearch } from "@tanstack/react-router";
import { useCallback } from "react";
import { type Range, readRange } from "./range";

type Search = Record<string, string | undefined>;

/** The window of time in the address. */
export function useRange(): Range {
  return readRange(useSearch({ strict: false }) as Record<string, unknown>);
}

/** Changes parts of the address; `undefined` takes a part out. */
export function useSetSearch() {
  const navigate = useNavigate();
  return useCallback(
    (change: Search, replace = false) =>
      navigate({ to: ".", search: (now: Search) => ({ ...now, ...change }), replace } as never),
    [navigate],
  );
}

/** Goes to a screen, with the window of time and the perspective kept. */
export function useGo() {
  const navigate = useNavigate();
  return useCallback(
    (to: string, search: Search = {}) =>
      navigate({
        to,
        search: ({ t, since, until, perspective }: Search) => ({ t, since, until, perspective, ...search }),
      } as never),
    [navigate],
  );
}
