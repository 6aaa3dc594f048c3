// What is done and what is left of the first day, by what the server sees.
import { Text } from "@mantine/core";
import { useQuery } from "@tanstack/react-query";
import { api, got, type Schemas } from "../api/client";
import { Go, Raw, Shown } from "./parts";

type Step = Schemas["StepShown"];

const TITLES: Record<Step["step"], [title: string, to: string]> = {
  administrator: ["An administrator", "/settings/users"],
  sources: ["Traffic comes in", "/start"],
  networks: ["Inside networks", "/start"],
  preset: ["How much is said", "/start"],
  indicators: ["Lists of indicators", "/settings/indicators"],
  learning: ["Learning what is normal", "/methods"],
  disk: ["Room on the disk", "/health"],
};

const MARKS: Record<Step["state"], [mark: string, word: string]> = {
  done: ["✓", "done"],
  todo: ["○", "to do"],
  waiting: ["…", "comes by itself"],
  failed: ["✗", "failed"],
};

export function useChecklist() {
  return useQuery({
    queryKey: ["start"],
    queryFn: () => got(api.GET("/api/v1/start")),
    refetchInterval: 5_000,
  });
}

export function Checklist() {
  return (
    <Shown of={useChecklist()} rows={7}>
      {(steps) => (
        <ul className="checklist">
          {steps.map(({ step, state, note }) => {
            const [title, to] = TITLES[step];
            const [mark, word] = MARKS[state];
            return (
              <li key={step} data-state={state}>
                <span aria-hidden="true">{mark}</span>
                <span>
                  <Go to={to}>{title}</Go> <Text span size="xs" c="dimmed">{`(${word})`}</Text>
                  <Text size="xs">
                    <Raw>{note}</Raw>
                  </Text>
                </span>
              </li>
            );
          })}
        </ul>
      )}
    </Shown>
  );
}
