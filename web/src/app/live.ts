// News from the server: when events change, what shows events asks again. Streams resume by themselves.
import { useQueryClient } from "@tanstack/react-query";
import { useEffect } from "react";
import { ofSite } from "./site";

/** Wait after news before asking again, so that a burst is one question. */
const CALM_MS = 1500;

export function useLive() {
  const client = useQueryClient();
  useEffect(() => {
    const stream = new EventSource(ofSite("/api/v1/stream"));
    let waiting: number | undefined;
    const news = () => {
      waiting ??= window.setTimeout(() => {
        waiting = undefined;
        for (const key of ["events", "overview", "health"]) client.invalidateQueries({ queryKey: [key] });
      }, CALM_MS);
    };
    for (const kind of ["message", "event", "events", "reset", "health"]) stream.addEventListener(kind, news);
    return () => {
      window.clearTimeout(waiting);
      stream.close();
    };
  }, [client]);
}
