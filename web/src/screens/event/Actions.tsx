// What people do with one event: take it on, give it to somebody, resolve it, say that it is false.
import { Button, Group, Menu, Stack, Text, TextInput } from "@mantine/core";
import { useState } from "react";
import type { Schemas } from "../../api/client";
import { useAct } from "../../app/act";
import { useMayAct, useSession } from "../../app/session";
import { Failure, Raw } from "../../ui/parts";
import { FalsePositive } from "./FalsePositive";

export function Actions({ event }: { event: Schemas["EventDetail"] }) {
  const may = useMayAct();
  const act = useAct();
  const [asking, setAsking] = useState<"rule" | "assign">();
  if (!may) return null;
  const ids = [event.id];
  return (
    <Stack gap="xs" align="end">
      <Group gap="xs" wrap="nowrap">
        {event.workflow === "new" && (
          <Button size="xs" loading={act.isPending} onClick={() => act.mutate({ ids, verb: "acknowledge" })}>
            Acknowledge
          </Button>
        )}
        {event.workflow === "resolved" ? (
          <Button size="xs" variant="default" onClick={() => act.mutate({ ids, verb: "reopen" })}>
            Reopen
          </Button>
        ) : (
          <Button size="xs" variant="default" onClick={() => act.mutate({ ids, verb: "close" })}>
            Resolve
          </Button>
        )}
        {event.false_positive ? (
          <Button size="xs" variant="default" onClick={() => act.mutate({ ids, verb: "true_positive" })}>
            It is true after all
          </Button>
        ) : (
          <Button size="xs" variant="default" onClick={() => setAsking("rule")}>
            False positive
          </Button>
        )}
        <More event={event} assign={() => setAsking("assign")} />
      </Group>
      <FalsePositive id={event.id} opened={asking === "rule"} close={() => setAsking(undefined)} />
      {asking === "assign" && (
        <Words
          label="To whom?"
          button="Assign"
          done={(text) => {
            act.mutate({ ids, verb: "assign", text });
            setAsking(undefined);
          }}
        />
      )}
      {event.false_positive_mark && (
        <Text size="xs" c="dimmed">
          <Raw>{`${event.false_positive_mark.author}: ${event.false_positive_mark.body}`}</Raw>
        </Text>
      )}
      {act.error && <Failure error={act.error} />}
    </Stack>
  );
}

function More({ event, assign }: { event: Schemas["EventDetail"]; assign: () => void }) {
  const act = useAct();
  const me = useSession()?.user?.name;
  const ids = [event.id];
  return (
    <Menu position="bottom-end">
      <Menu.Target>
        <Button size="xs" variant="default">
          More
        </Button>
      </Menu.Target>
      <Menu.Dropdown>
        {me && event.assignee !== me && (
          <Menu.Item onClick={() => act.mutate({ ids, verb: "assign", text: me })}>Give it to me</Menu.Item>
        )}
        <Menu.Item onClick={assign}>Give it to somebody</Menu.Item>
        {event.assignee && (
          <Menu.Item onClick={() => act.mutate({ ids, verb: "assign" })}>Give it to nobody</Menu.Item>
        )}
        <Menu.Item onClick={() => act.mutate({ ids, verb: event.pinned ? "unpin" : "pin" })}>
          {event.pinned ? "Let it expire" : "Keep it from expiring"}
        </Menu.Item>
        <Menu.Divider />
        <Menu.Item onClick={() => navigator.clipboard?.writeText(event.id)}>Copy the id</Menu.Item>
        <Menu.Item onClick={() => navigator.clipboard?.writeText(JSON.stringify(event.document, null, 2))}>
          Copy as JSON
        </Menu.Item>
      </Menu.Dropdown>
    </Menu>
  );
}

interface WordsProps {
  label: string;
  button: string;
  done: (text: string) => void;
}

/** One line of text that an action needs. */
export function Words({ label, button, done }: WordsProps) {
  const [text, setText] = useState("");
  return (
    <form
      onSubmit={(submit) => {
        submit.preventDefault();
        if (text.trim()) done(text.trim());
      }}
    >
      <Group gap="xs" align="end" wrap="nowrap">
        <TextInput
          size="xs"
          label={label}
          data-autofocus
          value={text}
          onChange={(change) => setText(change.currentTarget.value)}
        />
        <Button size="xs" type="submit" disabled={!text.trim()}>
          {button}
        </Button>
      </Group>
    </form>
  );
}
