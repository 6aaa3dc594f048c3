// Sites that a user or a token may see.
import { MultiSelect } from "@mantine/core";

/** Stands for all sites, also those that come later. */
export const EVERY = "*";

/** Sites that somebody may see: every one, or some. Taking the last one away changes nothing. */
export function SiteSelect({
  label,
  sites,
  value,
  disabled,
  shown,
  onChange,
}: {
  label: string;
  sites: string[];
  value: string[];
  disabled?: boolean;
  /** The label stands over it; otherwise it is there for those who cannot see what it belongs to. */
  shown?: boolean;
  onChange: (sites: string[]) => void;
}) {
  return (
    <MultiSelect
      size="xs"
      maw={320}
      label={shown ? label : undefined}
      aria-label={shown ? undefined : label}
      data={[{ value: EVERY, label: "every site" }, ...sites]}
      value={value}
      disabled={disabled}
      searchable={sites.length > 8}
      onChange={(next) => {
        const added = next.find((one) => !value.includes(one));
        if (added === EVERY) onChange([EVERY]);
        else if (next.length) onChange(next.filter((one) => one !== EVERY));
      }}
    />
  );
}
