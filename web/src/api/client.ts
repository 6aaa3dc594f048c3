// The one way to the server: typed calls, errors as values that say what to do, the CSRF word on every change.
import createClient, { createQuerySerializer } from "openapi-fetch";
import { SITE } from "../app/site";
import type { components, paths } from "./schema";

export type Schemas = components["schemas"];
export type EventRow = Schemas["EventRow"];
export type Problem = Schemas["Problem"];

/** What the server answered when it was not what was asked for. */
export class ApiError extends Error {
  readonly status: number;
  readonly problem: Partial<Problem>;

  constructor(status: number, problem: Partial<Problem>) {
    super(problem.detail || problem.title || `the server answered ${status}`);
    this.status = status;
    this.problem = problem;
  }
}

/** What a log-in sends in place of the word, which it does not know yet: any value shows that a page of ours asks. */
const BEFORE_LOG_IN = "log-in";

let csrf = BEFORE_LOG_IN;

/** Remembers the word that requests which change something must bring. */
export function rememberCsrf(word: string | null | undefined) {
  csrf = word ?? BEFORE_LOG_IN;
}

const words = createQuerySerializer();
// Every request says which site it is about.
const querySerializer = (query: Record<string, unknown>) => words({ ...query, site: SITE });
const client = createClient<paths>({ baseUrl: "", querySerializer });
client.use({
  onRequest({ request }) {
    if (request.method !== "GET") request.headers.set("x-weir-csrf", csrf);
    return request;
  },
});

export const api = client;

/** The answer's data, or the problem as an error to be shown. */
export async function got<T>(answer: Promise<{ data?: T; error?: unknown; response: Response }>): Promise<T> {
  const { data, error, response } = await answer;
  if (!response.ok) throw new ApiError(response.status, (error ?? {}) as Partial<Problem>);
  return data as T;
}
