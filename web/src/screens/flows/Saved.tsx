// Searches people keep: one's own, and those that others share. A kept search is the address of this screen.
import { ActionIcon, Button, Checkbox, Group, Menu, Modal, Stack, TextInput } from "@mantine/core";
import { IconTrash } from "@tabler/icons-react";
import { useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { useState } from "react";
import { api, got } from "../../api/client";
import { useGo } from "../../app/navigate";
import { Empty, Failure } from "../../ui/parts";
import { shown } from "../../ui/safe";

type Search = Record<string, string | undefined>;

/** Words of the address that make a search; a cursor belongs to one moment only. */
const KEPT = ["filter", "by", "order", "sort", "t", "since", "until"];

export function Saved({ search }: { search: Search }) {
  const go = useGo();
  const client = useQueryClient();
  const again = () => client.invalidateQueries({ queryKey: ["searches"] });
  const [naming, setNaming] = useState(false);
  const searches = useQuery({ queryKey: ["searches"], queryFn: () => got(api.GET("/api/v1/searches")) });
  const forget = useMutation({
    mutationFn: (id: string) => got(api.DELETE("/api/v1/searches/{id}", { params: { path: { id } } })),
    onSuccess: again,
  });
  const list = (searches.data ?? []).filter(({ kind }) => kind === "flows");
  const open = (query: unknown) => {
    const words = (query ?? {}) as Record<string, unknown>;
    go(
      "/flows",
      Object.fromEntries(KEPT.map((name) => [name, typeof words[name] === "string" ? words[name] : undefined])),
    );
  };
  return (
    <>
      <Menu position="bottom-end" width={300}>
        <Menu.Target>
          <Button size="xs" variant="default">
            Saved searches
          </Button>
        </Menu.Target>
        <Menu.Dropdown>
          {list.length === 0 && <Empty title="None yet" />}
          {list.map(({ id, name, query, own, owner }) => (
            <Group key={id} gap={2} wrap="nowrap">
              <Menu.Item onClick={() => open(query)}>
                {shown(name)}
                {!own && ` (${shown(owner)})`}
              </Menu.Item>
              {own && (
                <ActionIcon
                  variant="subtle"
                  size="sm"
                  aria-label={`Forget ${shown(name)}`}
                  onClick={() => forget.mutate(id)}
                >
                  <IconTrash size={14} />
                </ActionIcon>
              )}
            </Group>
          ))}
          <Menu.Divider />
          <Menu.Item onClick={() => setNaming(true)}>Save this search</Menu.Item>
        </Menu.Dropdown>
      </Menu>
      {forget.error && <Failure error={forget.error} />}
      <Modal
        opened={naming}
        onClose={() => setNaming(false)}
        title="Save this search"
        closeButtonProps={{ "aria-label": "Close" }}
      >
        <Naming
          search={search}
          done={() => {
            setNaming(false);
            void again();
          }}
        />
      </Modal>
    </>
  );
}

function Naming({ search, done }: { search: Search; done: () => void }) {
  const [name, setName] = useState("");
  const [shared, setShared] = useState(false);
  const keep = useMutation({
    mutationFn: () => {
      const query = Object.fromEntries(KEPT.flatMap((word) => (search[word] ? [[word, search[word]]] : [])));
      return got(api.POST("/api/v1/searches", { body: { kind: "flows", name: name.trim(), query, shared } as never }));
    },
    onSuccess: done,
  });
  return (
    <form
      onSubmit={(submit) => {
        submit.preventDefault();
        keep.mutate();
      }}
    >
      <Stack gap="sm">
        <TextInput
          label="Name of the search"
          required
          data-autofocus
          value={name}
          onChange={(change) => setName(change.currentTarget.value)}
        />
        <Checkbox
          label="Others see it, too"
          checked={shared}
          onChange={(change) => setShared(change.currentTarget.checked)}
        />
        {keep.error && <Failure error={keep.error} />}
        <Button type="submit" disabled={!name.trim()} loading={keep.isPending}>
          Save
        </Button>
      </Stack>
    </form>
  );
}
