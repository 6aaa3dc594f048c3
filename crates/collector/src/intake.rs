//! From the rows of one message to the pairing table: each row is counted, told to what is known of its exporter, put right
//! by the clock where that is asked for, and paired.

use std::net::IpAddr;
use std::sync::Arc;

use weir_model::{FlowRecord, Time};
use weir_wire::export::{Header, Row};

use crate::counts::Counts;
use crate::habits::Habits;
use crate::pairing::Pairing;
use crate::record;
use crate::sampling::Samplers;

/// Where the rows of one message go.
pub(crate) struct Intake<'a> {
    /// Whom the records name as their exporter.
    pub(crate) exporter: IpAddr,
    pub(crate) now: Time,
    pub(crate) correct_clocks: bool,
    pub(crate) pairing: &'a mut Pairing,
    pub(crate) out: &'a mut Vec<FlowRecord>,
}

impl Intake<'_> {
    /// Rows to records, counted and paired; `unnamed` is the text that rows refer to.
    pub(crate) fn take(
        &mut self,
        (rows, unnamed): (&[Row], &str),
        header: &Header,
        samplers: &Samplers,
        counts: &mut Counts,
        habits: &mut Habits,
    ) {
        let correction_ns = if self.correct_clocks {
            habits.clock.correction_ns
        } else {
            0
        };
        for row in rows {
            let sampling = samplers.of(row, header.sampling);
            let Some(mut one) = record::one_way(row, header, self.exporter, sampling) else {
                counts.not_flows += 1;
                continue;
            };
            counts.records += 1;
            habits.see(&one, header.export, counts);
            let (from, to) = row.unnamed;
            if from < to {
                one.unnamed = unnamed
                    .get(from as usize..to as usize)
                    .map(|text| Arc::new(text.to_owned()));
            }
            (one.start, one.end) = (one.start + correction_ns, one.end + correction_ns);
            if record::tells_both(row) {
                self.pairing.pass();
                record::both_ways(&mut one, row, self.out);
            } else {
                self.pairing.take(&mut one, self.now, self.out);
            }
        }
    }
}
