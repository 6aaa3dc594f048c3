// Work that takes longer than a request: begun, followed until it ends, cancelled, its file taken.
import { useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { api, got, type Schemas } from "../api/client";
import { ofSite } from "./site";

export type Job = Schemas["Job"];

/** Between two looks at a job that runs. */
const LOOK_MS = 700;

export function ended(job: Job): boolean {
  return job.state !== "waiting" && job.state !== "running";
}

/** A job, looked at until it ends. */
export function useJob(id: string | undefined) {
  return useQuery({
    queryKey: ["job", id],
    queryFn: () => got(api.GET("/api/v1/jobs/{id}", { params: { path: { id: id ?? "" } } })),
    enabled: id !== undefined,
    refetchInterval: ({ state }) => (state.data && ended(state.data) ? false : LOOK_MS),
  });
}

/** Cancels a job that runs, or forgets one that has ended. */
export function useCancel() {
  const client = useQueryClient();
  return useMutation({
    mutationFn: (id: string) => got(api.DELETE("/api/v1/jobs/{id}", { params: { path: { id } } })),
    onSuccess: () => Promise.all(["job", "jobs"].map((key) => client.invalidateQueries({ queryKey: [key] }))),
  });
}

/** Where a job's file is. */
export function resultOf(job: Job): string {
  return ofSite(`/api/v1/jobs/${job.id}/result`);
}

/** A job's result that is JSON, once it is there. */
export function useResult<T>(job: Job | undefined) {
  return useQuery({
    queryKey: ["job", job?.id, "result"],
    queryFn: async (): Promise<T> => {
      const answer = await fetch(resultOf(job as Job));
      if (!answer.ok) throw new Error(`the result could not be read (${answer.status})`);
      return answer.json();
    },
    enabled: job?.state === "done" && job.result?.media_type === "application/json",
    staleTime: Number.POSITIVE_INFINITY,
  });
}
