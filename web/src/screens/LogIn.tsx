// Log-in, and the very first one: whoever holds the token that the server printed makes the administrator.
import { Button, Card, Center, PasswordInput, Stack, Text, TextInput, Title } from "@mantine/core";
import { useMutation, useQueryClient } from "@tanstack/react-query";
import { useRouter } from "@tanstack/react-router";
import { type FormEvent, useState } from "react";
import { ApiError, api, got, rememberCsrf } from "../api/client";
import type { Session } from "../app/session";
import { Failure } from "../ui/parts";

/** The account has a second factor, and its code is missing or wrong. */
function asksForCode(error: unknown): boolean {
  return error instanceof ApiError && (error.problem.errors ?? []).some(({ place }) => place === "/code");
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
      rememberCsrf(entered.user?.csrf);
      // The first administrator has the first day before them.
      if (first) await router.navigate({ to: "/start" } as never);
      client.setQueryData(["session"], entered);
    },
  });
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
            <Button type="submit" loading={enter.isPending}>
              {first ? "Make the administrator" : "Log in"}
            </Button>
          </Stack>
        </form>
      </Card>
    </Center>
  );
}
