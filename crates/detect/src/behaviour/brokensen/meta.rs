//! What BROKENSEN says of itself: rules, words, manual.

use weir_model::{
    Clause, Manual, Maturity, MethodMeta, Priority, Reads, Rule, Scope, SubmethodMeta, Technique,
};

const UNLIKE_BEFORE: &[Rule] = &[&[
    Clause::at_least("difference", "difference_min"),
    Clause::at_least("sigmas_off", "sigmas"),
    Clause::at_least("learned", "intervals_min"),
]];
const TECHNIQUES: &[Technique] = &[Technique {
    tactic: "TA0107",
    technique: "T0815",
}];

const fn measure(name: &'static str, about: &'static str, reason: &'static str) -> SubmethodMeta {
    SubmethodMeta {
        name,
        about,
        rules: UNLIKE_BEFORE,
        reason,
        needs: &[],
        techniques: TECHNIQUES,
    }
}

pub(super) const META: MethodMeta = MethodMeta {
    code: "BROKENSEN",
    slug: "brokensen",
    family: "behaviour",
    title: "Device reports otherwise than usual",
    submethods: &[
        measure(
            "Bytes",
            "A device exchanges far more or fewer bytes with its server than in past intervals",
            "{source} and {target} exchanged {value} bytes in the last interval; over {learned} before it was {mean}",
        ),
        measure(
            "Duration",
            "The flows of a device last far longer or shorter than in past intervals",
            "flows of {source} to {target} lasted {value} s on average in the last interval; over {learned} before it was {mean} s",
        ),
        measure(
            "Packets",
            "A device exchanges far more or fewer packets with its server than in past intervals",
            "{source} and {target} exchanged {value} packets in the last interval; over {learned} before it was {mean}",
        ),
        measure(
            "Period",
            "A device reports far more often or rarely than in past intervals, or not at all",
            "{source} reports to {target} every {value} s; over {learned} intervals before it was every {mean} s",
        ),
    ],
    priority: Priority::High,
    maturity: Maturity::Preview,
    scope: Scope::Pair,
    reads: Reads::ALL_FLOWS,
    needs: &[],
    same_as: &[],
    manual: Manual {
        what: "A sensor that fell silent or repeats itself measures nothing; one that suddenly says more may be somebody else's.",
        basis: "Bytes, packets, mean length of flows and pause between flows of each pair of a device in sensors and its server per interval, against mean and standard deviation of the pair's past intervals.",
        bias: "Silent until sensors is set, and the coverage report says so. The first interval of a pair is left out. An interval that is unlike the past is not learned, so a device that changed for good is told of until it is forgotten. Told when the interval after the odd one ends or its first flow comes.",
        false_positives: "Maintenance, new firmware, another reporting rate: restart the instance to learn anew.",
        response: "Look at the device. If several fell silent at once, look at what lies between them and the server.",
    },
};
