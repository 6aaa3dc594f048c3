// One perspective being written: rules, and what they make of the events of the last seven days, or of the window of time
// in the address.
import {
  ActionIcon,
  Button,
  Code,
  Group,
  MultiSelect,
  Select,
  Stack,
  Table,
  TagsInput,
  Text,
  TextInput,
} from "@mantine/core";
import { useDebouncedValue } from "@mantine/hooks";
import { IconX } from "@tabler/icons-react";
import { useQuery } from "@tanstack/react-query";
import { useState } from "react";
import { ApiError, api, got, type Schemas } from "../../api/client";
import { useRange } from "../../app/navigate";
import { asQuery, rangeWords } from "../../app/range";
import { PRIORITIES, PRIORITY_COLOUR, PRIORITY_MARK } from "../../app/theme";
import { count, counted } from "../../ui/format";
import { Failure, Panel } from "../../ui/parts";
import { shown } from "../../ui/safe";

export type Perspective = Schemas["PerspectiveBody"];
type Rule = Schemas["PerspectiveRuleBody"];
type Preview = Schemas["PerspectivePreview"];
type Fault = Schemas["Fault"];

/** Calm before what is written is tried. */
const CALM_MS = 400;
const GIVE = [
  ...PRIORITIES.map((name) => ({ value: name, label: `${PRIORITY_MARK[name]} ${name}` })),
  { value: "hidden", label: "hidden" },
];
const OTHERWISE = [{ value: "own", label: "as the method says" }, ...GIVE];
/** A name for whom has not thought of one yet, so that rules can be tried before. */
const NAMELESS = "nameless";

/** Rules, each with a number of its own that stays when others go. */
type Numbered = { number: number; rule: Rule }[];

interface Props {
  perspective: Perspective;
  isNew: boolean;
  busy: boolean;
  onKeep: (perspective: Perspective) => void;
  onLeave: () => void;
}

function usePreview(perspective: Perspective) {
  const range = useRange();
  const window = range.since || range.t ? asQuery(range) : {};
  const [calm] = useDebouncedValue(perspective, CALM_MS);
  const tried = { ...calm, name: calm.name || NAMELESS, title: calm.title || NAMELESS };
  return useQuery({
    queryKey: ["perspectives", "preview", tried, window],
    queryFn: () => got(api.POST("/api/v1/perspectives/preview", { body: { perspective: tried, ...window } })),
    placeholderData: (before) => before,
    retry: false,
  });
}

export function PerspectiveEditor({ perspective, isNew, busy, onKeep, onLeave }: Props) {
  const [head, setHead] = useState(perspective);
  const [rules, setRules] = useState<Numbered>(
    (perspective.rules ?? []).map((rule, number) => ({ number, rule })),
  );
  const now: Perspective = { ...head, rules: rules.map(({ rule }) => rule) };
  const preview = usePreview(now);
  const faults = preview.error instanceof ApiError ? (preview.error.problem.errors ?? []) : [];
  const set = (change: Partial<Perspective>) => setHead({ ...head, ...change });
  const add = () => {
    const number = 1 + Math.max(-1, ...rules.map((one) => one.number));
    setRules([...rules, { number, rule: { give: "high" } }]);
  };
  return (
    <Panel title={isNew ? "A new perspective" : `Perspective ${head.name}`}>
      <form
        onSubmit={(event) => {
          event.preventDefault();
          onKeep(now);
        }}
      >
        <Stack gap="sm">
          <Group align="start" gap="xs">
            <TextInput
              size="xs"
              label="Name"
              description="Stands in addresses: a-z, 0-9, -"
              required
              disabled={!isNew}
              pattern="[a-z0-9\-]{1,48}"
              value={head.name}
              onChange={(event) => set({ name: event.currentTarget.value })}
            />
            <TextInput
              size="xs"
              flex={1}
              label="Title"
              description="What people choose it by"
              required
              maxLength={80}
              value={head.title}
              onChange={(event) => set({ title: event.currentTarget.value })}
            />
            <Select
              size="xs"
              label="All other events"
              description="That no rule fits"
              data={OTHERWISE}
              allowDeselect={false}
              value={head.otherwise ?? "own"}
              onChange={(value) => set({ otherwise: value ?? "own" })}
            />
          </Group>
          <TextInput
            size="xs"
            label="For whom"
            maxLength={500}
            value={head.about ?? ""}
            onChange={(event) => set({ about: event.currentTarget.value })}
          />
          <Text size="sm" c="dimmed">
            Of the rules that fit an event, one that hides wins, else the one with the highest priority. What a rule
            leaves empty it does not ask.
          </Text>
          {rules.map(({ number, rule }, at) => (
            <RuleLines
              key={number}
              place={at}
              rule={rule}
              share={preview.data?.rules.length === rules.length ? preview.data.rules[at] : undefined}
              faults={faults.filter(({ place }) => place.includes(`/rules/${at}/`))}
              onChange={(change) =>
                setRules(rules.map((one) => (one.number === number ? { number, rule: { ...rule, ...change } } : one)))
              }
              onRemove={() => setRules(rules.filter((one) => one.number !== number))}
            />
          ))}
          <Group>
            <Button size="xs" variant="default" onClick={add} disabled={rules.length >= 64}>
              Add a rule
            </Button>
          </Group>
          {preview.error && !faults.some(({ place }) => place.includes("/rules/")) && <Failure error={preview.error} />}
          {preview.data && !preview.error && <Tally of={preview.data} />}
          <Group gap="xs">
            <Button size="xs" type="submit" disabled={Boolean(preview.error)} loading={busy}>
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

/** Methods and submethods, as rules name them. */
function useMethodNames() {
  const methods = useQuery({
    queryKey: ["methods", "settings"],
    queryFn: () => got(api.GET("/api/v1/settings/methods")),
    staleTime: 60_000,
  });
  return (methods.data ?? []).flatMap(({ code, title, submethods }) => [
    { value: code, label: `${code}: ${title}` },
    ...submethods.map(({ name }) => ({ value: `${code}.${name}`, label: `${code}.${name}` })),
  ]);
}

interface RuleProps {
  place: number;
  rule: Rule;
  share: Preview["rules"][number] | undefined;
  faults: Fault[];
  onChange: (change: Partial<Rule>) => void;
  onRemove: () => void;
}

const FILTERS = [
  { name: "source", label: "Source", example: "ip 10.0.0.0/8 and not ip in @printers" },
  { name: "target", label: "One of the targets", example: "ip in @servers and port 445" },
  { name: "host", label: "Source or target", example: "ip 10.1.0.0/16" },
] as const;

function RuleLines({ place, rule, share, faults, onChange, onRemove }: RuleProps) {
  const names = useMethodNames();
  const known = new Set(names.map(({ value }) => value));
  const unknown = (rule.methods ?? []).filter((name) => !known.has(name));
  return (
    <Stack gap="xs" className="rule" component="fieldset" aria-label={`Rule ${place + 1}`}>
      <Group gap="xs" align="start" wrap="nowrap">
        <Select
          size="xs"
          w={160}
          label="Is"
          data={GIVE}
          allowDeselect={false}
          value={rule.give}
          onChange={(value) => value && onChange({ give: value })}
        />
        <MultiSelect
          size="xs"
          flex={1}
          label="What these methods found"
          placeholder={rule.methods?.length ? undefined : "any method"}
          searchable
          limit={100}
          hidePickedOptions
          data={[...names, ...unknown.map((value) => ({ value, label: value }))]}
          value={rule.methods ?? []}
          onChange={(methods) => onChange({ methods })}
        />
        <TagsInput
          size="xs"
          w={150}
          label="In feeds"
          placeholder={rule.feeds?.length ? undefined : "any"}
          value={rule.feeds ?? []}
          onChange={(feeds) => onChange({ feeds })}
        />
        <TagsInput
          size="xs"
          w={150}
          label="By instances"
          placeholder={rule.instances?.length ? undefined : "any"}
          value={rule.instances ?? []}
          onChange={(instances) => onChange({ instances })}
        />
        <ActionIcon variant="subtle" mt={24} aria-label={`Remove rule ${place + 1}`} onClick={onRemove}>
          <IconX size={16} />
        </ActionIcon>
      </Group>
      <Group gap="xs" grow align="start">
        {FILTERS.map(({ name, label, example }) => (
          <TextInput
            key={name}
            size="xs"
            label={label}
            placeholder={example}
            spellCheck={false}
            classNames={{ input: "mono" }}
            value={rule[name] ?? ""}
            error={faults.some((fault) => fault.place.endsWith(`/${name}`))}
            onChange={(event) => onChange({ [name]: event.currentTarget.value })}
          />
        ))}
      </Group>
      {faults.map((fault) => (
        <Code block key={fault.place + fault.detail} role="alert">
          {shown(fault.caret ?? fault.detail).replaceAll("\\u{a}", "\n")}
        </Code>
      ))}
      {share && faults.length === 0 && (
        <Text size="xs" c="dimmed" role="status">
          Fits {counted(share.fits, "event")}, decides about {count(share.takes)}.
        </Text>
      )}
    </Stack>
  );
}

/** What all rules together make of the events. */
function Tally({ of }: { of: Preview }) {
  const range = useRange();
  const when = range.since || range.t ? rangeWords(range) : "last 7d";
  const most = Math.max(1, of.hidden, ...of.priorities.flatMap(({ events, own }) => [events, own]));
  const rows = [
    ...of.priorities.map(({ priority, events, own }) => ({ name: priority, events, own: own as number | undefined })),
    { name: "hidden", events: of.hidden, own: undefined },
  ];
  return (
    <Table fz="sm" maw={720} aria-label="What it makes of events" captionSide="top">
      <Table.Caption>What it makes of events, {when}</Table.Caption>
      <Table.Thead>
        <Table.Tr>
          <Table.Th>Priority</Table.Th>
          <Table.Th w="45%" />
          <Table.Th ta="right">Seen so</Table.Th>
          <Table.Th ta="right">Methods said</Table.Th>
        </Table.Tr>
      </Table.Thead>
      <Table.Tbody>
        {rows.map(({ name, events, own }) => {
          const known = PRIORITIES.find((priority) => priority === name);
          return (
            <Table.Tr key={name}>
              <Table.Td>
                {known && (
                  <span aria-hidden="true" style={{ color: PRIORITY_COLOUR[known] }}>
                    {PRIORITY_MARK[known]}{" "}
                  </span>
                )}
                {name}
              </Table.Td>
              <Table.Td>
                <svg width="100%" height="10" aria-hidden="true">
                  <rect className="bar" width={`${(100 * events) / most}%`} height="10" rx="2" />
                </svg>
              </Table.Td>
              <Table.Td ta="right">{count(events)}</Table.Td>
              <Table.Td ta="right">{own === undefined ? "–" : count(own)}</Table.Td>
            </Table.Tr>
          );
        })}
      </Table.Tbody>
    </Table>
  );
}
