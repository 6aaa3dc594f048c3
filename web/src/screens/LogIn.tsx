// Log-in, and the very first one: whoever holds the token that the server printed makes the administrator.
import { Alert, Button, Card, Center, Divider, PasswordInput, Stack, Text, TextInput, Title } from "@mantine/core";
import { useMutation, useQueryClient } from "@tanstack/react-query";
import { useRouter } from "@tanstack/react-router";
import { type FormEvent, useEffect, useState } from "react";
import { ApiError, api, got, rememberCsrf } from "../api/client";
import type { Session } from "../app/session";
import { Failure } from "../ui/parts";
import { shown } from "../ui/safe";

/** The account has a second factor, and its code is missing or wrong. */
function asksForCode(error: unknown): boolean {
  return error instanceof ApiError && (error.problem.errors ?? []).some(({ place }) => place === "/code");
}

/** Where the identity provider sends browsers back to. */
const BACK = "/sign-in";
/** What was looked at before the browser was sent to the provider. */
const LOOKED_AT = "weir-looked-at";

/** What the provider gave the browser, taken out of the address so that it is used once. */
function takeAnswer(): URLSearchParams | undefined {
  const answer = new URLSearchParams(window.location.search);
  if (window.location.pathname !== BACK || !answer.has("state")) return undefined;
  window.history.replaceState(window.history.state, "", BACK);
  return answer;
}

/** Log-in through the identity provider: to it, and what it brings back. */
function Provider({ name, enter }: { name: string; enter: (entered: Session) => void }) {
  const [refused, setRefused] = useState<string>();
  const leave = useMutation({
    mutationFn: () => got(api.POST("/api/v1/session/provider")),
    onSuccess: ({ url }) => {
      const { pathname, search } = window.location;
      sessionStorage.setItem(LOOKED_AT, pathname === BACK ? "/" : pathname + search);
      window.location.assign(url);
    },
  });
  const back = useMutation({
    mutationFn: (answer: URLSearchParams) => {
      const [code, state, iss] = ["code", "state", "iss"].map((key) => answer.get(key) ?? undefined);
      return got(
        api.POST("/api/v1/session/provider/answer", { body: { code: code ?? "", state: state ?? "", iss } }),
      );
    },
    onSuccess: enter,
  });
  const { mutate } = back;
  useEffect(() => {
    const answer = takeAnswer();
    if (answer?.has("error")) setRefused(answer.get("error_description") ?? answer.get("error") ?? "");
    else if (answer) mutate(answer);
  }, [mutate]);
  const failed = leave.error ?? back.error;
  return (
    <>
      {refused !== undefined && (
        <Alert color="orange" title={`${name} did not let you in`}>
          {shown(refused)}
        </Alert>
      )}
      {failed && <Failure error={failed} />}
      <Button onClick={() => leave.mutate()} loading={leave.isPending || leave.isSuccess || back.isPending}>
        Log in with {shown(name)}
      </Button>
      <Divider label="or with an account of this server" />
    </>
  );
}

export function LogIn({ session }: { session: Session }) {
  const router = useRouter();
  const first = session.needs_setup;
  const client = useQueryClient();
  const [token, setToken] = useState(new URLSearchParams(window.location.search).get("token") ?? "");
  const [name, setName] = useState("");
  const [password, setPassword] = useState("");
  const [code, setCode] = useState("");
  const enter = useMutation({
    mutationFn: () =>
      first
        ? got(api.POST("/api/v1/setup", { body: { token, name, password } as never }))
        : got(api.POST("/api/v1/session", { body: { name, password, code: code.trim() || undefined } })),
    onSuccess: async (entered) => {
      // The first administrator has the first day before them.
      if (first) await router.navigate({ to: "/start" } as never);
      show(entered);
    },
  });
  const show = (entered: Session) => {
    rememberCsrf(entered.user?.csrf);
    // What was looked at may be of another site than this page's.
    if (window.location.pathname === BACK) window.location.replace(sessionStorage.getItem(LOOKED_AT) ?? "/");
    else client.setQueryData(["session"], entered);
  };
  const submit = (event: FormEvent) => {
    event.preventDefault();
    enter.mutate();
  };
  return (
    <Center mih="80vh" component="main">
      <Card withBorder w={400} p="lg">
        <form onSubmit={submit}>
          <Stack>
            <Title order={1} size="h3">
              {first ? "Welcome to Weir" : "Log in to Weir"}
            </Title>
            {first && (
              <Text size="sm" c="dimmed">
                Make the administrator. The token was printed when the server started; it is good once.
              </Text>
            )}
            {!first && session.provider && <Provider name={session.provider} enter={show} />}
            {first && (
              <TextInput
                label="Token"
                required
                value={token}
                onChange={(event) => setToken(event.currentTarget.value)}
              />
            )}
            <TextInput
              label="Name"
              required
              autoComplete="username"
              value={name}
              onChange={(event) => setName(event.currentTarget.value)}
            />
            <PasswordInput
              label="Password"
              description={first ? "12 characters or more" : undefined}
              required
              autoComplete={first ? "new-password" : "current-password"}
              value={password}
              onChange={(event) => setPassword(event.currentTarget.value)}
            />
            {(code || asksForCode(enter.error)) && (
              <TextInput
                label="Code"
                description="Of the authenticator, or a recovery code"
                autoComplete="one-time-code"
                value={code}
                onChange={(event) => setCode(event.currentTarget.value)}
              />
            )}
            {enter.error && <Failure error={enter.error} />}
            <Button type="submit" loading={enter.isPending} variant={session.provider && !first ? "default" : "filled"}>
              {first ? "Make the administrator" : "Log in"}
            </Button>
          </Stack>
        </form>
      </Card>
    </Center>
  );
}
