// What surrounds every screen: the way between them, the window of time, who is logged in, hot keys and the palette.
import {
  ActionIcon,
  Anchor,
  Badge,
  Button,
  Group,
  Kbd,
  Menu,
  Modal,
  Select,
  Table,
  Text,
  useMantineColorScheme,
} from "@mantine/core";
import { useDisclosure, useHotkeys } from "@mantine/hooks";
import { Spotlight, spotlight } from "@mantine/spotlight";
import { IconBook, IconHelp, IconMoonStars, IconSearch, IconUser } from "@tabler/icons-react";
import { useQueryClient } from "@tanstack/react-query";
import { Outlet } from "@tanstack/react-router";
import { useState } from "react";
import { api } from "../api/client";
import { LogIn } from "../screens/LogIn";
import { Empty, Go, Shown } from "../ui/parts";
import { useLive } from "./live";
import { useGo } from "./navigate";
import { RangePicker } from "./RangePicker";
import { SessionProvider, useSession, useSessionQuery } from "./session";
import { atSite, SITE } from "./site";

const SCREENS = [
  { to: "/", name: "Overview", key: "o" },
  { to: "/events", name: "Events", key: "e" },
  { to: "/hosts", name: "Hosts", key: "h" },
  { to: "/flows", name: "Flows", key: "f" },
  { to: "/methods", name: "Methods", key: "m" },
  { to: "/health", name: "Health", key: "d" },
  { to: "/settings", name: "Settings", key: "s" },
];

const KEYS: [string, string][] = [
  ["/", "Search: addresses, events, screens"],
  ["Ctrl K", "The same"],
  ...SCREENS.map(({ key, name }): [string, string] => [`g ${key}`, `Go to ${name}`]),
  ["j, k", "Next and previous event of the list"],
  ["Enter", "Open the event"],
  ["x", "Select the event"],
  ["a", "Acknowledge what is selected"],
  ["t", "Dark or light"],
  ["?", "This list"],
];

export function Shell() {
  const session = useSessionQuery();
  return (
    <Shown of={session}>
      {(known) => (
        <SessionProvider value={known}>
          {!known.user ? <LogIn session={known} /> : !known.sites.includes(SITE ?? known.sites[0] ?? "") ? <NoSite /> : <Frame />}
        </SessionProvider>
      )}
    </Shown>
  );
}

function Frame() {
  const session = useSession();
  const [helping, help] = useDisclosure(false);
  const [going, setGoing] = useState(false);
  const { colorScheme, setColorScheme } = useMantineColorScheme();
  const go = useGo();
  useLive();
  const turn = () => setColorScheme(colorScheme === "dark" ? "light" : "dark");
  useHotkeys([
    ["/", () => spotlight.open()],
    ["?", help.open],
    ["shift+?", help.open],
    ["t", turn],
    ["g", () => setGoing(true)],
    ...SCREENS.map(({ key, to }): [string, () => void] => [
      key,
      () => {
        if (going) go(to);
        setGoing(false);
      },
    ]),
  ]);
  return (
    <>
      <a className="skip" href="#content">
        To the content
      </a>
      <header className="top">
        <Group h="100%" px="md" justify="space-between" wrap="nowrap">
          <Group gap="md" wrap="nowrap">
            <Text fw={700} component="span">
              Weir
            </Text>
            {session?.demo && <Badge variant="light">demo</Badge>}
            <nav className="nav" aria-label="Screens">
              {SCREENS.map(({ to, name }) => (
                <Go key={to} to={to} exact={to === "/"} className="screen">
                  {name}
                </Go>
              ))}
            </nav>
          </Group>
          <Group gap="xs" wrap="nowrap">
            <ActionIcon variant="subtle" aria-label="Search" onClick={spotlight.open}>
              <IconSearch size={18} />
            </ActionIcon>
            <SitePicker />
            <RangePicker />
            <ActionIcon variant="subtle" aria-label="Dark or light" onClick={turn}>
              <IconMoonStars size={18} />
            </ActionIcon>
            <ActionIcon variant="subtle" aria-label="Hot keys" onClick={help.open}>
              <IconHelp size={18} />
            </ActionIcon>
            <ActionIcon component="a" href="/docs/index.html" variant="subtle" aria-label="Guide">
              <IconBook size={18} />
            </ActionIcon>
            <UserMenu />
          </Group>
        </Group>
      </header>
      <main id="content" className="content" tabIndex={-1}>
        <Outlet />
      </main>
      <Palette />
      <Modal opened={helping} onClose={help.close} title="Hot keys">
        <Table>
          <Table.Tbody>
            {KEYS.map(([keys, about]) => (
              <Table.Tr key={keys}>
                <Table.Td>
                  <Kbd>{keys}</Kbd>
                </Table.Td>
                <Table.Td>{about}</Table.Td>
              </Table.Tr>
            ))}
          </Table.Tbody>
        </Table>
      </Modal>
    </>
  );
}

/** Shown to those who may see several. */
function SitePicker() {
  const sites = useSession()?.sites ?? [];
  if (sites.length < 2) return null;
  return (
    <Select
      size="xs"
      w={120}
      aria-label="Site"
      data={sites}
      value={SITE ?? sites[0]}
      allowDeselect={false}
      searchable={sites.length > 8}
      onChange={(name) => name && window.location.assign(atSite(name))}
    />
  );
}

function NoSite() {
  const sites = useSession()?.sites ?? [];
  return (
    <main className="content">
      <Empty title={SITE ? `There is no site ${SITE}` : "There is no site for you"}>
        {sites.length ? "You may see: " : "No site was given to you yet; ask the administrator."}
        {sites.map((name) => (
          <Anchor key={name} href={`/s/${name}/`} mr="xs">
            {name}
          </Anchor>
        ))}
      </Empty>
    </main>
  );
}

function UserMenu() {
  const user = useSession()?.user;
  const client = useQueryClient();
  const go = useGo();
  if (!user || user.guest) return null;
  const leave = async () => {
    await api.DELETE("/api/v1/session");
    await client.resetQueries();
  };
  return (
    <Menu position="bottom-end">
      <Menu.Target>
        <Button variant="subtle" size="xs" leftSection={<IconUser size={16} />}>
          {user.name}
        </Button>
      </Menu.Target>
      <Menu.Dropdown>
        <Menu.Label>{user.role}</Menu.Label>
        <Menu.Item onClick={() => go("/settings/account")}>Your account</Menu.Item>
        <Menu.Item onClick={leave}>Log out</Menu.Item>
      </Menu.Dropdown>
    </Menu>
  );
}

const ADDRESS = /^([0-9]{1,3}\.){3}[0-9]{1,3}$|^[0-9a-f:]*:[0-9a-f:.]+$/i;

/** One box for everything: an address opens its host, anything else is looked for in events or is a screen. */
function Palette() {
  const go = useGo();
  const [query, setQuery] = useState("");
  const wanted = query.trim();
  const screens = SCREENS.map(({ to, name }) => ({ id: to, label: name, onClick: () => go(to) }));
  const found = wanted
    ? [
        ...(ADDRESS.test(wanted)
          ? [{ id: "host", label: `Host ${wanted}`, onClick: () => go(`/hosts/${wanted}`) }]
          : []),
        { id: "text", label: `Events that say “${wanted}”`, onClick: () => go("/events", { text: wanted }) },
        { id: "flows", label: `Flows: ${wanted}`, onClick: () => go("/flows", { filter: wanted }) },
      ]
    : [];
  const matching = screens.filter(({ label }) => label.toLowerCase().includes(wanted.toLowerCase()));
  return (
    <Spotlight
      lockScroll={false}
      actions={[...found, ...matching]}
      query={query}
      onQueryChange={setQuery}
      filter={(_, actions) => actions}
      searchProps={{ placeholder: "An address, words of an event, a screen", "aria-label": "Search" }}
      nothingFound="Nothing of that name"
    />
  );
}

export function NotFound() {
  return (
    <Empty title="There is no such page">
      The address may come from another version. <Go to="/">To the overview</Go>
    </Empty>
  );
}
