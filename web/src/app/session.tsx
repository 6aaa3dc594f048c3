// Who looks at the screens: the session, known to every part of the application.
import { useQuery } from "@tanstack/react-query";
import { createContext, useContext } from "react";
import { api, got, rememberCsrf, type Schemas } from "../api/client";

export type Session = Schemas["Session"];

const SessionContext = createContext<Session | undefined>(undefined);
export const SessionProvider = SessionContext.Provider;

export function useSessionQuery() {
  return useQuery({
    queryKey: ["session"],
    queryFn: async () => {
      const session = await got(api.GET("/api/v1/session"));
      rememberCsrf(session.user?.csrf);
      return session;
    },
    staleTime: 60_000,
  });
}

export function useSession(): Session | undefined {
  return useContext(SessionContext);
}

/** Does what belongs to the server as a whole concern this user? Not those who are limited to sites. */
export function useSeesAll(): boolean {
  return useSession()?.user?.all_sites === true;
}

/** May this user change events? */
export function useMayAct(): boolean {
  const role = useSession()?.user?.role;
  return role !== undefined && role !== "viewer" && role !== "auditor";
}
