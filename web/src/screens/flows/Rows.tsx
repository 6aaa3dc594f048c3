// Flow records that fit, the latest or the greatest first. More come as somebody scrolls to the end.
import { Text } from "@mantine/core";
import { useInfiniteQuery } from "@tanstack/react-query";
import { useMemo } from "react";
import { api, got, type Schemas } from "../../api/client";
import { useSetSearch } from "../../app/navigate";
import type { Way } from "../../ui/filter";
import { count } from "../../ui/format";
import { Empty, Failure, Shown } from "../../ui/parts";
import type { FlowRow } from "./columns";
import { FlowRows } from "./FlowRows";
import type { FlowQuery } from "./Flows";

/** Rows asked for at once: as many as the server gives. */
const PAGE = 1000;
/** Rows a page of a browser keeps; who needs more exports them. */
const ROWS_MAX = 50_000;

/** What an answer cost. */
export function Cost({ cost }: { cost: Schemas["Cost"] }) {
  return (
    <Text size="xs" c="dimmed" role="status">
      {count(cost.rows_fitting)} of {count(cost.rows)} records fit; looked at {count(cost.rows_read)} in{" "}
      {Math.round(cost.took_ms)} ms
    </Text>
  );
}

interface Props {
  query: FlowQuery;
  sort?: string;
  narrow: (condition: string, way: Way) => void;
  group: (field: string) => void;
}

export function Rows({ query, sort, narrow, group }: Props) {
  const setSearch = useSetSearch();
  const flows = useInfiniteQuery({
    queryKey: ["flows", query, sort],
    queryFn: ({ signal, pageParam: cursor }) =>
      got(api.GET("/api/v1/flows", { params: { query: { ...query, cursor, sort, limit: PAGE } }, signal })),
    initialPageParam: undefined as string | undefined,
    // In the order of time all of them can be paged through; of the greatest only the first page is told.
    getNextPageParam: ({ next_cursor }, pages) =>
      sort || pages.length * PAGE >= ROWS_MAX ? undefined : (next_cursor ?? undefined),
    placeholderData: (before) => before,
  });
  const rows = useMemo(() => flows.data?.pages.flatMap((page) => page.flows as FlowRow[]) ?? [], [flows.data]);
  const more = () => {
    if (flows.hasNextPage && !flows.isFetching) void flows.fetchNextPage();
  };
  return (
    <Shown of={flows} rows={12}>
      {({ pages }) => {
        const [first] = pages;
        if (!first || rows.length === 0) {
          return (
            <Empty title="No flow fits">
              {count(first?.cost.rows ?? 0)} records were in reach. Choose a longer window of time, or a wider filter.
            </Empty>
          );
        }
        return (
          <>
            <Cost cost={first.cost} />
            <FlowRows
              flows={rows}
              onNarrow={narrow}
              onGroup={group}
              sort={sort}
              onSort={(field) => setSearch({ sort: field })}
              onEnd={more}
            />
            <Text size="xs" c="dimmed" role="status">
              {count(rows.length)} rows are here
              {flows.isFetchingNextPage && ", more are coming"}
              {flows.hasNextPage && !flows.isFetchingNextPage && "; more come at the end of the table"}
              {!flows.hasNextPage && first.cost.rows_fitting > rows.length &&
                (sort ? ", the greatest; the order of time tells all" : "; the export tells all")}
              .
            </Text>
            {flows.isFetchNextPageError && <Failure error={flows.error} retry={more} />}
          </>
        );
      }}
    </Shown>
  );
}
