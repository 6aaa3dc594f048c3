// From where events are seen: the perspective in the address, else the one this user chose, else the built-in one.
import { Select } from "@mantine/core";
import { useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { useSearch } from "@tanstack/react-router";
import { useEffect } from "react";
import { api, got, type Schemas } from "../api/client";
import { shown } from "../ui/safe";
import { useSetSearch } from "./navigate";

/** Name of the built-in perspective. */
export const STANDARD = "security";

export function usePerspectives() {
  return useQuery({
    queryKey: ["perspectives"],
    queryFn: () => got(api.GET("/api/v1/perspectives")),
    staleTime: 60_000,
  });
}

/** Name of the perspective; undefined until it is known what the user chose. */
function usePerspective(): string | undefined {
  const { perspective } = useSearch({ strict: false }) as { perspective?: string };
  const all = usePerspectives();
  if (perspective) return perspective;
  if (all.isPending) return undefined;
  return all.data?.find(({ chosen }) => chosen)?.name ?? STANDARD;
}

/** What questions about events carry, and whether they can be asked yet: asked too early they would be asked twice. */
export function useSeenFrom(): { seenFrom: { perspective?: string }; known: boolean } {
  const name = usePerspective();
  return { seenFrom: name && name !== STANDARD ? { perspective: name } : {}, known: name !== undefined };
}

/** Chooses one, for now and as one's own; shown when there is one to choose. For screens that show events. */
export function PerspectivePicker() {
  const { perspective } = useSearch({ strict: false }) as { perspective?: string };
  const setSearch = useSetSearch();
  const client = useQueryClient();
  const all = usePerspectives();
  const chosen = usePerspective();
  const choose = useMutation({
    mutationFn: (name: string) => got(api.PUT("/api/v1/perspectives/choice", { body: { name } })),
    onMutate: (name) =>
      client.setQueryData<Schemas["PerspectiveShown"][]>(["perspectives"], (now) =>
        now?.map((one) => ({ ...one, chosen: one.name === name })),
      ),
    onSettled: () => client.invalidateQueries({ queryKey: ["perspectives"] }),
  });
  // The address says it, so that a link shows what its sender saw.
  const missing = !perspective && chosen !== undefined && chosen !== STANDARD ? chosen : undefined;
  useEffect(() => {
    if (missing) setSearch({ perspective: missing }, true);
  }, [missing, setSearch]);
  const known = all.data ?? [];
  if (known.length < 2 && !perspective) return null;
  const options = known.map(({ name, title }) => ({ value: name, label: shown(title) }));
  if (chosen && !known.some(({ name }) => name === chosen)) options.push({ value: chosen, label: shown(chosen) });
  return (
    <Select
      size="xs"
      w={210}
      aria-label="Perspective"
      data={options}
      value={chosen ?? STANDARD}
      allowDeselect={false}
      searchable={options.length > 8}
      onChange={(name) => {
        if (!name) return;
        choose.mutate(name);
        setSearch({ perspective: name, cursor: undefined });
      }}
    />
  );
}
