// What is on, who may do what, what was changed. Each page of the settings has an address of its own.
import { Stack, Text, Title } from "@mantine/core";
import { useParams } from "@tanstack/react-router";
import type { ReactNode } from "react";
import type { Schemas } from "../../api/client";
import { useSeesAll, useSession } from "../../app/session";
import { Empty, Go } from "../../ui/parts";
import { Account } from "./Account";
import { AuditTrail } from "./AuditTrail";
import { Configuration } from "./Configuration";
import { FalsePositives } from "./FalsePositives";
import { Indicators } from "./Indicators";
import { Jobs } from "./Jobs";
import { MethodSettings } from "./MethodSettings";
import { Patterns } from "./Patterns";
import { Perspectives } from "./Perspectives";
import { Tokens } from "./Tokens";
import { Users } from "./Users";

type Role = Schemas["Role"];

const PAGES: { name: string; title: string; page: ReactNode }[] = [
  { name: "false-positives", title: "False positives", page: <FalsePositives /> },
  { name: "perspectives", title: "Perspectives", page: <Perspectives /> },
  { name: "configuration", title: "Configuration", page: <Configuration /> },
  { name: "methods", title: "Methods", page: <MethodSettings /> },
  { name: "patterns", title: "Patterns", page: <Patterns /> },
  { name: "indicators", title: "Indicators", page: <Indicators /> },
  { name: "users", title: "Users", page: <Users /> },
  { name: "tokens", title: "API tokens", page: <Tokens /> },
  { name: "account", title: "Your account", page: <Account /> },
  { name: "jobs", title: "Jobs", page: <Jobs /> },
  { name: "audit", title: "Audit trail", page: <AuditTrail /> },
];

/** Who a page is for, where that is not everybody; the server decides the same. */
const FOR: Record<string, { roles?: Role[]; about: string }> = {
  configuration: { roles: ["editor", "admin"], about: "networks, lists and values in force" },
  methods: { about: "parameters of the methods" },
  patterns: { about: "patterns of one's own" },
  indicators: { about: "lists of indicators" },
  users: { roles: ["admin"], about: "users" },
  audit: { roles: ["auditor", "admin"], about: "the audit trail" },
};

export function SettingsScreen() {
  const { page } = useParams({ strict: false }) as { page?: string };
  const role = useSession()?.user?.role;
  const seesAll = useSeesAll();
  const open = PAGES.filter(({ name }) => {
    const of = FOR[name];
    return !of || (seesAll && role && (of.roles ?? [role]).includes(role));
  });
  const shown = open.find(({ name }) => name === (page ?? open[0]?.name));
  const closed = PAGES.filter((one) => !open.includes(one));
  return (
    <div className="split">
      <nav className="side" aria-label="Settings">
        {open.map(({ name, title }) => (
          <Go key={name} to={`/settings/${name}`} className="screen">
            {title}
          </Go>
        ))}
        {closed.length > 0 && (
          <Text size="xs" c="dimmed" mt="sm" px="xs">
            {seesAll
              ? "Other pages are for those whose role may change or audit what they hold: "
              : "What belongs to all sites is for those who see all: "}
            {closed.map(({ name }) => FOR[name]?.about).join(", ")}.
          </Text>
        )}
      </nav>
      {shown ? (
        <Stack>
          <Title order={1} size="h3">
            {shown.title}
          </Title>
          {shown.page}
        </Stack>
      ) : (
        <Empty title={closed.some(({ name }) => name === page) ? "This page is not for you" : "There is no such page"}>
          {closed.some(({ name }) => name === page) && "An administrator can give you another role, or all sites."}
        </Empty>
      )}
    </div>
  );
}
