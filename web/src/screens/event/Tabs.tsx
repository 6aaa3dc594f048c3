// What hangs on an event: targets, notes of people, categories, attributes, history.
import { Anchor, Button, CloseButton, Group, Stack, Table, Text, Textarea, TextInput } from "@mantine/core";
import { useState } from "react";
import type { Schemas } from "../../api/client";
import { useAct } from "../../app/act";
import { useGo } from "../../app/navigate";
import { useMayAct } from "../../app/session";
import { time } from "../../ui/format";
import { Empty, Fact, Failure, HostLink, Raw } from "../../ui/parts";
import { plain, type Values } from "./Rule";

type Document = Schemas["EventDocument"];
type Detail = Schemas["EventDetail"];

export function Targets({ document }: { document: Document }) {
  return (
    <Table fz="sm" aria-label="Targets">
      <Table.Thead>
        <Table.Tr>
          <Table.Th>Address</Table.Th>
          <Table.Th>Port</Table.Th>
          <Table.Th>Name</Table.Th>
        </Table.Tr>
      </Table.Thead>
      <Table.Tbody>
        {document.targets.map((target) => (
          <Table.Tr key={`${target.ip ?? target.mac} ${target.port ?? ""}`}>
            <Table.Td>
              {target.ip ? <HostLink ip={target.ip} /> : <Raw mono>{target.mac ?? "–"}</Raw>}
            </Table.Td>
            <Table.Td>{target.port ?? ""}</Table.Td>
            <Table.Td>{target.hostname && <Raw>{target.hostname}</Raw>}</Table.Td>
          </Table.Tr>
        ))}
      </Table.Tbody>
    </Table>
  );
}

export function Attributes({ document }: { document: Document }) {
  return (
    <dl>
      {Object.entries(document.detail as Values).map(([name, value]) => (
        <Fact key={name} name={name}>
          <Raw mono>{plain(value)}</Raw>
        </Fact>
      ))}
      <Fact name="Entities">
        <Raw mono>{document.entities.join(" ")}</Raw>
      </Fact>
      <Fact name="Event id">
        <Raw mono>{document.id}</Raw>
      </Fact>
    </dl>
  );
}

export function Comments({ event }: { event: Detail }) {
  const may = useMayAct();
  const [body, setBody] = useState("");
  const act = useAct(() => setBody(""));
  return (
    <Stack gap="sm">
      {event.comments.map((note) => (
        <div key={note.at + note.author}>
          <Text size="xs" c="dimmed">
            <Raw>{note.author}</Raw>, {time(note.at)} UTC
          </Text>
          <Raw>{note.body}</Raw>
        </div>
      ))}
      {event.comments.length === 0 && <Empty title="No comments yet" />}
      {may && (
        <>
          <Textarea
            label="Comment"
            autosize
            minRows={2}
            value={body}
            onChange={(change) => setBody(change.currentTarget.value)}
          />
          <Button
            w={120}
            size="xs"
            disabled={!body.trim()}
            loading={act.isPending}
            onClick={() => act.mutate({ ids: [event.id], verb: "comment", text: body.trim() })}
          >
            Comment
          </Button>
          {act.error && <Failure error={act.error} />}
        </>
      )}
    </Stack>
  );
}

export function History({ event }: { event: Detail }) {
  return (
    <Table fz="sm" aria-label="History">
      <Table.Thead>
        <Table.Tr>
          <Table.Th>When (UTC)</Table.Th>
          <Table.Th>State</Table.Th>
          <Table.Th ta="right">Risk</Table.Th>
          <Table.Th>What it said</Table.Th>
        </Table.Tr>
      </Table.Thead>
      <Table.Tbody>
        {event.history.map((update) => (
          <Table.Tr key={update.updates + update.at}>
            <Table.Td className="mono">{time(update.at)}</Table.Td>
            <Table.Td>{update.state}</Table.Td>
            <Table.Td ta="right">{update.risk}</Table.Td>
            <Table.Td>
              <Raw>{update.reason}</Raw>
            </Table.Td>
          </Table.Tr>
        ))}
      </Table.Tbody>
    </Table>
  );
}

/** Labels people give: they group events over methods, and the list of events is narrowed by them. */
export function Categories({ event }: { event: Detail }) {
  const may = useMayAct();
  const go = useGo();
  const [label, setLabel] = useState("");
  const act = useAct(() => setLabel(""));
  const ids = [event.id];
  return (
    <Stack gap="sm">
      <Group gap="md">
        {event.labels.map((name) => (
          <Group key={name} gap={2}>
            <Anchor component="button" type="button" onClick={() => go("/events", { label: name })}>
              <Raw>{name}</Raw>
            </Anchor>
            {may && (
              <CloseButton
                size="xs"
                aria-label={`Take off ${name}`}
                onClick={() => act.mutate({ ids, verb: "unlabel", text: name })}
              />
            )}
          </Group>
        ))}
      </Group>
      {event.labels.length === 0 && <Empty title="No categories yet" />}
      {may && (
        <form
          onSubmit={(submit) => {
            submit.preventDefault();
            if (label.trim()) act.mutate({ ids, verb: "label", text: label.trim() });
          }}
        >
          <Group align="end" gap="xs">
            <TextInput
              size="xs"
              label="Category"
              value={label}
              onChange={(change) => setLabel(change.currentTarget.value)}
            />
            <Button size="xs" type="submit" disabled={!label.trim()} loading={act.isPending}>
              Add
            </Button>
          </Group>
        </form>
      )}
      {act.error && <Failure error={act.error} />}
    </Stack>
  );
}
