// A job on one line: how far it is, a way to end it, what came of it.
import { Anchor, Button, Group, Progress, Text } from "@mantine/core";
import { ended, type Job, resultOf, useCancel, useJob } from "../app/jobs";
import { bytes } from "./format";
import { Raw } from "./parts";

/** Follows a job until it ends. */
export function JobLine({ id, done }: { id: string; done?: () => void }) {
  const job = useJob(id).data;
  return job ? <JobState job={job} done={done} /> : null;
}

export function JobState({ job, done }: { job: Job; done?: () => void }) {
  const cancel = useCancel();
  if (!ended(job)) {
    return (
      <Group gap="xs" wrap="nowrap" role="status">
        <Progress
          w={120}
          value={job.progress * 100}
          aria-label={`${job.kind.replaceAll("_", " ")}: ${Math.round(job.progress * 100)} %`}
        />
        <Text size="xs">{job.state === "waiting" ? "waits for its turn" : `${Math.round(job.progress * 100)} %`}</Text>
        <Button
          size="compact-xs"
          variant="default"
          loading={cancel.isPending}
          onClick={() => cancel.mutate(job.id, { onSuccess: done })}
        >
          Cancel
        </Button>
      </Group>
    );
  }
  return (
    <Group gap="xs" role="status">
      {job.state !== "done" && (
        <Text size="xs" fw={600}>
          {job.state}
        </Text>
      )}
      {job.note && (
        <Text size="xs">
          <Raw>{job.note}</Raw>
        </Text>
      )}
      {job.result && job.result.media_type !== "application/json" && (
        <Anchor size="xs" href={resultOf(job)} download={job.result.name}>
          Save {job.result.name} ({bytes(job.result.bytes)})
        </Anchor>
      )}
    </Group>
  );
}
