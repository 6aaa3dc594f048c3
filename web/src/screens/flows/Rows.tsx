// Flow records that fit, the latest or the greatest first.
import { Button, Text } from "@mantine/core";
import { useQuery } from "@tanstack/react-query";
import { api, got, type Schemas } from "../../api/client";
import { useSetSearch } from "../../app/navigate";
import type { Way } from "../../ui/filter";
import { count } from "../../ui/format";
import { Empty, Shown } from "../../ui/parts";
import type { FlowRow } from "./columns";
import { FlowRows } from "./FlowRows";
import type { FlowQuery } from "./Flows";

const PAGE = 500;

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
  cursor?: string;
  sort?: string;
  narrow: (condition: string, way: Way) => void;
  group: (field: string) => void;
}

export function Rows({ query, cursor, sort, narrow, group }: Props) {
  const setSearch = useSetSearch();
  const flows = useQuery({
    queryKey: ["flows", query, cursor, sort],
    queryFn: ({ signal }) =>
      got(
        api.GET("/api/v1/flows", {
          params: { query: { ...query, cursor: sort ? undefined : cursor, sort, limit: PAGE } },
          signal,
        }),
      ),
    placeholderData: (before) => before,
  });
  return (
    <Shown of={flows} rows={12}>
      {(page) =>
        page.flows.length ? (
          <>
            <Cost cost={page.cost} />
            <FlowRows
              flows={page.flows as FlowRow[]}
              onNarrow={narrow}
              onGroup={group}
              sort={sort}
              onSort={(field) => setSearch({ sort: field, cursor: undefined })}
            />
            {page.next_cursor && (
              <Button variant="default" onClick={() => setSearch({ cursor: page.next_cursor ?? undefined })}>
                Next {PAGE}
              </Button>
            )}
            {sort && page.cost.rows_fitting > PAGE && (
              <Text size="xs" c="dimmed">
                The {PAGE} greatest. In the order of time all of them can be paged through.
              </Text>
            )}
          </>
        ) : (
          <Empty title="No flow fits">
            {count(page.cost.rows)} records were in reach. Choose a longer window of time, or a wider filter.
          </Empty>
        )
      }
    </Shown>
  );
}
