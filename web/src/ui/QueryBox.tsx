// The one filter language in a box: completion at the cursor, errors where they are, what it means in words.
import { Button, Combobox, Group, Stack, Text, TextInput, useCombobox } from "@mantine/core";
import { useDebouncedValue } from "@mantine/hooks";
import { useQuery } from "@tanstack/react-query";
import { useEffect, useRef, useState } from "react";
import { api, got, type Schemas } from "../api/client";
import { shown } from "./safe";

const SUGGESTIONS_MAX = 10;

export function QueryBox({ value, onRun }: { value: string; onRun: (filter: string) => void }) {
  const [text, setText] = useState(value);
  const [cursor, setCursor] = useState(value.length);
  const [asked] = useDebouncedValue(text, 250);
  const input = useRef<HTMLInputElement>(null);
  const box = useCombobox();
  useEffect(() => setText(value), [value]);
  const checked = useQuery({
    queryKey: ["filter", asked],
    queryFn: () => got(api.GET("/api/v1/filter/check", { params: { query: { filter: asked } } })),
    enabled: asked.trim() !== "",
    staleTime: 60_000,
  });
  const offers = useQuery({
    queryKey: ["complete", asked, cursor],
    queryFn: () =>
      got(
        api.GET("/api/v1/filter/complete", {
          params: { query: { filter: asked, cursor: Math.min(cursor, asked.length) } },
        }),
      ),
    staleTime: 60_000,
    enabled: asked === text,
  });
  const take = (suggestion: Schemas["Suggestion"]) => {
    const next = `${text.slice(0, suggestion.from)}${suggestion.label} ${text.slice(suggestion.to).trimStart()}`;
    setText(next);
    setCursor(suggestion.from + suggestion.label.length + 1);
    input.current?.focus();
  };
  const suggestions = (offers.data ?? []).slice(0, SUGGESTIONS_MAX);
  const error = text === asked ? checked.data?.error : undefined;
  return (
    <Stack gap={4}>
      <form
        onSubmit={(event) => {
          event.preventDefault();
          box.closeDropdown();
          if (!error) onRun(text.trim());
        }}
      >
        <Group gap="xs" wrap="nowrap">
          <Combobox
            store={box}
            onOptionSubmit={(label) => {
              const suggestion = suggestions.find((one) => one.label === label);
              if (suggestion) take(suggestion);
            }}
          >
            <Combobox.Target>
              <TextInput
                ref={input}
                flex={1}
                aria-label="Filter"
                placeholder="dst port 445 and bytes > 1M — empty shows all"
                spellCheck={false}
                classNames={{ input: "mono" }}
                value={text}
                error={error ? true : undefined}
                onFocus={() => box.openDropdown()}
                onBlur={() => box.closeDropdown()}
                onKeyUp={(event) => setCursor(event.currentTarget.selectionStart ?? text.length)}
                onChange={(event) => {
                  setText(event.currentTarget.value);
                  setCursor(event.currentTarget.selectionStart ?? event.currentTarget.value.length);
                  box.openDropdown();
                }}
              />
            </Combobox.Target>
            <Combobox.Dropdown hidden={suggestions.length === 0}>
              <Combobox.Options aria-label="What can be typed here">
                {suggestions.map(({ label, about }) => (
                  <Combobox.Option key={label} value={label}>
                    <span className="mono">{label}</span>{" "}
                    <Text span size="xs" c="dimmed">
                      {about}
                    </Text>
                  </Combobox.Option>
                ))}
              </Combobox.Options>
            </Combobox.Dropdown>
          </Combobox>
          <Button type="submit">Search</Button>
        </Group>
      </form>
      {error ? (
        <div role="alert">
          {error.caret && <pre className="caret mono">{error.caret.split("\n").map(shown).join("\n")}</pre>}
          <Text size="sm" c="red">
            {shown(error.detail)}
            {error.nearest && `; did you mean ${shown(error.nearest)}?`}
          </Text>
        </div>
      ) : (
        <Text size="xs" c="dimmed">
          {text.trim() ? shown(checked.data?.explanation ?? " ") : "All flows of the window"}
        </Text>
      )}
    </Stack>
  );
}
