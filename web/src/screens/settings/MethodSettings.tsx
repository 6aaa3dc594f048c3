// Methods as they are set: on or off, priority, submethods, and each parameter with its documentation beside it.
import { Badge, Button, Checkbox, Group, NativeSelect, Select, Stack, Switch, Table, Text, TextInput } from "@mantine/core";
import { useQuery } from "@tanstack/react-query";
import { useState } from "react";
import { api, got, type Schemas } from "../../api/client";
import { PRIORITIES } from "../../app/theme";
import { count } from "../../ui/format";
import { Failure, Panel, Raw, Shown } from "../../ui/parts";
import { readAs, written } from "../../ui/value";
import { Outcome } from "./Outcome";
import { useChange, useMayEdit, useSettings } from "./useSettings";

type Method = Schemas["MethodSettings"];
type Instance = Schemas["InstanceSettings"];

export function MethodSettings() {
  const [slug, setSlug] = useState<string | null>(null);
  const settings = useSettings();
  const change = useChange(settings.data?.etag);
  const methods = useQuery({
    queryKey: ["methods", "settings"],
    queryFn: () => got(api.GET("/api/v1/settings/methods")),
  });
  return (
    <Shown of={methods} rows={8}>
      {(list) => {
        const method = list.find((one) => one.slug === slug) ?? list[0];
        return (
          <Stack>
            <Select
              w={420}
              label="Method"
              searchable
              allowDeselect={false}
              data={list.map((one) => ({ value: one.slug, label: `${one.code}: ${one.title}` }))}
              value={method?.slug ?? null}
              onChange={(chosen) => {
                change.reset();
                setSlug(chosen);
              }}
            />
            {change.error && <Failure error={change.error} />}
            {change.data && <Outcome of={change.data} />}
            {method && (
              <>
                <Text size="sm">{method.what}</Text>
                {method.instances.map((instance) => (
                  <Form
                    // Begun anew with what holds after a change.
                    key={method.slug + JSON.stringify(instance)}
                    method={method}
                    instance={instance}
                    change={change}
                  />
                ))}
              </>
            )}
          </Stack>
        );
      }}
    </Shown>
  );
}

interface FormProps {
  method: Method;
  instance: Instance;
  change: ReturnType<typeof useChange>;
}

function Form({ method, instance, change }: FormProps) {
  const may = useMayEdit();
  const [enabled, setEnabled] = useState(instance.enabled);
  const [priority, setPriority] = useState(instance.priority);
  const [off, setOff] = useState(instance.off);
  const [filter, setFilter] = useState(instance.filter ?? "");
  const [values, setValues] = useState<Record<string, string>>({});
  // Several instances are a list in the operator's file, which this screen does not take apart.
  const editable = may && method.instances.length === 1;
  const patch = () => {
    const changed: Record<string, unknown> = {};
    if (enabled !== instance.enabled) changed.enabled = enabled;
    if (priority !== instance.priority) changed.priority = priority;
    if (off.join() !== instance.off.join()) changed.off = off;
    if (filter !== (instance.filter ?? "")) changed.filter = filter || null;
    for (const { name, value } of instance.params) {
      const text = values[name];
      if (text !== undefined && text !== written(value)) changed[name] = readAs(value, text);
    }
    return changed;
  };
  const pending = Object.keys(patch()).length > 0;
  return (
    <Panel title={method.instances.length > 1 ? `Instance ${instance.name}` : method.code}>
      <form
        onSubmit={(submit) => {
          submit.preventDefault();
          change.mutate({ methods: { [method.slug]: patch() } });
        }}
      >
        <Stack gap="sm">
          <Group gap="lg" align="end">
            <Switch
              label="looks for it"
              checked={enabled}
              disabled={!editable}
              onChange={(event) => setEnabled(event.currentTarget.checked)}
            />
            <NativeSelect
              size="xs"
              label="Priority of its events"
              data={[...PRIORITIES]}
              value={priority}
              disabled={!editable}
              onChange={(event) => setPriority(event.currentTarget.value)}
            />
            <TextInput
              size="xs"
              w={360}
              label="Records it sees, as a filter"
              placeholder="all"
              value={filter}
              disabled={!editable}
              onChange={(event) => setFilter(event.currentTarget.value)}
            />
          </Group>
          <Checkbox.Group
            label="Submethods"
            value={method.submethods.map(({ name }) => name).filter((name) => !off.includes(name))}
            onChange={(on) => setOff(method.submethods.map(({ name }) => name).filter((name) => !on.includes(name)))}
          >
            <Stack gap={4} mt={4}>
              {method.submethods.map(({ name, about }) => (
                <Checkbox key={name} size="xs" value={name} label={name} description={about} disabled={!editable} />
              ))}
            </Stack>
          </Checkbox.Group>
          {instance.params.length > 0 && (
            <Table fz="sm" aria-label={`Parameters of ${method.code}`}>
              <Table.Thead>
                <Table.Tr>
                  <Table.Th>Parameter</Table.Th>
                  <Table.Th>Value</Table.Th>
                  <Table.Th>What it does</Table.Th>
                </Table.Tr>
              </Table.Thead>
              <Table.Tbody>
                {instance.params.map((param) => (
                  <Table.Tr key={param.name}>
                    <Table.Td className="mono">{param.name}</Table.Td>
                    <Table.Td>
                      <TextInput
                        size="xs"
                        w={180}
                        aria-label={param.name}
                        disabled={!editable}
                        value={values[param.name] ?? written(param.value)}
                        onChange={(event) => {
                          const text = event.currentTarget.value;
                          setValues((now) => ({ ...now, [param.name]: text }));
                        }}
                      />
                    </Table.Td>
                    <Table.Td>
                      {param.about}
                      <Text size="xs" c="dimmed">
                        {param.low != null && param.high != null && `${count(param.low)} to ${count(param.high)}; `}
                        default <Raw mono>{written(param.default) || "none"}</Raw>
                        <OriginMark origin={param.origin} />
                      </Text>
                    </Table.Td>
                  </Table.Tr>
                ))}
              </Table.Tbody>
            </Table>
          )}
          {editable ? (
            <Group>
              <Button size="xs" type="submit" disabled={!pending} loading={change.isPending}>
                Change
              </Button>
              {method.origin === "managed" && (
                <Button
                  size="xs"
                  variant="default"
                  onClick={() => change.mutate({ methods: { [method.slug]: null } })}
                >
                  Back to the operator's file
                </Button>
              )}
            </Group>
          ) : (
            <Text size="xs" c="dimmed">
              {may ? "Several instances are changed in the configuration file." : "An editor or administrator may change this."}
            </Text>
          )}
        </Stack>
      </form>
    </Panel>
  );
}

/** Where a value comes from, when somebody set it. */
export function OriginMark({ origin }: { origin: Schemas["Origin"] }) {
  if (origin === "default") return null;
  return (
    <Badge size="xs" variant="light" tt="none" ml={6}>
      {origin === "file" ? "from the file" : "changed here"}
    </Badge>
  );
}
