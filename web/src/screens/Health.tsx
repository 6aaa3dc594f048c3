// Can the data be trusted? Sources, books that must come out even, stores, and what cannot be seen here.
import { Badge, Group, Stack, Table, Text } from "@mantine/core";
import { useQuery } from "@tanstack/react-query";
import { api, got, type Schemas } from "../api/client";
import { Checklist } from "../ui/Checklist";
import { bytes, count, time } from "../ui/format";
import { Empty, Fact, Go, Panel, Raw, Shown } from "../ui/parts";
import { Snippets } from "./Snippets";

type Status = Schemas["Status"];

const STATE_COLOUR: Record<Schemas["SourceState"], string> = {
  live: "teal",
  done: "teal",
  waiting: "gray",
  silent: "yellow",
  failed: "red",
};

export function HealthScreen() {
  const health = useQuery({
    queryKey: ["health"],
    queryFn: () => got(api.GET("/api/v1/health")),
    refetchInterval: 5_000,
  });
  return (
    <Shown of={health} rows={12}>
      {({ status, level, reasons }) => (
        <Stack>
          <Panel title="In short">
            <Badge color={{ good: "teal", warning: "yellow", bad: "red" }[level]} variant="light" tt="none">
              {{ good: "sound", warning: "with gaps", bad: "not to be trusted" }[level]}
            </Badge>
            {reasons.map((reason) => (
              <Text key={reason} size="sm" mt={4}>
                <Raw>{reason}</Raw>
              </Text>
            ))}
          </Panel>
          <Sources sources={status.sources} />
          <div className="grid">
            <Panel title="Checklist" note="What is done and what is left.">
              <Checklist />
            </Panel>
            <Books books={status.books} />
            <Stores stores={status.stores} />
            <Anomalies anomalies={status.anomalies} />
          </div>
          {status.reload && <Reload reload={status.reload} />}
          <BlindSpots blind={status.blind} />
        </Stack>
      )}
    </Shown>
  );
}

function Sources({ sources }: { sources: Status["sources"] }) {
  return (
    <Panel title="Sources">
      {sources.length === 0 && (
        <Empty title="Nothing delivers yet">Give a capture file, or let a router send its flows here:</Empty>
      )}
      {sources.length > 0 && (
        <Table fz="sm" aria-label="Sources">
          <Table.Thead>
            <Table.Tr>
              <Table.Th>Source</Table.Th>
              <Table.Th>State</Table.Th>
              <Table.Th ta="right">Flows/s</Table.Th>
              <Table.Th ta="right">Flows</Table.Th>
              <Table.Th ta="right">Packets</Table.Th>
              <Table.Th ta="right">Bytes</Table.Th>
              <Table.Th ta="right">Lost</Table.Th>
              <Table.Th>Last (UTC)</Table.Th>
            </Table.Tr>
          </Table.Thead>
          <Table.Tbody>
            {sources.map((source) => (
              <Table.Tr key={source.kind + source.name}>
                <Table.Td>
                  {source.kind === "exporter" ? (
                    <Go to={`/exporters/${source.name}`} className="go mono">
                      {source.name}
                    </Go>
                  ) : (
                    <Raw mono>{source.name}</Raw>
                  )}
                  <Text size="xs" c="dimmed">
                    {source.kind}
                  </Text>
                </Table.Td>
                <Table.Td>
                  <Badge color={STATE_COLOUR[source.state]} variant="light" tt="none">
                    {source.state}
                  </Badge>
                  {source.trouble && (
                    <Text size="xs">
                      <Raw>{source.trouble}</Raw>
                    </Text>
                  )}
                </Table.Td>
                <Table.Td ta="right">{count(source.flows_per_s)}</Table.Td>
                <Table.Td ta="right">{count(source.flows)}</Table.Td>
                <Table.Td ta="right">{count(source.packets)}</Table.Td>
                <Table.Td ta="right">{bytes(source.bytes)}</Table.Td>
                <Table.Td ta="right">{count(source.lost)}</Table.Td>
                <Table.Td className="mono">{time(source.last)}</Table.Td>
              </Table.Tr>
            ))}
          </Table.Tbody>
        </Table>
      )}
      <Snippets open={sources.length === 0} />
    </Panel>
  );
}

function Reload({ reload }: { reload: Schemas["Reload"] }) {
  const list = (keys: string[]) => keys.join(", ") || "nothing";
  return (
    <Panel title="Configuration" note={`Read again at ${time(reload.at)} UTC.`}>
      {reload.rejected ? (
        <Text size="sm" fw={600}>
          Refused, nothing changed: <Raw>{reload.rejected}</Raw>
        </Text>
      ) : (
        <dl>
          <Fact name="Applied">{list(reload.applied)}</Fact>
          <Fact name="Needs a restart">{list(reload.needs_restart)}</Fact>
        </dl>
      )}
    </Panel>
  );
}

function Books({ books }: { books: Status["books"] }) {
  return (
    <Panel title="Books" note="Everything received is accounted for, or named here.">
      {books.length ? (
        books.map((book) => (
          <Group key={book.name} justify="space-between" align="start" wrap="nowrap" mb="xs">
            <div>
              <Text size="sm">{book.name}</Text>
              <Text size="xs" c="dimmed">
                {book.parts.map(({ name, count: part }) => `${name} ${count(part)}`).join(" + ")} ={" "}
                {count(book.total)}
              </Text>
            </div>
            <Badge color={book.even ? "teal" : "red"} variant="light" tt="none" className="keep">
              {book.even ? "even" : "not even"}
            </Badge>
          </Group>
        ))
      ) : (
        <Empty title="Nothing to account for yet" />
      )}
    </Panel>
  );
}

function Stores({ stores }: { stores: Status["stores"] }) {
  return (
    <Panel title="Stores">
      <Table fz="sm" aria-label="Stores">
        <Table.Tbody>
          {stores.map((store) => (
            <Table.Tr key={store.name}>
              <Table.Td>
                {store.name}
                {store.trouble && (
                  <Text size="xs" fw={600}>
                    <Raw>{store.trouble}</Raw>
                  </Text>
                )}
              </Table.Td>
              <Table.Td ta="right">{count(store.rows)} rows</Table.Td>
              <Table.Td ta="right">{bytes(store.bytes)}</Table.Td>
              <Table.Td ta="right">
                {store.days_left != null ? `${count(store.days_left)} days left` : ""}
              </Table.Td>
            </Table.Tr>
          ))}
        </Table.Tbody>
      </Table>
    </Panel>
  );
}

function Anomalies({ anomalies }: { anomalies: Status["anomalies"] }) {
  return (
    <Panel title="Oddities of the input">
      {anomalies.length ? (
        <Table fz="sm" aria-label="Oddities">
          <Table.Tbody>
            {anomalies.map(({ name, count: times }) => (
              <Table.Tr key={name}>
                <Table.Td>{name.replaceAll("_", " ")}</Table.Td>
                <Table.Td ta="right">{count(times)}</Table.Td>
              </Table.Tr>
            ))}
          </Table.Tbody>
        </Table>
      ) : (
        <Empty title="None" />
      )}
    </Panel>
  );
}

function BlindSpots({ blind }: { blind: Status["blind"] }) {
  return (
    <Panel title="What cannot be seen here" note="Submethods the feed or the configuration is too poor for.">
      {blind.length ? (
        blind.map(({ missing, submethods }) => (
          <Text key={missing} size="sm">
            <Text span fw={600} size="sm">
              {missing}:
            </Text>{" "}
            {submethods.join(", ")}
          </Text>
        ))
      ) : (
        <Empty title="Nothing is blind" />
      )}
    </Panel>
  );
}
