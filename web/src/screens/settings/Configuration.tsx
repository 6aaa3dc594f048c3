// What is set and where it comes from: what is inside, how much is said, named lists, and every value that is in force.
import { Button, Group, Select, Stack, Table, TagsInput, Text, TextInput } from "@mantine/core";
import { useMutation, useQueryClient } from "@tanstack/react-query";
import { useState } from "react";
import { api, got, type Schemas } from "../../api/client";
import { count } from "../../ui/format";
import { Empty, Failure, Panel, Raw, Shown } from "../../ui/parts";
import { written } from "../../ui/value";
import { OriginMark } from "./MethodSettings";
import { Outcome } from "./Outcome";
import { useChange, useMayEdit, useSettings } from "./useSettings";

type Settings = Schemas["Settings"];

const PRESETS = [
  { value: "quiet", label: "quiet: medium and above" },
  { value: "balanced", label: "balanced: the usual" },
  { value: "everything", label: "everything: every method speaks" },
];

export function Configuration() {
  const may = useMayEdit();
  const settings = useSettings();
  const change = useChange(settings.data?.etag);
  if (!may) return <Empty title="Only an editor or administrator sees the configuration" />;
  return (
    <Shown of={settings} rows={10}>
      {(known) => (
        <Stack>
          {change.error && <Failure error={change.error} />}
          {change.data && <Outcome of={change.data} />}
          <Network key={`network ${known.etag}`} settings={known} change={change} />
          <Lists key={`lists ${known.etag}`} settings={known} change={change} />
          <Values settings={known} />
        </Stack>
      )}
    </Shown>
  );
}

function valueOf(settings: Settings, key: string): unknown {
  return settings.values.find((value) => value.key === key)?.value;
}

interface PartProps {
  settings: Settings;
  change: ReturnType<typeof useChange>;
}

function Network({ settings, change }: PartProps) {
  const before = valueOf(settings, "inside");
  const [inside, setInside] = useState<string[]>(Array.isArray(before) ? before.map(String) : []);
  const [preset, setPreset] = useState(String(valueOf(settings, "preset") ?? "balanced"));
  return (
    <Panel title="This network">
      <Stack gap="sm">
        <TagsInput
          size="xs"
          label="Networks that are inside"
          description="Addresses and prefixes. When none is named, private ranges are inside."
          value={inside}
          onChange={setInside}
        />
        <Select
          size="xs"
          w={320}
          label="How much is said"
          data={PRESETS}
          value={preset}
          allowDeselect={false}
          onChange={(value) => setPreset(value ?? preset)}
        />
        <Group>
          <Button
            size="xs"
            loading={change.isPending}
            onClick={() => change.mutate({ inside: inside.length > 0 ? inside : null, preset })}
          >
            Change
          </Button>
        </Group>
      </Stack>
    </Panel>
  );
}

function Lists({ settings, change }: PartProps) {
  const [name, setName] = useState("");
  const [items, setItems] = useState<string[]>([]);
  return (
    <Panel title="Named lists" note="Used in every filter as @name.">
      {settings.lists.map((list) => (
        <Group key={list.name} justify="space-between" wrap="nowrap" mb={4}>
          <div>
            <Text size="sm">
              <Raw mono>{`@${list.name}`}</Raw> <OriginMark origin={list.origin} />
            </Text>
            <Text size="xs" c="dimmed">
              <Raw>{list.items.slice(0, 12).join(", ")}</Raw>
              {list.total > 12 && ` and ${count(list.total - 12)} more`}
            </Text>
          </div>
          {list.origin === "managed" && (
            <Button
              size="compact-xs"
              variant="default"
              onClick={() => change.mutate({ lists: { [list.name]: null } })}
            >
              Remove
            </Button>
          )}
        </Group>
      ))}
      <form
        onSubmit={(submit) => {
          submit.preventDefault();
          change.mutate({ lists: { [name.trim()]: items } });
        }}
      >
        <Group align="end" gap="xs">
          <TextInput
            size="xs"
            label="Name"
            required
            value={name}
            onChange={(event) => setName(event.currentTarget.value)}
          />
          <TagsInput size="xs" flex={1} label="Entries" value={items} onChange={setItems} />
          <Button size="xs" type="submit" disabled={!name.trim() || !items.length} loading={change.isPending}>
            Add
          </Button>
        </Group>
      </form>
    </Panel>
  );
}

function Values({ settings }: { settings: Settings }) {
  const client = useQueryClient();
  const reload = useMutation({
    mutationFn: () => got(api.POST("/api/v1/settings/reload")),
    onSuccess: () => client.invalidateQueries({ queryKey: ["settings"] }),
  });
  const own = settings.values.filter(({ key }) => !key.startsWith("methods."));
  return (
    <Panel
      title="In force"
      note={`The operator's file: ${settings.file ?? "none"}. Changes made here: ${settings.managed}.`}
      right={
        settings.file && (
          <Button size="xs" variant="default" loading={reload.isPending} onClick={() => reload.mutate()}>
            Read the file again
          </Button>
        )
      }
    >
      {reload.error && <Failure error={reload.error} />}
      {reload.data && <Outcome of={reload.data} />}
      {settings.indicators.map((line) => (
        <Text key={line} size="sm">
          <Raw>{line}</Raw>
        </Text>
      ))}
      <Table fz="sm" aria-label="Values in force">
        <Table.Tbody>
          {own.map(({ key, value, origin, about, needs_restart }) => (
            <Table.Tr key={key}>
              <Table.Td className="mono">{key}</Table.Td>
              <Table.Td className="mono">
                <Raw>{written(value) || "not set"}</Raw>
                <OriginMark origin={origin} />
              </Table.Td>
              <Table.Td>
                {about}
                {needs_restart && " (after a restart)"}
              </Table.Td>
            </Table.Tr>
          ))}
        </Table.Tbody>
      </Table>
    </Panel>
  );
}
