// Who may come in, and what they may do. Only an administrator sees and changes this.
import { Button, Group, PasswordInput, Select, Switch, Table, TextInput } from "@mantine/core";
import { useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { type FormEvent, useState } from "react";
import { api, got, type Schemas } from "../../api/client";
import { useSession } from "../../app/session";
import { time } from "../../ui/format";
import { Empty, Failure, Panel, Raw, Shown } from "../../ui/parts";
import { EVERY, SiteSelect } from "./SiteSelect";

type Role = Schemas["Role"];
export const ROLES: { value: Role; label: string }[] = [
  { value: "viewer", label: "viewer: reads" },
  { value: "analyst", label: "analyst: works on events" },
  { value: "hunter", label: "hunter: sees payload and recordings as well" },
  { value: "editor", label: "editor: changes detection as well" },
  { value: "auditor", label: "auditor: reads, and the audit trail" },
  { value: "admin", label: "admin: manages users and settings" },
];

export function Users() {
  const me = useSession()?.user;
  const client = useQueryClient();
  const again = () => client.invalidateQueries({ queryKey: ["users"] });
  const users = useQuery({
    queryKey: ["users"],
    queryFn: () => got(api.GET("/api/v1/users")),
    enabled: me?.role === "admin",
  });
  const sites = useSession()?.sites ?? [];
  const change = useMutation({
    mutationFn: ({ name, ...body }: { name: string; role?: Role; sites?: string[]; disabled?: boolean }) =>
      got(api.PATCH("/api/v1/users/{name}", { params: { path: { name } }, body })),
    onSuccess: again,
  });
  const remove = useMutation({
    mutationFn: (name: string) => got(api.DELETE("/api/v1/users/{name}", { params: { path: { name } } })),
    onSuccess: again,
  });
  if (me?.role !== "admin") return <Empty title="Only an administrator manages users" />;
  const failed = change.error ?? remove.error;
  return (
    <>
      {failed && <Failure error={failed} />}
      <Shown of={users} rows={4}>
        {(list) => (
          <Table fz="sm" aria-label="Users">
            <Table.Thead>
              <Table.Tr>
                <Table.Th>Name</Table.Th>
                <Table.Th>Role</Table.Th>
                {sites.length > 1 && <Table.Th>Sites</Table.Th>}
                <Table.Th>May log in</Table.Th>
                <Table.Th>Logs in with</Table.Th>
                <Table.Th>Made (UTC)</Table.Th>
                <Table.Th />
              </Table.Tr>
            </Table.Thead>
            <Table.Tbody>
              {list.map(({ name, role, sites: seen, disabled, created, provider, second_factor }) => (
                <Table.Tr key={name}>
                  <Table.Td>
                    <Raw>{name}</Raw>
                  </Table.Td>
                  <Table.Td>
                    <Select
                      size="xs"
                      aria-label={`Role of ${name}`}
                      data={ROLES}
                      value={role}
                      allowDeselect={false}
                      disabled={name === me.name || Boolean(provider)}
                      title={provider ? "Groups of the identity provider give this role" : undefined}
                      onChange={(value) => value && change.mutate({ name, role: value as Role })}
                    />
                  </Table.Td>
                  {sites.length > 1 && (
                    <Table.Td>
                      <SiteSelect
                        label={`Sites of ${name}`}
                        sites={sites}
                        value={seen}
                        disabled={name === me.name || Boolean(provider)}
                        onChange={(sites) => change.mutate({ name, sites })}
                      />
                    </Table.Td>
                  )}
                  <Table.Td>
                    <Switch
                      aria-label={`${name} may log in`}
                      checked={!disabled}
                      disabled={name === me.name}
                      onChange={(event) => change.mutate({ name, disabled: !event.currentTarget.checked })}
                    />
                  </Table.Td>
                  <Table.Td>
                    {provider ? <Raw>{provider}</Raw> : `password${second_factor ? " and code" : ""}`}
                  </Table.Td>
                  <Table.Td>{time(created)}</Table.Td>
                  <Table.Td>
                    {name !== me.name && (
                      <Button size="compact-xs" variant="default" onClick={() => remove.mutate(name)}>
                        Remove
                      </Button>
                    )}
                  </Table.Td>
                </Table.Tr>
              ))}
            </Table.Tbody>
          </Table>
        )}
      </Shown>
      <NewUser done={again} />
    </>
  );
}

function NewUser({ done }: { done: () => void }) {
  const [name, setName] = useState("");
  const [password, setPassword] = useState("");
  const [role, setRole] = useState<Role>("analyst");
  const [seen, setSeen] = useState([EVERY]);
  const sites = useSession()?.sites ?? [];
  const make = useMutation({
    mutationFn: () => got(api.POST("/api/v1/users", { body: { name, password, role, sites: seen } })),
    onSuccess: () => {
      setName("");
      setPassword("");
      done();
    },
  });
  const submit = (event: FormEvent) => {
    event.preventDefault();
    make.mutate();
  };
  return (
    <Panel title="A new user">
      <form onSubmit={submit}>
        <Group align="end" gap="xs">
          <TextInput
            size="xs"
            label="Name"
            required
            autoComplete="off"
            value={name}
            onChange={(event) => setName(event.currentTarget.value)}
          />
          <PasswordInput
            size="xs"
            w={220}
            label="Password, 12 letters or more"
            required
            autoComplete="new-password"
            value={password}
            onChange={(event) => setPassword(event.currentTarget.value)}
          />
          <Select
            size="xs"
            w={240}
            label="Role"
            data={ROLES}
            value={role}
            allowDeselect={false}
            onChange={(value) => value && setRole(value as Role)}
          />
          {sites.length > 1 && <SiteSelect label="Sites of the new user" sites={sites} value={seen} onChange={setSeen} />}
          <Button size="xs" type="submit" loading={make.isPending}>
            Add
          </Button>
        </Group>
      </form>
      {make.error && <Failure error={make.error} />}
    </Panel>
  );
}
