//! The reference page of the language, rendered from the tables the parser runs on.

use std::fmt::Write;

use crate::column::{Kind, Unit};
use crate::field::{ALIASES, Catalog, Field, Reads, SHORTHANDS};
use crate::limits;
use crate::parse::operators;
use crate::print::spelling;
use crate::words::{self, PROTOCOLS};

/// What a table cannot say.
const GRAMMAR: &str = r#"# The filter language

```text
filter     = term { or term }          or binds loosest, then and, then not; || && ! are read as well
term       = factor { and factor }
factor     = not factor | ( filter ) | comparison
comparison = [src|dst] FIELD [OPERATOR] VALUE | [src|dst] FIELD in LIST | exists FIELD | any | WORD
LIST       = @name | [ VALUE or @name, separated by space or comma ]
```

Examples: `dst port 445 and bytes > 1M`, `src ip in [10.0.0.0/8 @servers] and not flags AR`, `port 1000-2000`,
`duration > 5m and bpp < 80`, `dns.query ~ "*.evil.test"`, `first seen > 2026-11-01T08`.

- Words are read in any case, texts are compared byte for byte. `#` begins a comment. `"` and `'` quote texts.
- `ip`, `port`, `mac` and other pairs without `src` or `dst` fit when either side fits; `bytes` and `packets` add both directions.
- A value that is not there never fits. `!=` and `not` turn the whole comparison round: "no value equals".
- A bare address, prefix, protocol, application or port number is the comparison it looks like. For transactions a bare domain is
  looked for in `dns.query`, `tls.sni` and `http.host`.
- `k M G T` count by 1000, `KiB MiB GiB TiB` by 1024. Durations take `ns us ms s min m h d`; without a unit they are milliseconds.
- Moments are UTC: `2026-11-01`, `2026-11-01T08:30:15.25`. Ranges: `80-90`, `10.0.0.1-10.0.0.9`, `2026-11-01..2026-11-02`.
- `flags SA`: both are set. `not flags SA`: none is set. `flags any SA`: at least one. `flags S/SA`: of the two, only S.
- Texts: `=` the whole text, `contains` a part, `~` a pattern of `*` and `?`, `=~` a regular expression (linear time);
  `!=`, `not contains`, `!~`, `!=~` are their negations.
- A word the records do not have is an error, never an empty answer.
"#;

/// The page in Markdown.
pub fn reference() -> String {
    let mut text = GRAMMAR.to_owned();
    let _ = writeln!(
        text,
        "- Limits: {} bytes of text, {} levels, {} comparisons, {} items of a list, {} patterns of {} bytes.",
        limits::TEXT_BYTES_MAX,
        limits::DEPTH_MAX,
        limits::TESTS_MAX,
        limits::LIST_ITEMS_MAX,
        limits::PATTERNS_MAX,
        limits::STRING_BYTES_MAX,
    );
    text.push_str(
        "\n## Fields of flow records\n\n| field | type | operators | meaning |\n|---|---|---|---|\n",
    );
    for field in Catalog::flows().fields() {
        let shown = spelling(field);
        let name = if shown == field.name {
            format!("`{shown}`")
        } else {
            format!("`{shown}`, `{}`", field.name)
        };
        let signs: Vec<String> = operators(field.kind)
            .iter()
            .map(|sign| format!("`{sign}`"))
            .collect();
        let _ = writeln!(
            text,
            "| {name} | {} | {} | {} |",
            kind(field),
            signs.join(" "),
            field.label
        );
    }
    text.push_str(
        "\nTransactions have the key, the moments, `app`, `kind` and `outcome`, and the fields of their dissector ([dissectors](dissectors.md)).\n",
    );
    text.push_str("\n## Words that stand for a filter\n\n| word | filter | meaning |\n|---|---|---|\n");
    for short in SHORTHANDS {
        let _ = writeln!(
            text,
            "| `{}` | `{}` | {} |",
            short.word, short.filter, short.label
        );
    }
    text.push_str("\n## Other spellings\n\n| word | field |\n|---|---|\n");
    for (alias, name) in ALIASES
        .iter()
        .filter(|(_, name)| Catalog::flows().field(name).is_some())
    {
        let _ = writeln!(text, "| `{alias}` | `{name}` |");
    }
    let names: Vec<String> = PROTOCOLS.iter().map(|(name, _)| format!("`{name}`")).collect();
    let _ = writeln!(text, "\nIP protocols by name: {}.", names.join(", "));
    text
}

fn kind(field: &Field) -> String {
    if let Some(closed) = words::closed(field.name) {
        let words: Vec<String> = closed.iter().map(|word| format!("`{word}`")).collect();
        return words.join(" ");
    }
    let name = match (field.kind, &field.reads) {
        (Kind::Number(Unit::Nanos | Unit::Micros), _) => "duration",
        (Kind::Number(Unit::Bytes), _) => "bytes",
        (Kind::Number(Unit::Count), _) => "number",
        (Kind::Rate(_), Reads::PerTime(..)) => "per second",
        (Kind::Rate(_), _) => "quotient",
        (Kind::Time, _) => "moment",
        (Kind::Address, _) => "address or prefix",
        (Kind::Mac, _) => "hardware address",
        (Kind::TcpFlags, _) => "TCP flags",
        (Kind::Flag, _) => "yes/no",
        (Kind::Text, _) => "text",
        (Kind::Texts, _) => "texts",
    };
    name.to_owned()
}
