// Perspectives: how much events matter to one audience. Rules are tried over the last days while they are written.
import { ActionIcon, Badge, Button, FileButton, Group, Stack, Table, Text } from "@mantine/core";
import { IconTrash } from "@tabler/icons-react";
import { useMutation, useQueryClient } from "@tanstack/react-query";
import { useRef, useState } from "react";
import { api, got, type Schemas } from "../../api/client";
import { usePerspectives } from "../../app/perspective";
import { counted, time } from "../../ui/format";
import { Failure, Panel, Raw, Shown } from "../../ui/parts";
import { save } from "../../ui/save";
import { type Perspective, PerspectiveEditor } from "./PerspectiveEditor";
import { useMayEdit } from "./useSettings";

type Kept = Schemas["PerspectiveShown"];

/** What a list of events asks again when a perspective changed. */
const SEEN = ["perspectives", "overview", "events", "event", "hosts", "host"];

const NEW: Perspective = { name: "", title: "", about: "", rules: [], otherwise: "own" };

function useKeep(done: () => void) {
  const client = useQueryClient();
  return useMutation({
    mutationFn: async ({ perspective, version }: { perspective: Perspective; version: number }) =>
      got(
        api.PUT("/api/v1/perspectives/{name}", {
          params: { path: { name: perspective.name } },
          // A new one must not replace what somebody else made meanwhile.
          headers: { "if-match": `"${version}"` },
          body: perspective,
        }),
      ),
    onSuccess: async () => {
      done();
      await Promise.all(SEEN.map((key) => client.invalidateQueries({ queryKey: [key] })));
    },
  });
}

export function Perspectives() {
  const may = useMayEdit();
  const client = useQueryClient();
  const [edited, setEdited] = useState<{ perspective: Perspective; version: number }>();
  const perspectives = usePerspectives();
  const keep = useKeep(() => setEdited(undefined));
  const remove = useMutation({
    mutationFn: (name: string) =>
      got(api.DELETE("/api/v1/perspectives/{name}", { params: { path: { name } } })),
    onSuccess: () => Promise.all(SEEN.map((key) => client.invalidateQueries({ queryKey: [key] }))),
  });
  const edit = (perspective: Perspective, version: number) => {
    keep.reset();
    setEdited({ perspective, version });
  };
  return (
    <Stack>
      {keep.error && <Failure error={keep.error} />}
      {remove.error && <Failure error={remove.error} />}
      {edited ? (
        <PerspectiveEditor
          key={edited.perspective.name}
          perspective={edited.perspective}
          isNew={edited.version === 0}
          busy={keep.isPending}
          onKeep={(perspective) => keep.mutate({ perspective, version: edited.version })}
          onLeave={() => {
            keep.reset();
            setEdited(undefined);
          }}
        />
      ) : (
        <Carry may={may} onNew={() => edit(NEW, 0)} />
      )}
      <Panel
        title="Perspectives"
        note="They change what is shown, not what is detected, stored or sent. Everybody chooses one on the Overview, with the events or the hosts."
      >
        <Shown of={perspectives} rows={4}>
          {(all) => (
            <Table.ScrollContainer minWidth={640}>
              <Table fz="sm" aria-label="Perspectives">
                <Table.Tbody>
                  {all.map((one) => (
                    <Line
                      key={one.name}
                      of={one}
                      onEdit={may ? edit : undefined}
                      onRemove={() => remove.mutate(one.name)}
                    />
                  ))}
                </Table.Tbody>
              </Table>
            </Table.ScrollContainer>
          )}
        </Shown>
      </Panel>
    </Stack>
  );
}

/** What is sent back of a perspective that was shown. */
function written({ name, title, about, rules, otherwise }: Kept): Perspective {
  return { name, title, about, rules, otherwise };
}

interface LineProps {
  of: Kept;
  onEdit?: (perspective: Perspective, version: number) => void;
  onRemove: () => void;
}

function Line({ of, onEdit, onRemove }: LineProps) {
  const { otherwise = "own", rules = [] } = of;
  return (
    <Table.Tr>
      <Table.Td>
        <Raw>{of.title}</Raw>{" "}
        {of.chosen && (
          <Badge size="xs" variant="light" tt="none">
            your choice
          </Badge>
        )}
        <Text size="xs" c="dimmed">
          <Raw mono>{of.name}</Raw> {of.about && <Raw>{of.about}</Raw>}
        </Text>
        {of.broken && (
          <Text size="xs" c="red" role="alert">
            <Raw>{of.broken}</Raw>
          </Text>
        )}
      </Table.Td>
      <Table.Td>
        {counted(rules.length, "rule")}
        <Text size="xs" c="dimmed">
          otherwise {otherwise === "own" ? "as the method says" : otherwise}
        </Text>
      </Table.Td>
      <Table.Td>
        {of.built_in ? (
          "comes with Weir"
        ) : (
          <>
            {of.changed && time(of.changed)}
            <Text size="xs" c="dimmed">
              <Raw>{of.author ?? ""}</Raw>
            </Text>
          </>
        )}
      </Table.Td>
      <Table.Td>
        {onEdit && (
          <Group gap={4} wrap="nowrap" justify="end">
            {!of.built_in && (
              <Button size="compact-xs" variant="default" onClick={() => onEdit(written(of), of.version)}>
                Change
              </Button>
            )}
            <Button
              size="compact-xs"
              variant="default"
              onClick={() => onEdit({ ...written(of), name: "", title: "" }, 0)}
            >
              Copy
            </Button>
            {!of.built_in && (
              <ActionIcon size="sm" variant="default" aria-label={`Remove ${of.name}`} onClick={onRemove}>
                <IconTrash size={14} />
              </ActionIcon>
            )}
          </Group>
        )}
      </Table.Td>
    </Table.Tr>
  );
}

/** A new one, and all of them out of and into a file. */
function Carry({ may, onNew }: { may: boolean; onNew: () => void }) {
  const client = useQueryClient();
  const reset = useRef<() => void>(null);
  const take = useMutation({
    mutationFn: async (file: File) =>
      got(api.POST("/api/v1/perspectives/import", { body: JSON.parse(await file.text()) })),
    onSuccess: () => Promise.all(SEEN.map((key) => client.invalidateQueries({ queryKey: [key] }))),
  });
  const give = useMutation({
    mutationFn: () => got(api.GET("/api/v1/perspectives/export")),
    onSuccess: (all) => save("weir-perspectives.json", `${JSON.stringify(all, null, 2)}\n`, "application/json"),
  });
  return (
    <Stack gap="xs">
      <Group gap="xs">
        {may && (
          <Button size="xs" onClick={onNew}>
            New perspective
          </Button>
        )}
        <Button size="xs" variant="default" loading={give.isPending} onClick={() => give.mutate()}>
          Export all
        </Button>
        {may && (
          <FileButton
            accept="application/json,.json"
            resetRef={reset}
            onChange={(file) => {
              if (file) take.mutate(file);
              // The same file may be chosen again once it is mended.
              reset.current?.();
            }}
          >
            {(props) => (
              <Button size="xs" variant="default" loading={take.isPending} {...props}>
                Import
              </Button>
            )}
          </FileButton>
        )}
      </Group>
      {give.error && <Failure error={give.error} />}
      {take.error instanceof SyntaxError ? (
        <Text size="sm" c="red" role="alert">
          This file is no export of perspectives.
        </Text>
      ) : (
        take.error && <Failure error={take.error} />
      )}
      {take.data && (
        <Text size="sm" role="status">
          {counted(take.data.kept, "perspective")} kept.{" "}
          {take.data.results
            .filter(({ kept }) => !kept)
            .map(({ name, why }) => (
              <Raw key={name}>{`${name}: ${why ?? ""} `}</Raw>
            ))}
        </Text>
      )}
    </Stack>
  );
}
