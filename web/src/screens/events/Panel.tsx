// An event beside the list: enough to decide, and the way to its page.
import { Button, Drawer, Group, Stack } from "@mantine/core";
import { useGo } from "../../app/navigate";
import { Shown } from "../../ui/parts";
import { Actions } from "../event/Actions";
import { Said, useEvent } from "../event/Event";
import { Facts } from "../event/Facts";
import { Rule } from "../event/Rule";

export function EventPanel({ id, close }: { id: string | undefined; close: () => void }) {
  return (
    <Drawer
      opened={id !== undefined}
      onClose={close}
      position="right"
      size="min(680px, 100vw)"
      overlayProps={{ backgroundOpacity: 0.15 }}
      title="Event"
      closeButtonProps={{ "aria-label": "Close" }}
    >
      {id && <Content id={id} />}
    </Drawer>
  );
}

function Content({ id }: { id: string }) {
  const go = useGo();
  return (
    <Shown of={useEvent(id)} rows={12}>
      {(event) => {
        const { evidence } = event.document;
        const until = event.document.end ?? event.document.last_update;
        return (
          <Stack>
            <Said event={event} />
            <Group gap="xs">
              <Button size="xs" onClick={() => go(`/events/${id}`)}>
                Open its page
              </Button>
              <Button
                size="xs"
                variant="default"
                onClick={() =>
                  go("/flows", {
                    filter: evidence.query,
                    t: undefined,
                    since: event.document.first_flow,
                    until: new Date(Date.parse(until) + 1000).toISOString(),
                  })
                }
              >
                Its flows
              </Button>
            </Group>
            <Group justify="start">
              <Actions event={event} />
            </Group>
            <Facts event={event} />
            <Rule document={event.document} />
          </Stack>
        );
      }}
    </Shown>
  );
}
