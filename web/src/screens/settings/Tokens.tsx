// Tokens by which programs use the API: made with at most one's own rights, shown once, expiring.
import { Alert, Box, Button, Code, CopyButton, Group, NumberInput, Select, Table, Text, TextInput } from "@mantine/core";
import { useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { useState } from "react";
import { api, got, type Schemas } from "../../api/client";
import { useSession } from "../../app/session";
import { time } from "../../ui/format";
import { Empty, Failure, Panel, Raw, Shown } from "../../ui/parts";
import { EVERY, SiteSelect } from "./SiteSelect";
import { ROLES } from "./Users";

type Role = Schemas["Role"];
const DAYS = 90;
const DAYS_MAX = 366;

export function Tokens() {
  const client = useQueryClient();
  const again = () => client.invalidateQueries({ queryKey: ["tokens"] });
  const sites = useSession()?.sites ?? [];
  const tokens = useQuery({ queryKey: ["tokens"], queryFn: () => got(api.GET("/api/v1/tokens")) });
  const remove = useMutation({
    mutationFn: (id: string) => got(api.DELETE("/api/v1/tokens/{id}", { params: { path: { id } } })),
    onSuccess: again,
  });
  return (
    <>
      {remove.error && <Failure error={remove.error} />}
      <Shown of={tokens} rows={4}>
        {(list) =>
          list.length ? (
            <Table fz="sm" aria-label="Tokens">
              <Table.Thead>
                <Table.Tr>
                  <Table.Th>Name</Table.Th>
                  <Table.Th>Owner</Table.Th>
                  <Table.Th>Role</Table.Th>
                  {sites.length > 1 && <Table.Th>Sites</Table.Th>}
                  <Table.Th>Made (UTC)</Table.Th>
                  <Table.Th>Good until</Table.Th>
                  <Table.Th>Last used</Table.Th>
                  <Table.Th />
                </Table.Tr>
              </Table.Thead>
              <Table.Tbody>
                {list.map((token) => (
                  <Table.Tr key={token.id}>
                    <Table.Td>
                      <Raw>{token.name}</Raw>
                    </Table.Td>
                    <Table.Td>
                      <Raw>{token.owner}</Raw>
                    </Table.Td>
                    <Table.Td>{token.role}</Table.Td>
                    {sites.length > 1 && (
                      <Table.Td>{token.sites.includes(EVERY) ? "every site of its owner" : token.sites.join(", ")}</Table.Td>
                    )}
                    <Table.Td>{time(token.created)}</Table.Td>
                    <Table.Td>{time(token.expires)}</Table.Td>
                    <Table.Td>{time(token.last_used)}</Table.Td>
                    <Table.Td>
                      <Button size="compact-xs" variant="default" onClick={() => remove.mutate(token.id)}>
                        Remove
                      </Button>
                    </Table.Td>
                  </Table.Tr>
                ))}
              </Table.Tbody>
            </Table>
          ) : (
            <Empty title="No tokens">Programs, and `weir` from another machine, use the API by token. Make one below.</Empty>
          )
        }
      </Shown>
      <NewToken done={again} />
    </>
  );
}

function NewToken({ done }: { done: () => void }) {
  const own = useSession()?.user;
  // At most one's own rights; the server refuses what is more.
  const roles = ROLES.slice(0, ROLES.findIndex(({ value }) => value === own?.role) + 1);
  const [name, setName] = useState("");
  const [days, setDays] = useState(DAYS);
  const [role, setRole] = useState<Role>("viewer");
  const [seen, setSeen] = useState([EVERY]);
  const sites = useSession()?.sites ?? [];
  const make = useMutation({
    mutationFn: () => got(api.POST("/api/v1/tokens", { body: { name, role, days, sites: seen } })),
    onSuccess: () => {
      setName("");
      done();
    },
  });
  if (own?.guest) return <Text size="sm">A visitor of a demonstration has no tokens.</Text>;
  return (
    <Panel title="A new token">
      <form
        onSubmit={(submit) => {
          submit.preventDefault();
          make.mutate();
        }}
      >
        <Group align="end" gap="xs">
          <TextInput
            size="xs"
            label="What it is for"
            placeholder="weekly-report"
            required
            value={name}
            onChange={(event) => setName(event.currentTarget.value)}
          />
          <Select
            size="xs"
            w={240}
            label="Role"
            data={roles}
            value={role}
            allowDeselect={false}
            onChange={(value) => value && setRole(value as Role)}
          />
          {sites.length > 1 && (
            <SiteSelect label="Sites of the token" shown sites={sites} value={seen} onChange={setSeen} />
          )}
          <NumberInput
            size="xs"
            w={90}
            label="Days"
            min={1}
            max={DAYS_MAX}
            value={days}
            onChange={(value) => setDays(Number(value) || DAYS)}
          />
          <Button size="xs" type="submit" loading={make.isPending}>
            Make
          </Button>
        </Group>
      </form>
      {make.error && (
        <Box mt="sm">
          <Failure error={make.error} />
        </Box>
      )}
      {make.data && (
        <Alert variant="light" mt="sm" title="Shown this once">
          <Group gap="xs">
            <Code>{make.data.secret}</Code>
            <CopyButton value={make.data.secret}>
              {({ copied, copy }) => (
                <Button size="compact-xs" variant="default" onClick={copy}>
                  {copied ? "Copied" : "Copy"}
                </Button>
              )}
            </CopyButton>
          </Group>
          <Text size="xs">Send it as the header “Authorization: Bearer …”.</Text>
        </Alert>
      )}
    </Panel>
  );
}
