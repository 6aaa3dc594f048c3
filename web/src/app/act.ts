// What people do with events: one verb for one or many, after which whatever shows them asks again.
import { useMutation, useQueryClient } from "@tanstack/react-query";
import { api, got, type Schemas } from "../api/client";

interface Act {
  ids: string[];
  verb: Schemas["Verb"];
  text?: string;
}

/** Does something with events, then lets everything that shows them ask again. */
export function useAct(done?: () => void) {
  const client = useQueryClient();
  return useMutation({
    mutationFn: (act: Act) => got(api.POST("/api/v1/events/actions", { body: act as never })),
    onSuccess: async () => {
      await Promise.all(
        ["events", "event", "overview"].map((key) => client.invalidateQueries({ queryKey: [key] })),
      );
      done?.();
    },
  });
}
