// The site that is looked at stands first in the address: /s/acme/events. Without it the server's own is meant, or the first
// that the user may see. Another site is another set of everything, so going there loads the page anew.
const found = /^\/s\/([a-z0-9_-]+)(?=\/|$)/.exec(window.location.pathname);

/** Name of the site in the address. */
export const SITE: string | undefined = found?.[1];
/** What all addresses of this site begin with. */
export const BASE = found?.[0] ?? "/";

/** An address of the interface, with the site in it. */
export function ofSite(url: string): string {
  if (!SITE) return url;
  return `${url}${url.includes("?") ? "&" : "?"}site=${SITE}`;
}

/** The same screen and window of time at another site. */
export function atSite(name: string): string {
  const { pathname, search } = window.location;
  const screen = (SITE ? pathname.slice(BASE.length) : pathname).split("/")[1] ?? "";
  const kept = [...new URLSearchParams(search)].filter(([key]) => ["t", "since", "until"].includes(key));
  const words = new URLSearchParams(kept).toString();
  return `/s/${name}/${screen}${words && `?${words}`}`;
}
