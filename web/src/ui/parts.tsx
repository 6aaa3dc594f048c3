// Small parts every screen uses: priorities, values, states of loading, emptiness and failure.
import { Alert, Box, Button, Card, Code, Group, Skeleton, Stack, Text, Title } from "@mantine/core";
import { Link, type LinkProps } from "@tanstack/react-router";
import type { ReactNode } from "react";
import { ApiError } from "../api/client";
import { PRIORITY_COLOUR, PRIORITY_MARK, priorityOf } from "../app/theme";
import { shown } from "./safe";

export function PriorityBadge({ priority }: { priority: string }) {
  // Seen from a perspective that hides it, by its address.
  if (priority === "hidden") return <span className="priority">hidden</span>;
  const known = priorityOf(priority);
  return (
    <span className="priority">
      <span aria-hidden="true" style={{ color: PRIORITY_COLOUR[known] }}>
        {PRIORITY_MARK[known]}
      </span>{" "}
      {known}
    </span>
  );
}

/** Text from the network, on one line. */
export function Raw({ children, mono }: { children: string; mono?: boolean }) {
  return (
    <span className={mono ? "raw mono" : "raw"} dir="ltr">
      {shown(children)}
    </span>
  );
}

interface GoProps {
  /** Address of the screen. */
  to: string;
  /** Current only at this very address, not below it. */
  exact?: boolean;
  className?: string;
  children: ReactNode;
}

/** A link to another screen that keeps the window of time and the perspective. */
export function Go({ to, exact, className, children }: GoProps) {
  const address = { to, search: keepRange, activeOptions: { exact, includeSearch: false } };
  return (
    <Link {...(address as unknown as LinkProps)} className={className ?? "go"}>
      {children}
    </Link>
  );
}

/** An address that opens its host. */
export function HostLink({ ip }: { ip: string | null | undefined }) {
  if (!ip) return <>–</>;
  return (
    <Go to={`/hosts/${ip}`} className="go mono">
      {shown(ip)}
    </Go>
  );
}

/** Carries the window of time and the perspective to the next page. */
function keepRange({ t, since, until, perspective }: Record<string, unknown>) {
  return { t, since, until, perspective };
}

export function Panel({
  title,
  note,
  right,
  children,
}: {
  title: string;
  note?: ReactNode;
  right?: ReactNode;
  children: ReactNode;
}) {
  return (
    <Card withBorder padding="md" component="section" aria-label={title}>
      <Group justify="space-between" mb="xs" wrap="nowrap" align="baseline">
        <Title order={2} size="h5">
          {title}
        </Title>
        {right}
      </Group>
      {note && (
        <Text size="sm" c="dimmed" mb="xs">
          {note}
        </Text>
      )}
      {children}
    </Card>
  );
}

export function Empty({ title, children }: { title: string; children?: ReactNode }) {
  return (
    <Stack align="center" gap={4} py="lg" role="status">
      <Text fw={600}>{title}</Text>
      {children && (
        <Text size="sm" c="dimmed" ta="center" maw={560} component="div">
          {children}
        </Text>
      )}
    </Stack>
  );
}

export function Failure({ error, retry }: { error: unknown; retry?: () => void }) {
  const known = error instanceof ApiError ? error : undefined;
  const title = known?.problem.title ?? "The server could not be reached";
  return (
    <Alert color="red" variant="light" title={title} role="alert">
      <Text size="sm">{known ? shown(known.message) : "Check that it runs and that you are connected."}</Text>
      {known?.problem.errors?.map((fault) => (
        <Code block key={fault.place + fault.detail} mt="xs">
          {shown(fault.caret ? `${fault.caret}\n${fault.detail}` : fault.detail).replaceAll("\\u{a}", "\n")}
        </Code>
      ))}
      {retry && (
        <Button mt="sm" size="xs" variant="default" onClick={retry}>
          Try again
        </Button>
      )}
    </Alert>
  );
}

interface Asked<T> {
  data: T | undefined;
  error: unknown;
  isPending: boolean;
  refetch: () => unknown;
}

/** What was asked for, or a skeleton, or what went wrong. Old data stays while new is on its way. */
export function Shown<T>({
  of,
  rows = 4,
  children,
}: {
  of: Asked<T>;
  rows?: number;
  children: (data: T) => ReactNode;
}) {
  if (of.data !== undefined) {
    return (
      <>
        {of.error ? (
          <Box mb="sm">
            <Failure error={of.error} retry={() => of.refetch()} />
          </Box>
        ) : null}
        {children(of.data)}
      </>
    );
  }
  if (of.error) return <Failure error={of.error} retry={() => of.refetch()} />;
  return (
    <Stack gap="xs" aria-busy="true" aria-label="loading">
      {Array.from({ length: rows }, (_, row) => (
        <Skeleton key={row} height={18} />
      ))}
    </Stack>
  );
}

/** A fact: a name and its value. */
export function Fact({ name, children }: { name: string; children: ReactNode }) {
  return (
    <div className="fact">
      <dt>{name}</dt>
      <dd>{children}</dd>
    </div>
  );
}
