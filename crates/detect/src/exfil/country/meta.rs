//! What COUNTRY says of itself, and the numbers its rules compare.

use weir_model::{
    Clause, Facts, Manual, Maturity, MethodMeta, Need, Priority, Quantity, Reads, Scope, SubmethodMeta,
    Technique,
};

use super::Params;
use super::book::{Pair, Sums};

pub(super) const META: MethodMeta = MethodMeta {
    code: "COUNTRY",
    slug: "country",
    family: "exfil",
    title: "Unusual amount of traffic with a country",
    submethods: &[SubmethodMeta {
        name: "IncreasedCommunication",
        about: "A host sends to a country, or receives from it, many times what the other hosts do within an hour.",
        rules: &[
            &[
                Clause::at_least("sent", "minimal_data_transfer_u"),
                Clause::at_least("sent", "sent_max"),
                Clause::at_least("others", "others_min"),
            ],
            &[
                Clause::at_least("received", "minimal_data_transfer_d"),
                Clause::at_least("received", "received_max"),
                Clause::at_least("others", "others_min"),
            ],
            &[
                Clause::above("ratio", "ratio_max"),
                Clause::at_least("sent", "minimal_data_transfer_u"),
                Clause::at_least("others", "others_min"),
                Clause::is("ratio_watched", "yes"),
            ],
        ],
        reason: "{source} sent {sent} to {country} and received {received} within an hour, {begun}; {others} others had \
                 {mean_sent} and {mean_received} in the mean",
        needs: &[],
        techniques: &[Technique {
            tactic: "TA0010",
            technique: "T1030",
        }],
    }],
    priority: Priority::Low,
    maturity: Maturity::Preview,
    scope: Scope::Network,
    reads: Reads::ALL_FLOWS,
    needs: &[Need::Countries],
    same_as: &["UPLOAD", "HIGHTRANSF"],
    manual: Manual {
        what: "Data goes where it does not usually go: a copy of files to a foreign store, a new task of a host, a \
               command channel that carries more than commands.",
        basis: "Bytes of an inside host with outside hosts of one country over the last hour, apart by who began. \
                They are compared with the mean of the other hosts that exchange anything with the country; where \
                fewer than others_min do, with the mean of all pairs of a host and a country.",
        bias: "Silent without a country database, for addresses the database does not know, and while there are too \
               few others. A country is where an address is registered, not where the host stands.",
        false_positives: "A back-up to a foreign provider, an update fetched by one host for all others, a content \
                          network that answers from another country than yesterday.",
        response: "Look who the partners are and which system announces them; leave out what is known with \
                   exclude_hosts or exclude_countries.",
    },
};

/// A pair beside the others.
pub(super) fn facts(params: &Params, pair: &Pair, others: &Sums) -> Facts {
    let (sent, received) = (pair.sent.sum(), pair.received.sum());
    let begun = if pair.initiated {
        "begun inside"
    } else {
        "begun outside"
    };
    let max = |mean: f64| Quantity::Bytes((mean * params.min_quota) as u64);
    Facts::new()
        .input("sent", Quantity::Bytes(sent))
        .input("received", Quantity::Bytes(received))
        .input("ratio", Quantity::Ratio(sent as f64 / received.max(1) as f64))
        .input("others", Quantity::Count(others.pairs))
        .input("ratio_watched", Quantity::Flag(params.ratio_quota > 0.0))
        .input("country", Quantity::Text(pair.country.to_string().into()))
        .input("begun", Quantity::Text(begun.into()))
        .limit(
            "minimal_data_transfer_u",
            Quantity::Bytes(params.minimal_data_transfer_u_mib << 20),
        )
        .limit(
            "minimal_data_transfer_d",
            Quantity::Bytes(params.minimal_data_transfer_d_mib << 20),
        )
        .limit("sent_max", max(others.mean_sent()))
        .limit("received_max", max(others.mean_received()))
        .limit("ratio_max", Quantity::Ratio(others.ratio() * params.ratio_quota))
        .limit("others_min", Quantity::Count(params.others_min.into()))
        .limit("yes", Quantity::Flag(true))
        .baseline("mean_sent", Quantity::Bytes(others.mean_sent() as u64))
        .baseline("mean_received", Quantity::Bytes(others.mean_received() as u64))
}
