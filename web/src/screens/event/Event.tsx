// One event: what happened, who, how sure, what proves it, what next. The evidence is what was frozen when it was raised.
import { Badge, Group, Stack, Tabs, Text, Title } from "@mantine/core";
import { useQuery } from "@tanstack/react-query";
import { useParams, useSearch } from "@tanstack/react-router";
import { api, got, type Schemas } from "../../api/client";
import { useSetSearch } from "../../app/navigate";
import { useSeenFrom } from "../../app/perspective";
import { PriorityBadge, Raw, Shown } from "../../ui/parts";
import { Actions } from "./Actions";
import { Evidence } from "./Evidence";
import { Facts } from "./Facts";
import { Rule } from "./Rule";
import { Attributes, Categories, Comments, History, Targets } from "./Tabs";

type Detail = Schemas["EventDetail"];

export function useEvent(id: string) {
  const { seenFrom, known } = useSeenFrom();
  return useQuery({
    queryKey: ["event", id, seenFrom],
    queryFn: () => got(api.GET("/api/v1/events/{id}", { params: { path: { id }, query: seenFrom } })),
    enabled: known,
  });
}

export function EventScreen() {
  const { id } = useParams({ strict: false }) as { id: string };
  return (
    <Shown of={useEvent(id)} rows={12}>
      {(event) => (
        <Stack>
          <Group justify="space-between" align="start">
            <Said event={event} />
            <Actions event={event} />
          </Group>
          <div className="grid">
            <Facts event={event} />
            <Rule document={event.document} />
          </div>
          <More event={event} />
        </Stack>
      )}
    </Shown>
  );
}

/** The title and the sentence that says why. */
export function Said({ event }: { event: Detail }) {
  return (
    <div>
      <Group gap="sm">
        <Title order={1} size="h3">
          {event.title}
        </Title>
        <PriorityBadge priority={event.priority} />
        <Badge variant="light" tt="none">
          {event.state === "open" ? "goes on" : "over"}
        </Badge>
        <Badge variant="light" color="gray" tt="none">
          {event.workflow}
        </Badge>
        {event.assignee && (
          <Text size="sm">
            for <Raw>{event.assignee}</Raw>
          </Text>
        )}
        {event.false_positive && (
          <Badge color="gray" variant="light" tt="none">
            false positive
          </Badge>
        )}
      </Group>
      <Text className="why" mt={6}>
        <Raw>{event.reason}</Raw>
      </Text>
    </div>
  );
}

/** What is chosen stands in the address, so that a link opens the same tab. */
function More({ event }: { event: Detail }) {
  const { document } = event;
  const { tab } = useSearch({ strict: false }) as { tab?: string };
  const setSearch = useSetSearch();
  return (
    <Tabs
      value={tab ?? "evidence"}
      onChange={(chosen) => setSearch({ tab: chosen === "evidence" ? undefined : (chosen ?? undefined) }, true)}
      keepMounted={false}
    >
      <Tabs.List>
        <Tabs.Tab value="evidence">Event evidence ({document.evidence.flow_count})</Tabs.Tab>
        <Tabs.Tab value="targets">Targets ({event.target_count})</Tabs.Tab>
        <Tabs.Tab value="comments">Comments ({event.comments.length})</Tabs.Tab>
        <Tabs.Tab value="categories">Categories ({event.labels.length})</Tabs.Tab>
        <Tabs.Tab value="attributes">Attributes ({Object.keys(document.detail).length})</Tabs.Tab>
        <Tabs.Tab value="history">History ({event.history.length})</Tabs.Tab>
      </Tabs.List>
      <Tabs.Panel value="evidence" pt="sm">
        <Evidence document={document} />
      </Tabs.Panel>
      <Tabs.Panel value="targets" pt="sm">
        <Targets document={document} />
      </Tabs.Panel>
      <Tabs.Panel value="comments" pt="sm">
        <Comments event={event} />
      </Tabs.Panel>
      <Tabs.Panel value="categories" pt="sm">
        <Categories event={event} />
      </Tabs.Panel>
      <Tabs.Panel value="attributes" pt="sm">
        <Attributes document={document} />
      </Tabs.Panel>
      <Tabs.Panel value="history" pt="sm">
        <History event={event} />
      </Tabs.Panel>
    </Tabs>
  );
}
