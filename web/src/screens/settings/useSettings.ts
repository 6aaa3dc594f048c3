// Settings and changing them: what was changed since by somebody else is never written over.
import { useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { api, got } from "../../api/client";
import { useSeesAll, useSession } from "../../app/session";

/** May this user change settings? They belong to all sites. */
export function useMayEdit(): boolean {
  const role = useSession()?.user?.role;
  if (!useSeesAll()) return false;
  return role === "editor" || role === "admin";
}

export function useSettings() {
  return useQuery({
    queryKey: ["settings"],
    queryFn: () => got(api.GET("/api/v1/settings")),
    enabled: useMayEdit(),
  });
}

/** Changes settings by a merge patch; null takes a change back. */
export function useChange(etag: string | undefined) {
  const client = useQueryClient();
  return useMutation({
    mutationFn: (patch: Record<string, unknown>) =>
      got(
        api.PATCH("/api/v1/settings", {
          body: patch as never,
          headers: etag ? { "if-match": `"${etag}"` } : {},
        }),
      ),
    onSuccess: () =>
      Promise.all(["settings", "methods", "health"].map((key) => client.invalidateQueries({ queryKey: [key] }))),
  });
}
