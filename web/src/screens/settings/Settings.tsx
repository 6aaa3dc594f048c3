// What is on, who may do what, what was changed. Each page of the settings has an address of its own.
import { Stack, Title } from "@mantine/core";
import { useParams } from "@tanstack/react-router";
import type { ReactNode } from "react";
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

export function SettingsScreen() {
  const { page } = useParams({ strict: false }) as { page?: string };
  const shown = PAGES.find(({ name }) => name === (page ?? "false-positives"));
  return (
    <div className="split">
      <nav className="side" aria-label="Settings">
        {PAGES.map(({ name, title }) => (
          <Go key={name} to={`/settings/${name}`} className="screen">
            {title}
          </Go>
        ))}
      </nav>
      {shown ? (
        <Stack>
          <Title order={1} size="h3">
            {shown.title}
          </Title>
          {shown.page}
        </Stack>
      ) : (
        <Empty title="There is no such page of the settings" />
      )}
    </div>
  );
}
