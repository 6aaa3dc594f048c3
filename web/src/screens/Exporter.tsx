// One exporter: what it sends, how well it arrives, and what the methods can see of it.
import { Badge, Code, Stack, Table, Text, Title } from "@mantine/core";
import { useQuery } from "@tanstack/react-query";
import { useParams } from "@tanstack/react-router";
import { api, got, type Schemas } from "../api/client";
import { count, counted, duration, time } from "../ui/format";
import { Empty, Fact, Go, Panel, Raw, Shown } from "../ui/parts";

type Exporter = Schemas["Exporter"];

/** Clocks that differ less agree. */
const SKEW_TOLD_S = 5;

export function ExporterScreen() {
  const { address } = useParams({ strict: false }) as { address: string };
  const exporter = useQuery({
    queryKey: ["exporters", address],
    queryFn: () => got(api.GET("/api/v1/exporters/{address}", { params: { path: { address } } })),
    refetchInterval: 5_000,
  });
  return (
    <Stack>
      <Title order={1} size="h3">
        Exporter <Raw mono>{address}</Raw>
      </Title>
      <Shown of={exporter} rows={12}>
        {(known) => (
          <>
            {known.notes.map((note) => (
              <Text key={note} size="sm" fw={600}>
                {note}
              </Text>
            ))}
            <div className="grid">
              <Facts of={known} />
              <Counts of={known} />
            </div>
            <Coverage of={known} />
            <Panel title="Elements" note="Of the templates it announced.">
              <Code block className="wrapped">
                {known.elements.join(", ") || "none"}
              </Code>
            </Panel>
          </>
        )}
      </Shown>
      <Go to="/health">All sources</Go>
    </Stack>
  );
}

function clock(skew_s: number): string {
  if (Math.abs(skew_s) < SKEW_TOLD_S) return "agrees with ours";
  return `${duration(Math.abs(skew_s))} ${skew_s > 0 ? "behind" : "ahead of"} ours`;
}

function Facts({ of }: { of: Exporter }) {
  const seconds = (value: number | null | undefined) => (value == null ? "not visible" : `${value} s`);
  const sampled = of.sampling.filter((one) => one > 1).map((one) => `1 of ${one}`);
  const all = of.lost + of.records;
  return (
    <Panel title="In short">
      <dl>
        <Fact name="State">{of.state}</Fact>
        <Fact name="Records">
          {count(of.records)} in {counted(of.messages, "message")}; {count(Math.round(of.records_per_s))}/s lately
        </Fact>
        <Fact name="Format">{of.formats.join(", ")}</Fact>
        <Fact name="Domains, templates">
          {of.domains}, {of.templates}
        </Fact>
        <Fact name="Lost">
          {count(of.lost)}
          {all > 0 && ` (${((of.lost * 100) / all).toFixed(1)} %)`} by sequence numbers
        </Fact>
        <Fact name="One way">{of.one_way == null ? "–" : `${(of.one_way * 100).toFixed(1)} % found no counterpart`}</Fact>
        <Fact name="Clock">{clock(of.skew_s)}</Fact>
        <Fact name="Sampling">{sampled.join(", ") || "none"}</Fact>
        <Fact name="Time-outs">
          active {seconds(of.active_timeout_s)}, idle {seconds(of.idle_timeout_s)}
        </Fact>
        <Fact name="Seen (UTC)">
          {time(of.first)} to {time(of.last)}
        </Fact>
      </dl>
    </Panel>
  );
}

function Counts({ of }: { of: Exporter }) {
  return (
    <Panel title="Counted">
      {of.counts.length ? (
        <Table fz="sm" aria-label="Counted">
          <Table.Tbody>
            {of.counts.map(({ name, count: times }) => (
              <Table.Tr key={name}>
                <Table.Td>{name.replaceAll("_", " ")}</Table.Td>
                <Table.Td ta="right">{count(times)}</Table.Td>
              </Table.Tr>
            ))}
          </Table.Tbody>
        </Table>
      ) : (
        <Empty title="Nothing yet" />
      )}
    </Panel>
  );
}

const REACH: Record<Schemas["MethodReach"], [word: string, colour: string]> = {
  full: ["sees all", "teal"],
  part: ["in part", "yellow"],
  blind: ["blind", "gray"],
};

function Coverage({ of }: { of: Exporter }) {
  const full = of.methods.filter(({ reach }) => reach === "full");
  const rest = of.methods.filter(({ reach }) => reach !== "full");
  return (
    <Panel
      title="What methods can see of it"
      note={`${full.length} of ${of.methods.length} methods that are switched on see everything they look for.`}
    >
      <Text size="sm" mb="xs">
        {full.map(({ method }) => method).join(", ")}
      </Text>
      <Table fz="sm" aria-label="Coverage">
        <Table.Tbody>
          {rest.map(({ method, reach, missing }) => (
            <Table.Tr key={method}>
              <Table.Td>
                <Go to={`/methods/${method}`}>{method}</Go>
              </Table.Td>
              <Table.Td>
                <Badge size="sm" color={REACH[reach][1]} variant="light" tt="none">
                  {REACH[reach][0]}
                </Badge>
              </Table.Td>
              <Table.Td>
                {missing.map(({ submethod, needs }) => (
                  <Text key={submethod ?? ""} size="xs">
                    {submethod ? `${submethod} needs ${needs}` : `needs ${needs}`}
                  </Text>
                ))}
              </Table.Td>
            </Table.Tr>
          ))}
        </Table.Tbody>
      </Table>
    </Panel>
  );
}
