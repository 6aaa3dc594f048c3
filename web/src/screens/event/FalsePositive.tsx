// A rule from an event that was false: conditions proposed by the server, what they would have hidden, and the way back.
import {
  Alert,
  Button,
  Checkbox,
  Group,
  Modal,
  Select,
  Stack,
  TagsInput,
  Text,
  Textarea,
} from "@mantine/core";
import { useDebouncedValue } from "@mantine/hooks";
import { useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { useState } from "react";
import { api, got, type Schemas } from "../../api/client";
import { count, counted } from "../../ui/format";
import { Failure, Raw, Shown } from "../../ui/parts";

type Conditions = Schemas["RuleConditions"];

/** Conditions people change; each list that is empty asks nothing. */
const LISTS = [
  { name: "methods", label: "Methods", about: "METHOD or METHOD.Submethod" },
  { name: "sources", label: "Sources", about: "addresses or networks" },
  { name: "macs", label: "Hardware addresses of the source", about: "" },
  { name: "targets", label: "Targets", about: "every target must lie in one of them" },
  { name: "ports", label: "Ports of targets", about: "every target must have one of them" },
  { name: "instances", label: "Instances", about: "of the method" },
  { name: "feeds", label: "Feeds", about: "" },
] as const;

/** How long rules hold. */
const DAYS = [
  { value: "7", label: "for a week" },
  { value: "30", label: "for 30 days" },
  { value: "90", label: "for 90 days" },
  { value: "365", label: "for a year" },
  { value: "", label: "until somebody removes it" },
];

/** After whatever changes marks of events, what shows them asks again. */
export function useMarksChanged() {
  const client = useQueryClient();
  return () =>
    Promise.all(
      ["events", "event", "overview", "rules", "hosts", "host"].map((key) =>
        client.invalidateQueries({ queryKey: [key] }),
      ),
    );
}

export function FalsePositive({ id, opened, close }: { id: string; opened: boolean; close: () => void }) {
  const proposed = useQuery({
    queryKey: ["event", id, "false-positive"],
    queryFn: () => got(api.GET("/api/v1/events/{id}/false-positive", { params: { path: { id } } })),
    enabled: opened,
  });
  return (
    <Modal opened={opened} onClose={close} title="False positive" size="lg" closeButtonProps={{ "aria-label": "Close" }}>
      {opened && (
        <Shown of={proposed} rows={8}>
          {({ conditions }) => <Form first={conditions} close={close} />}
        </Shown>
      )}
    </Modal>
  );
}

function Form({ first, close }: { first: Conditions; close: () => void }) {
  const [conditions, setConditions] = useState(first);
  const [note, setNote] = useState("");
  const [days, setDays] = useState("90");
  const [mark, setMark] = useState(true);
  const changed = useMarksChanged();
  const make = useMutation({
    mutationFn: () =>
      got(
        api.POST("/api/v1/false-positives", {
          body: { conditions, note: note.trim(), days: days ? Number(days) : undefined, mark_stored: mark },
        }),
      ),
    onSuccess: changed,
  });
  if (make.data) return <Made made={make.data} close={close} />;
  return (
    <form
      onSubmit={(submit) => {
        submit.preventDefault();
        make.mutate();
      }}
    >
      <Stack gap="sm">
        <Text size="sm">Findings like this one are not raised any more. All of these must hold:</Text>
        {LISTS.filter(({ name }) => first[name]?.length || ["methods", "sources", "targets", "ports"].includes(name)).map(
          ({ name, label, about }) => (
            <TagsInput
              key={name}
              size="xs"
              label={label}
              description={about}
              placeholder={conditions[name]?.length ? undefined : "any"}
              value={(conditions[name] ?? []).map(String)}
              onChange={(values) => setConditions({ ...conditions, [name]: name === "ports" ? ports(values) : values })}
            />
          ),
        )}
        <Preview conditions={conditions} />
        <Textarea
          size="xs"
          label="Why it is harmless"
          required
          autosize
          value={note}
          onChange={(change) => setNote(change.currentTarget.value)}
        />
        <Select
          size="xs"
          label="It holds"
          data={DAYS}
          value={days}
          allowDeselect={false}
          onChange={(value) => setDays(value ?? "")}
        />
        <Checkbox
          size="xs"
          label="Mark the stored events it fits as well"
          checked={mark}
          onChange={(change) => setMark(change.currentTarget.checked)}
        />
        {make.error && <Failure error={make.error} />}
        <Group justify="end">
          <Button size="xs" variant="default" onClick={close}>
            Cancel
          </Button>
          <Button size="xs" type="submit" disabled={!note.trim()} loading={make.isPending}>
            Put in force
          </Button>
        </Group>
      </Stack>
    </form>
  );
}

function ports(values: string[]): number[] {
  return values.map(Number).filter((port) => Number.isInteger(port) && port >= 0 && port <= 65_535);
}

function Preview({ conditions }: { conditions: Conditions }) {
  const [asked] = useDebouncedValue(conditions, 300);
  const preview = useQuery({
    queryKey: ["rules", "preview", asked],
    queryFn: () => got(api.POST("/api/v1/false-positives/preview", { body: { conditions: asked } })),
    placeholderData: (before) => before,
  });
  return (
    <Shown of={preview} rows={2}>
      {({ events, worked_on, whole, latest }) => (
        <Alert variant="light" color={worked_on > 0 ? "yellow" : "gray"} title="In the last 30 days">
          <Text size="sm" role="status">
            It would have hidden {counted(events, "event")}
            {worked_on > 0 && `, ${count(worked_on)} of which people took to be real`}
            {!whole && " (of the latest 20,000)"}.
          </Text>
          {latest.slice(0, 5).map((event) => (
            <Text key={event.id} size="xs" truncate>
              <Raw>{`${event.method}: ${event.reason}`}</Raw>
            </Text>
          ))}
        </Alert>
      )}
    </Shown>
  );
}

function Made({ made, close }: { made: Schemas["MadeRule"]; close: () => void }) {
  const undo = useUndo(close);
  return (
    <Stack>
      <Text size="sm" role="status">
        The rule is in force. {count(made.marked)} stored {made.marked === 1 ? "event carries" : "events carry"} its
        mark.
      </Text>
      {undo.error && <Failure error={undo.error} />}
      <Group justify="end">
        <Button size="xs" variant="default" loading={undo.isPending} onClick={() => undo.mutate(made.id)}>
          Undo
        </Button>
        <Button size="xs" onClick={close}>
          Close
        </Button>
      </Group>
    </Stack>
  );
}

/** Removes a rule and takes its marks off. */
export function useUndo(done?: () => void) {
  const changed = useMarksChanged();
  return useMutation({
    mutationFn: (id: string) =>
      got(api.DELETE("/api/v1/false-positives/{id}", { params: { path: { id }, query: { unmark: true } } })),
    onSuccess: async () => {
      await changed();
      done?.();
    },
  });
}
