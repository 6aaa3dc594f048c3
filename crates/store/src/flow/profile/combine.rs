//! Makes the rows of several parts few: those of the same step, profile, channel and class add up, those of an epoch that
//! does not count any more go.

use std::collections::BTreeMap;
use std::sync::Arc;

use arrow_array::RecordBatch;

use super::Step;
use super::known::Known;
use super::table::{Class, Counts, Row, Rows, Sketches, to_batch};
use crate::flow::StoreError;

/// Texts that come again and again, once each.
#[derive(Default)]
struct Names(BTreeMap<Arc<str>, Arc<str>>);

impl Names {
    fn of(&mut self, text: &str) -> Arc<str> {
        if let Some(known) = self.0.get(text) {
            return known.clone();
        }
        let text: Arc<str> = text.into();
        self.0.insert(text.clone(), text.clone());
        text
    }
}

/// The batches of one partition as one, by start, profile, channel and class.
pub(super) fn combine(
    step: Step,
    known: &Known,
    batches: &[RecordBatch],
) -> Result<Vec<RecordBatch>, StoreError> {
    let mut names = Names::default();
    let mut sums = BTreeMap::<(i64, u32, Arc<str>, Arc<str>, Class), (Counts, Option<Sketches>)>::new();
    for batch in batches {
        let rows = Rows::of(batch).ok_or_else(|| StoreError::Profile("rows of another table".to_owned()))?;
        for row in 0..rows.len() {
            let (start, epoch) = (rows.start(row), rows.epoch(row));
            let kept = known.profile(rows.profile(row));
            let Some(class) = rows
                .class(row)
                .filter(|_| kept.is_some_and(|kept| kept.epoch_at(start) == Some(epoch)))
            else {
                continue;
            };
            let (profile, channel) = (names.of(rows.profile(row)), names.of(rows.channel(row)));
            let (counts, sketches) = sums.entry((start, epoch, profile, channel, class)).or_default();
            counts.add(rows.counts(row));
            if let Some(own) = rows.sketches(row) {
                sketches.get_or_insert_default().merge(&own);
            }
        }
    }
    let rows = sums.into_iter().map(
        |((start, epoch, profile, channel, class), (counts, sketches))| Row {
            start,
            epoch,
            profile,
            channel,
            class,
            counts,
            sketches,
        },
    );
    Ok(vec![to_batch(step, &rows.collect::<Vec<_>>())?])
}
