// What fits over time: as one, or with the greatest groups told apart.
import { SegmentedControl } from "@mantine/core";
import { useQuery } from "@tanstack/react-query";
import { useState } from "react";
import { api, got } from "../../api/client";
import { useSetSearch } from "../../app/navigate";
import { bytes, count } from "../../ui/format";
import { grouped, REST, stacked, wordOf } from "../../ui/grouped";
import { Shown } from "../../ui/parts";
import { TimeBars } from "../../ui/TimeBars";
import type { FlowQuery } from "./Flows";

const MEASURES = {
  bytes: { show: bytes, label: "Bytes over time" },
  packets: { show: count, label: "Packets over time" },
  flows: { show: count, label: "Flows over time" },
};
type Measure = keyof typeof MEASURES;

/** Told apart by all kinds of eyes (Okabe and Ito), on light and dark ground. */
const COLOURS = ["#1c98ac", "#e69f00", "#b0578d", "#009e73", "#56b4e9", "#d55e00", "#7a6fd0", "#a5a41d"];
const REST_COLOUR = "#8a939b";

interface Props {
  query: FlowQuery;
  /** Fields that groups are made of. */
  by?: string;
  order?: string;
}

export function Chart({ query, by, order }: Props) {
  const setSearch = useSetSearch();
  const [chosen, setChosen] = useState<Measure>();
  const measure = chosen ?? (by && order && order in MEASURES ? (order as Measure) : "bytes");
  const told = by ? { ...query, by, order: order ?? "bytes", limit: COLOURS.length } : query;
  const series = useQuery({
    queryKey: ["series", told],
    queryFn: ({ signal }) => got(api.GET("/api/v1/flows/series", { params: { query: told }, signal })),
    placeholderData: (before) => before,
  });
  const { show, label } = MEASURES[measure];
  return (
    <Shown of={series} rows={4}>
      {(table) => {
        const apart = table.columns.some(({ name }) => name === "rest");
        const names = apart ? grouped(table).map(wordOf) : [measure];
        const shown = names.map((name, at) => ({
          name: apart ? titleOf(name) : name,
          colour: name === REST ? REST_COLOUR : (COLOURS[at % COLOURS.length] ?? REST_COLOUR),
        }));
        return (
          <div>
            <SegmentedControl
              size="xs"
              mb={4}
              aria-label="What the chart shows"
              value={measure}
              data={Object.keys(MEASURES)}
              onChange={(value) => setChosen(value as Measure)}
            />
            <TimeBars
              label={label}
              series={shown}
              stepMs={(table.step_s ?? 60) * 1000}
              span={table.span}
              show={show}
              steps={stacked(table, measure, names, apart ? wordOf : () => measure)}
              onSelect={(since, until) => setSearch({ t: undefined, since, until })}
            />
          </div>
        );
      }}
    </Shown>
  );
}

/** A group as its legend says it. */
function titleOf(word: string): string {
  if (word === REST) return "all others";
  return word
    .split(",")
    .map((key) => key || "none")
    .join(" · ");
}
