// Addresses of the screens. What a screen shows stands in its address, so that links, the back button and bookmarks work.
import { createRootRoute, createRoute, createRouter, lazyRouteComponent, Navigate } from "@tanstack/react-router";
import { EventScreen } from "../screens/event/Event";
import { EventsScreen, readEventSearch } from "../screens/events/Events";
import { FlowsScreen, readFlowSearch } from "../screens/flows/Flows";
import { HealthScreen } from "../screens/Health";
import { HostScreen } from "../screens/Host";
import { HostsScreen, readHostSearch } from "../screens/Hosts";
import { MethodScreen } from "../screens/Method";
import { MethodsScreen } from "../screens/Methods";
import { OverviewScreen } from "../screens/Overview";
import { readRange } from "./range";
import { NotFound, Shell } from "./Shell";
import { BASE } from "./site";

const root = createRootRoute({ component: Shell, notFoundComponent: NotFound });

/** Those words of an address that are there. */
function words(search: Record<string, unknown>, ...names: string[]): Record<string, string> {
  return Object.fromEntries(
    names.flatMap((name) => (typeof search[name] === "string" && search[name] ? [[name, search[name]]] : [])),
  );
}

/** What every address may carry beside its screen's own words: from which perspective events are seen. */
function seen<T extends object>(read: (search: Record<string, unknown>) => T) {
  return { validateSearch: (search: Record<string, unknown>) => ({ ...read(search), ...words(search, "perspective") }) };
}

const ranged = seen(readRange);

// Not needed by who looks at events: loaded when somebody opens it.
const settings = lazyRouteComponent(() => import("../screens/settings/Settings"), "SettingsScreen");

const start = lazyRouteComponent(() => import("../screens/Start"), "StartScreen");
const exporter = lazyRouteComponent(() => import("../screens/Exporter"), "ExporterScreen");

const routes = [
  createRoute({ getParentRoute: () => root, path: "/", component: OverviewScreen, ...ranged }),
  createRoute({
    getParentRoute: () => root,
    path: "/events",
    component: EventsScreen,
    ...seen(readEventSearch),
  }),
  createRoute({
    getParentRoute: () => root,
    path: "/events/$id",
    component: EventScreen,
    ...seen((search) => ({ ...readRange(search), ...words(search, "tab") })),
  }),
  createRoute({
    getParentRoute: () => root,
    path: "/flows",
    component: FlowsScreen,
    ...seen(readFlowSearch),
  }),
  createRoute({ getParentRoute: () => root, path: "/hosts", component: HostsScreen, ...seen(readHostSearch) }),
  createRoute({ getParentRoute: () => root, path: "/hosts/$ip", component: HostScreen, ...ranged }),
  createRoute({ getParentRoute: () => root, path: "/methods", component: MethodsScreen, ...ranged }),
  createRoute({ getParentRoute: () => root, path: "/methods/$code", component: MethodScreen, ...ranged }),
  createRoute({ getParentRoute: () => root, path: "/settings", component: settings, ...ranged }),
  createRoute({ getParentRoute: () => root, path: "/settings/$page", component: settings, ...ranged }),
  createRoute({ getParentRoute: () => root, path: "/start", component: start, ...ranged }),
  createRoute({ getParentRoute: () => root, path: "/exporters/$address", component: exporter, ...ranged }),
  // Seen by whoever is logged in already; the log-in page reads it for all others.
  createRoute({ getParentRoute: () => root, path: "/sign-in", component: () => <Navigate to="/" replace /> }),
  createRoute({ getParentRoute: () => root, path: "/health", component: HealthScreen, ...ranged }),
];

export const router = createRouter({
  routeTree: root.addChildren(routes),
  basepath: BASE,
  // Readable addresses: words as they are, no JSON quotes.
  parseSearch: (text) => Object.fromEntries(new URLSearchParams(text)),
  stringifySearch: (search) => {
    const pairs = Object.entries(search).filter(([, value]) => value !== undefined && value !== "");
    const text = new URLSearchParams(pairs.map(([key, value]) => [key, String(value)])).toString();
    return text && `?${text}`;
  },
});
