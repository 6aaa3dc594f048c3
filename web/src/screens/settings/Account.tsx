// One's own account: the second factor, begun with the password, confirmed by a first code, taken off again.
import { Alert, Button, Code, CopyButton, Group, PasswordInput, Stack, Text, TextInput } from "@mantine/core";
import { useMutation, useQueryClient } from "@tanstack/react-query";
import { type FormEvent, useState } from "react";
import { api, got, type Schemas } from "../../api/client";
import { useSession } from "../../app/session";
import { Empty, Failure, Panel } from "../../ui/parts";
import { QrCode } from "../../ui/QrCode";

export function Account() {
  const me = useSession()?.user;
  const [recovery, setRecovery] = useState<string[]>();
  if (!me || me.guest) return <Empty title="Visitors of a demonstration have no account" />;
  if (me.provided) return <Empty title="Your password and second factor are kept by the identity provider" />;
  return (
    <Panel
      title="Second factor"
      note="Beside the password, log-ins ask for a code that an authenticator on your phone shows (TOTP)."
    >
      {recovery ? (
        <Recovery codes={recovery} done={() => setRecovery(undefined)} />
      ) : me.second_factor ? (
        <TakeOff />
      ) : (
        <SetUp done={setRecovery} />
      )}
    </Panel>
  );
}

function SetUp({ done }: { done: (recovery: string[]) => void }) {
  const client = useQueryClient();
  const [password, setPassword] = useState("");
  const [code, setCode] = useState("");
  const begin = useMutation({
    mutationFn: () => got(api.POST("/api/v1/session/second-factor", { body: { password } })),
    onSuccess: () => setPassword(""),
  });
  const confirm = useMutation({
    mutationFn: () => got(api.POST("/api/v1/session/second-factor/confirm", { body: { code: code.trim() } })),
    onSuccess: async ({ recovery }) => {
      done(recovery);
      await client.invalidateQueries({ queryKey: ["session"] });
    },
  });
  if (begin.data) {
    return <Confirm of={begin.data} code={code} setCode={setCode} confirm={confirm} />;
  }
  return (
    <form
      onSubmit={(event: FormEvent) => {
        event.preventDefault();
        begin.mutate();
      }}
    >
      <Group align="end" gap="xs">
        <PasswordInput
          size="xs"
          w={240}
          label="Your password"
          required
          autoComplete="current-password"
          value={password}
          onChange={(event) => setPassword(event.currentTarget.value)}
        />
        <Button size="xs" type="submit" loading={begin.isPending}>
          Set it up
        </Button>
      </Group>
      {begin.error && <Failure error={begin.error} />}
    </form>
  );
}

interface ConfirmProps {
  of: Schemas["SecondFactor"];
  code: string;
  setCode: (code: string) => void;
  confirm: { mutate: () => void; isPending: boolean; error: unknown };
}

function Confirm({ of, code, setCode, confirm }: ConfirmProps) {
  return (
    <Group align="start" gap="lg">
      <QrCode text={of.uri} label="Code for the authenticator" />
      <form
        onSubmit={(event: FormEvent) => {
          event.preventDefault();
          confirm.mutate();
        }}
      >
        <Stack gap="xs">
          <Text size="sm">
            Let the authenticator read the picture, or type this in: <Code>{of.secret}</Code>
          </Text>
          <TextInput
            size="xs"
            w={240}
            label="Code it shows now"
            required
            inputMode="numeric"
            autoComplete="one-time-code"
            value={code}
            onChange={(event) => setCode(event.currentTarget.value)}
          />
          {confirm.error != null && <Failure error={confirm.error} />}
          <Group>
            <Button size="xs" type="submit" loading={confirm.isPending}>
              Confirm
            </Button>
          </Group>
        </Stack>
      </form>
    </Group>
  );
}

function Recovery({ codes, done }: { codes: string[]; done: () => void }) {
  return (
    <Alert color="teal" variant="light" title="From now on log-ins ask for a code" role="status">
      <Text size="sm">
        Whoever loses the authenticator logs in with one of these, each good once. They are shown this once: keep them
        where the phone is not.
      </Text>
      <Code block mt="xs">
        {codes.join("\n")}
      </Code>
      <Group mt="xs" gap="xs">
        <CopyButton value={codes.join("\n")}>
          {({ copied, copy }) => (
            <Button size="xs" variant="default" onClick={copy}>
              {copied ? "Copied" : "Copy"}
            </Button>
          )}
        </CopyButton>
        <Button size="xs" onClick={done}>
          They are safe
        </Button>
      </Group>
    </Alert>
  );
}

function TakeOff() {
  const client = useQueryClient();
  const [password, setPassword] = useState("");
  const end = useMutation({
    mutationFn: () => got(api.POST("/api/v1/session/second-factor/end", { body: { password } })),
    onSuccess: () => client.invalidateQueries({ queryKey: ["session"] }),
  });
  return (
    <form
      onSubmit={(event: FormEvent) => {
        event.preventDefault();
        end.mutate();
      }}
    >
      <Text size="sm" mb="xs">
        It is on: log-ins ask for a code.
      </Text>
      <Group align="end" gap="xs">
        <PasswordInput
          size="xs"
          w={240}
          label="Your password"
          required
          autoComplete="current-password"
          value={password}
          onChange={(event) => setPassword(event.currentTarget.value)}
        />
        <Button size="xs" variant="default" type="submit" loading={end.isPending}>
          Take it off
        </Button>
      </Group>
      {end.error && <Failure error={end.error} />}
    </form>
  );
}
