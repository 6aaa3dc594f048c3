// What became of a change: what holds now, and what waits for a restart.
import { Alert, Text } from "@mantine/core";
import type { Schemas } from "../../api/client";
import { Raw } from "../../ui/parts";

export function Outcome({ of }: { of: Schemas["Reload"] }) {
  if (of.rejected) {
    return (
      <Alert color="red" variant="light" title="Refused, nothing changed" role="alert">
        <Raw>{of.rejected}</Raw>
      </Alert>
    );
  }
  return (
    <Alert color="teal" variant="light" title="Changed" role="status">
      {of.applied.length > 0 && <Text size="sm">In force: {of.applied.join(", ")}</Text>}
      {of.needs_restart.length > 0 && <Text size="sm">After a restart: {of.needs_restart.join(", ")}</Text>}
      {of.applied.length + of.needs_restart.length === 0 && <Text size="sm">It was so already.</Text>}
    </Alert>
  );
}
