// Why the event was raised: the rule with its numbers.
import { Code, Table, Text } from "@mantine/core";
import type { Schemas } from "../../api/client";
import { words } from "../../ui/format";
import { Panel } from "../../ui/parts";

export type Values = Record<string, unknown>;

/** The rule that held, each input beside its limit, and the nearest value that would have kept silent. */
export function Rule({ document }: { document: Schemas["EventDocument"] }) {
  const { rule, silent_below } = document.explanation;
  const inputs = document.explanation.inputs as Values;
  const limits = document.explanation.limits as Values;
  const baseline = (document.explanation.baseline ?? {}) as Values;
  const silent = silent_below as Values;
  const decisive = Object.keys(inputs).filter((name) => name in silent);
  const others = Object.keys(inputs).filter((name) => !(name in silent));
  return (
    <Panel title="Why it was raised" note="The rule that held, with its numbers.">
      <Code block>{rule}</Code>
      <Table mt="sm" fz="sm" aria-label="Numbers of the rule">
        <Table.Thead>
          <Table.Tr>
            <Table.Th>Seen</Table.Th>
            <Table.Th ta="right">Value</Table.Th>
            <Table.Th ta="right">Silent until</Table.Th>
            <Table.Th w="35%">Seen against limit</Table.Th>
          </Table.Tr>
        </Table.Thead>
        <Table.Tbody>
          {decisive.map((name) => (
            <Table.Tr key={name}>
              <Table.Td>{words(name)}</Table.Td>
              <Table.Td ta="right">{plain(inputs[name])}</Table.Td>
              <Table.Td ta="right">{plain(silent[name])}</Table.Td>
              <Table.Td>
                <Against value={inputs[name]} limit={silent[name]} name={words(name)} />
              </Table.Td>
            </Table.Tr>
          ))}
        </Table.Tbody>
      </Table>
      {others.length > 0 && (
        <Text size="sm" mt="xs">
          Seen as well: {others.map((name) => `${words(name)} ${plain(inputs[name])}`).join(", ")}
        </Text>
      )}
      {Object.keys(baseline).length > 0 && (
        <Text size="sm" mt="xs">
          Usual here: {pairs(baseline)}
        </Text>
      )}
      <details className="quiet">
        <summary>All limits of the method</summary>
        <Text size="xs" c="dimmed" className="raw">
          {pairs(limits)}
        </Text>
      </details>
    </Panel>
  );
}

/** A value as text; numbers with at most three digits behind the point. */
export function plain(value: unknown): string {
  if (typeof value === "number")
    return new Intl.NumberFormat("en", { maximumFractionDigits: 3 }).format(value);
  return typeof value === "string" ? value : JSON.stringify(value);
}

function pairs(values: Values): string {
  return Object.entries(values)
    .map(([name, value]) => `${words(name)} ${plain(value)}`)
    .join(", ");
}

/** How far what was seen lies beyond what would have been silent; nothing when they are no numbers. */
function Against({ value, limit, name }: { value: unknown; limit: unknown; name: string }) {
  if (typeof value !== "number" || typeof limit !== "number") return null;
  const most = Math.max(Math.abs(value), Math.abs(limit)) * 1.1 || 1;
  const at = (number: number) => `${(100 * Math.abs(number)) / most}%`;
  return (
    <svg width="100%" height="14" role="img" aria-label={`${name}: ${plain(value)} against ${plain(limit)}`}>
      <rect x="0" y="3" width="100%" height="8" rx="4" fill="currentColor" opacity="0.12" />
      <rect x="0" y="3" width={at(value)} height="8" rx="4" fill="currentColor" opacity="0.55" />
      <line x1={at(limit)} x2={at(limit)} y1="0" y2="14" stroke="currentColor" strokeWidth="2" />
    </svg>
  );
}
