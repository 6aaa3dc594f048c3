// One verb for all events that are selected.
import { Button, Group, Menu, Text } from "@mantine/core";
import { useHotkeys } from "@mantine/hooks";
import { useState } from "react";
import { useAct } from "../../app/act";
import { useMayAct, useSession } from "../../app/session";
import { Failure } from "../../ui/parts";
import { Words } from "../event/Actions";

export function Bulk({ ids, done }: { ids: string[]; done: () => void }) {
  const may = useMayAct();
  const me = useSession()?.user?.name;
  const act = useAct(done);
  const [asking, setAsking] = useState<"label" | "assign" | "false_positive">();
  useHotkeys([["a", () => may && act.mutate({ ids, verb: "acknowledge" })]]);
  if (!may) return null;
  const question = {
    label: { label: "Category for all", button: "Add" },
    assign: { label: "To whom?", button: "Assign" },
    false_positive: { label: "Why are they false?", button: "Mark" },
  };
  return (
    <Group gap="xs" align="end">
      <Text size="sm">{ids.length} selected</Text>
      <Button size="xs" loading={act.isPending} onClick={() => act.mutate({ ids, verb: "acknowledge" })}>
        Acknowledge
      </Button>
      <Button size="xs" variant="default" onClick={() => act.mutate({ ids, verb: "close" })}>
        Resolve
      </Button>
      <Button size="xs" variant="default" onClick={() => act.mutate({ ids, verb: "reopen" })}>
        Reopen
      </Button>
      <Menu position="bottom-end">
        <Menu.Target>
          <Button size="xs" variant="default">
            More
          </Button>
        </Menu.Target>
        <Menu.Dropdown>
          <Menu.Item onClick={() => setAsking("label")}>Add a category</Menu.Item>
          {me && <Menu.Item onClick={() => act.mutate({ ids, verb: "assign", text: me })}>Give to me</Menu.Item>}
          <Menu.Item onClick={() => setAsking("assign")}>Give to somebody</Menu.Item>
          <Menu.Item onClick={() => setAsking("false_positive")}>False positives</Menu.Item>
        </Menu.Dropdown>
      </Menu>
      {asking && (
        <Words
          {...question[asking]}
          done={(text) => {
            act.mutate({ ids, verb: asking, text });
            setAsking(undefined);
          }}
        />
      )}
      {act.error && <Failure error={act.error} />}
    </Group>
  );
}
