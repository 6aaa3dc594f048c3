// The window of time: presets, a window of one's own, and steps back and forth.
import { ActionIcon, Button, Group, Menu, Stack, Text, TextInput } from "@mantine/core";
import { IconChevronLeft, IconChevronRight, IconClock } from "@tabler/icons-react";
import { useState } from "react";
import { useRange, useSetSearch } from "./navigate";
import { asQuery, PRESETS, type Range, rangeWords } from "./range";
import { useSession } from "./session";

const UNIT_MS: Record<string, number> = { s: 1e3, m: 6e4, h: 3.6e6, d: 8.64e7 };

function moment(word: string, now: number): number {
  const back = /^now-(\d+)([smhd])$/.exec(word);
  if (back) return now - Number(back[1]) * (UNIT_MS[back[2] ?? "h"] ?? 0);
  return word === "now" ? now : Date.parse(word);
}

/** Both ends in milliseconds since 1970. */
function ends(range: Range, now: number): [number, number] {
  const { since, until } = asQuery(range);
  return [moment(since, now), moment(until ?? "now", now)];
}

export function RangePicker() {
  const range = useRange();
  const setSearch = useSetSearch();
  const [since, setSince] = useState("");
  const [until, setUntil] = useState("");
  const session = useSession();
  const shift = (by: number) => {
    // In a demonstration time ends where its data end.
    const [from, to] = ends(range, session?.demo ? Date.parse(session.now) : Date.now());
    const step = (to - from) * by;
    setSearch({
      t: undefined,
      since: new Date(from + step).toISOString(),
      until: new Date(to + step).toISOString(),
      cursor: undefined,
    });
  };
  const iso = (text: string) => (text ? new Date(`${text}Z`).toISOString() : undefined);
  return (
    <Group gap={4} wrap="nowrap">
      <ActionIcon variant="subtle" aria-label="Earlier" onClick={() => shift(-0.5)}>
        <IconChevronLeft size={18} />
      </ActionIcon>
      <Menu width={280} position="bottom-end">
        <Menu.Target>
          <Button variant="default" size="xs" leftSection={<IconClock size={14} />} data-hotkey="time">
            {rangeWords(range)}
          </Button>
        </Menu.Target>
        <Menu.Dropdown>
          {PRESETS.map((t) => (
            <Menu.Item
              key={t}
              onClick={() => setSearch({ t, since: undefined, until: undefined, cursor: undefined })}
            >
              last {t}
            </Menu.Item>
          ))}
          <Menu.Divider />
          <Stack gap="xs" p="xs">
            <Text size="xs" c="dimmed">
              A window of your own, in UTC
            </Text>
            <TextInput
              size="xs"
              type="datetime-local"
              label="From"
              value={since}
              onChange={(event) => setSince(event.currentTarget.value)}
            />
            <TextInput
              size="xs"
              type="datetime-local"
              label="To (now when empty)"
              value={until}
              onChange={(event) => setUntil(event.currentTarget.value)}
            />
            <Button
              size="xs"
              disabled={!since}
              onClick={() =>
                setSearch({ t: undefined, since: iso(since), until: iso(until), cursor: undefined })
              }
            >
              Show
            </Button>
          </Stack>
        </Menu.Dropdown>
      </Menu>
      <ActionIcon variant="subtle" aria-label="Later" onClick={() => shift(0.5)}>
        <IconChevronRight size={18} />
      </ActionIcon>
    </Group>
  );
}
