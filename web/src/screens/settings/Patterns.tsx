// Patterns of behaviour: those of the program, and people's own, which are checked while they are typed and tried over what is
// stored before they are switched on.
import { Badge, Button, Code, Group, Select, Stack, Table, Text, Textarea, TextInput } from "@mantine/core";
import { useDebouncedValue } from "@mantine/hooks";
import { useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { useState } from "react";
import { api, got, type Schemas } from "../../api/client";
import { useJob, useResult } from "../../app/jobs";
import { useRange } from "../../app/navigate";
import { asQuery } from "../../app/range";
import { count, counted, time } from "../../ui/format";
import { JobLine } from "../../ui/JobLine";
import { Empty, Failure, Panel, Raw, Shown } from "../../ui/parts";
import { shown } from "../../ui/safe";
import { OriginMark } from "./MethodSettings";
import { Outcome } from "./Outcome";
import { useChange, useMayEdit, useSettings } from "./useSettings";

type Pattern = Schemas["PatternShown"];
type Written = Schemas["NewPattern"];

const PRIORITIES = ["critical", "high", "medium", "low", "informational"];
const EXAMPLE = "where dst port 445 and internal having distinct dst ip > 20 per src ip within 5m";
/** Calm before what is typed is checked. */
const CALM_MS = 300;

export function Patterns() {
  const [edited, setEdited] = useState<Written>();
  const may = useMayEdit();
  const settings = useSettings();
  const change = useChange(settings.data?.etag);
  const client = useQueryClient();
  const patterns = useQuery({ queryKey: ["patterns"], queryFn: () => got(api.GET("/api/v1/patterns")) });
  const own = (patterns.data ?? []).flatMap(({ written }) => (written ? [written] : []));
  const keep = (all: Written[]) =>
    change.mutate(
      { patterns: all.length > 0 ? all : null },
      {
        onSuccess: () => {
          setEdited(undefined);
          client.invalidateQueries({ queryKey: ["patterns"] });
        },
      },
    );
  return (
    <Stack>
      {change.error && <Failure error={change.error} />}
      {change.data && <Outcome of={change.data} />}
      {edited ? (
        <Editor
          pattern={edited}
          busy={change.isPending}
          onKeep={(pattern) => keep([...own.filter(({ name }) => name !== pattern.name), pattern])}
          onLeave={() => setEdited(undefined)}
        />
      ) : (
        may && (
          <Group>
            <Button size="xs" onClick={() => setEdited({ name: "", title: "", pattern: EXAMPLE })}>
              New pattern
            </Button>
          </Group>
        )
      )}
      <Panel title="Patterns" note="Each is a submethod of BPATTERNS; those of the program are switched on and off with the method.">
        <Shown of={patterns} rows={12}>
          {(all) =>
            all.length ? (
              <Table fz="sm" aria-label="Patterns">
                <Table.Tbody>
                  {all.map((pattern) => (
                    <Line
                      key={pattern.name}
                      pattern={pattern}
                      onEdit={may ? setEdited : undefined}
                      onRemove={() => keep(own.filter(({ name }) => name !== pattern.written?.name))}
                    />
                  ))}
                </Table.Tbody>
              </Table>
            ) : (
              <Empty title="No patterns" />
            )
          }
        </Shown>
      </Panel>
    </Stack>
  );
}

function Line({
  pattern,
  onEdit,
  onRemove,
}: {
  pattern: Pattern;
  onEdit?: (written: Written) => void;
  onRemove: () => void;
}) {
  const { written } = pattern;
  return (
    <Table.Tr>
      <Table.Td miw={220}>
        <Text size="sm">
          <Raw mono>{pattern.name}</Raw> <OriginMark origin={pattern.origin} />
          {!pattern.enabled && (
            <Badge size="xs" color="gray" variant="light" tt="none" ml={6}>
              off
            </Badge>
          )}
        </Text>
        <Text size="sm">
          <Raw>{pattern.title}</Raw>
        </Text>
      </Table.Td>
      <Table.Td>
        <Text size="xs" className="mono">
          <Raw>{pattern.pattern}</Raw>
        </Text>
        {pattern.about && (
          <Text size="xs" c="dimmed">
            <Raw>{pattern.about.replaceAll("\n", " ")}</Raw>
          </Text>
        )}
      </Table.Td>
      <Table.Td>
        {onEdit && written && (
          <Group gap={4} wrap="nowrap">
            <Button size="compact-xs" variant="default" onClick={() => onEdit(written)}>
              Change
            </Button>
            <Button size="compact-xs" variant="default" onClick={onRemove}>
              Remove
            </Button>
          </Group>
        )}
      </Table.Td>
    </Table.Tr>
  );
}

interface EditorProps {
  pattern: Written;
  busy: boolean;
  onKeep: (pattern: Written) => void;
  onLeave: () => void;
}

function Editor({ pattern, busy, onKeep, onLeave }: EditorProps) {
  const [now, setNow] = useState(pattern);
  const set = (change: Partial<Written>) => setNow({ ...now, ...change });
  const [calm] = useDebouncedValue(now, CALM_MS);
  const ready = Boolean(calm.name && calm.title && calm.pattern);
  const check = useQuery({
    queryKey: ["patterns", "check", calm],
    queryFn: () => got(api.POST("/api/v1/patterns/check", { body: calm })),
    enabled: ready,
    placeholderData: (before) => before,
  });
  const valid = ready && check.data?.valid === true;
  return (
    <Panel title="A pattern of one's own">
      <form
        onSubmit={(event) => {
          event.preventDefault();
          onKeep(now);
        }}
      >
        <Stack gap="xs">
          <Group align="end" gap="xs">
            <TextInput
              size="xs"
              label="Name"
              description="Events say USER_ before it"
              required
              value={now.name}
              onChange={(event) => set({ name: event.currentTarget.value })}
            />
            <TextInput
              size="xs"
              flex={1}
              label="Title"
              required
              value={now.title}
              onChange={(event) => set({ title: event.currentTarget.value })}
            />
            <Select
              size="xs"
              label="Priority"
              data={PRIORITIES}
              clearable
              placeholder="of the method"
              value={now.priority ?? null}
              onChange={(value) => set({ priority: value ?? undefined })}
            />
          </Group>
          <Textarea
            size="xs"
            label="Pattern"
            description="[from flows|transactions] where FILTER [having CONDITIONS] [per KEYS] [within TIME]"
            required
            autosize
            minRows={2}
            value={now.pattern}
            onChange={(event) => set({ pattern: event.currentTarget.value })}
          />
          {ready && check.data && (
            <Code block role="status">
              {shown(check.data.error ?? check.data.canonical ?? "").replaceAll("\\u{a}", "\n")}
            </Code>
          )}
          <Trial pattern={now} disabled={!valid} />
          <Group gap="xs">
            <Button size="xs" type="submit" disabled={!valid} loading={busy}>
              Keep
            </Button>
            <Button size="xs" variant="default" onClick={onLeave}>
              Leave
            </Button>
          </Group>
        </Stack>
      </form>
    </Panel>
  );
}

function Trial({ pattern, disabled }: { pattern: Written; disabled: boolean }) {
  const range = useRange();
  const begin = useMutation({
    mutationFn: () => got(api.POST("/api/v1/patterns/test", { body: { pattern, ...asQuery(range) } })),
  });
  const job = useJob(begin.data?.id).data;
  const verdict = useResult<Schemas["PatternVerdict"]>(job).data;
  return (
    <Stack gap="xs">
      <Group gap="xs">
        <Button
          size="xs"
          variant="default"
          disabled={disabled}
          loading={begin.isPending}
          onClick={() => begin.mutate()}
        >
          Try it over the window of time
        </Button>
        {begin.data && <JobLine id={begin.data.id} />}
      </Group>
      {begin.error && <Failure error={begin.error} />}
      {verdict && <Verdict of={verdict} />}
    </Stack>
  );
}

function Verdict({ of }: { of: Schemas["PatternVerdict"] }) {
  return (
    <div className="grid">
      <div>
        <Text size="sm">
          {counted(of.events, "event")}, {count(of.events_per_hour)} an hour; {count(of.matching)} of {count(of.records)}{" "}
          records fit.
        </Text>
        {of.sources.length > 0 && (
          <Table fz="xs" aria-label="Sources of the trial">
            <Table.Tbody>
              {of.sources.map(({ source, events }) => (
                <Table.Tr key={source}>
                  <Table.Td>
                    <Raw mono>{source}</Raw>
                  </Table.Td>
                  <Table.Td ta="right">{count(events)}</Table.Td>
                </Table.Tr>
              ))}
            </Table.Tbody>
          </Table>
        )}
        {of.other_sources > 0 && <Text size="xs">and {count(of.other_sources)} more sources</Text>}
      </div>
      {of.hours.length > 0 && (
        <Table fz="xs" aria-label="Hours of the trial">
          <Table.Thead>
            <Table.Tr>
              <Table.Th>Hour (UTC)</Table.Th>
              <Table.Th ta="right">Records</Table.Th>
              <Table.Th ta="right">Events</Table.Th>
            </Table.Tr>
          </Table.Thead>
          <Table.Tbody>
            {of.hours.slice(0, 24).map(({ hour, records, events }) => (
              <Table.Tr key={hour}>
                <Table.Td className="mono">{time(hour).slice(0, 16)}</Table.Td>
                <Table.Td ta="right">{count(records)}</Table.Td>
                <Table.Td ta="right">{count(events)}</Table.Td>
              </Table.Tr>
            ))}
          </Table.Tbody>
        </Table>
      )}
    </div>
  );
}
