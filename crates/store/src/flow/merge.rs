//! Merging of small parts of an hour into one, and what becomes of parts that are damaged.
//! Neighbours in the order of segments are merged, so that the range in the name of the result covers just them.

use std::ops::Range;
use std::sync::Arc;

use super::part::{self, Part};
use super::rows::Sorted;
use super::{StoreError, writer::Writer};

/// Parts of the newest hour that are merged before the hour is over.
const PARTS_OPEN_HOUR: usize = 8;

/// Merges parts of about `rows_budget` rows. True when there is more to merge.
pub(super) fn run(writer: &mut Writer, rows_budget: u64) -> Result<bool, StoreError> {
    let mut left = rows_budget;
    while let Some(run) = next_run(&writer.parts, writer.limits.part_rows) {
        let rows: u64 = writer.parts[run.clone()].iter().map(|part| part.rows).sum();
        if rows > left {
            return Ok(true);
        }
        left -= rows;
        merge(writer, run)?;
    }
    Ok(false)
}

/// The first run of neighbours that should be one part.
fn next_run(parts: &[Arc<Part>], part_rows: u64) -> Option<Range<usize>> {
    let newest = parts.iter().map(|part| part.hour).max()?;
    let mut start = 0;
    for hour in parts.chunk_by(|a, b| a.hour == b.hour) {
        let wanted = if hour[0].hour == newest {
            PARTS_OPEN_HOUR
        } else {
            2
        };
        if let Some(run) = run_of_hour(hour, part_rows, wanted) {
            return Some(start + run.start..start + run.end);
        }
        start += hour.len();
    }
    None
}

/// The longest run of at least `wanted` neighbours that fits in a part, or of any two that fill more than half of one.
/// A part that holds more than half of a full one is left alone: merging it again and again would write its rows each
/// time.
fn run_of_hour(parts: &[Arc<Part>], part_rows: u64, wanted: usize) -> Option<Range<usize>> {
    let mut best: Option<Range<usize>> = None;
    for first in 0..parts.len() {
        let (mut rows, mut last) = (0, first);
        while let Some(part) = parts.get(last) {
            if part.rows > part_rows / 2 || rows + part.rows > part_rows {
                break;
            }
            rows += part.rows;
            last += 1;
        }
        let count = last - first;
        let enough = count >= wanted || (count >= 2 && rows > part_rows / 2);
        if enough && best.as_ref().is_none_or(|best| best.len() < count) {
            best = Some(first..last);
        }
    }
    best
}

fn merge(writer: &mut Writer, run: Range<usize>) -> Result<(), StoreError> {
    let old: Vec<Arc<Part>> = writer.parts[run].to_vec();
    sweep(writer, old[0].hour)?;
    let mut batches = Vec::new();
    let mut good = true;
    for part in &old {
        match part.read(&*writer.disk) {
            Ok(rows) => batches.extend(rows),
            Err(StoreError::Damaged(_) | StoreError::Parquet(_) | StoreError::Arrow(_)) => {
                quarantine(writer, part)?;
                good = false;
            }
            Err(error) => return Err(error),
        }
    }
    if !good {
        // The next round merges what is left.
        return Ok(());
    }
    let segments = (old[0].segments.0, old[old.len() - 1].segments.1);
    if let Some(combine) = &writer.combine {
        batches = combine(&batches)?;
    }
    let rows = Sorted::of(writer.table, &batches)?;
    drop(batches);
    let new = part::write(
        &*writer.disk,
        writer.table,
        &writer.site,
        old[0].hour,
        segments,
        &rows,
    )?;
    writer.counters.parts_merged += old.len() as u64;
    writer.counters.part_bytes_written += new.bytes;
    writer.replace(&old, Some(new));
    Ok(())
}

/// Removes files of the hour that a failed merge may have left behind: two that overlap would count rows twice.
pub(super) fn sweep(writer: &Writer, hour: i64) -> Result<(), StoreError> {
    let listing = part::list_hour(&*writer.disk, writer.table, &writer.site, hour)?;
    let mut swept = false;
    for part in listing.parts.iter().chain(&listing.merged) {
        let known = writer
            .parts
            .iter()
            .chain(&writer.retired)
            .any(|known| **known == *part);
        if !known {
            writer.disk.remove(&part.path)?;
            swept = true;
        }
    }
    if swept {
        writer
            .disk
            .sync_folder(&part::hour_folder(writer.table, &writer.site, hour))?;
    }
    Ok(())
}

/// Sets a damaged part aside.
pub(super) fn quarantine(writer: &mut Writer, part: &Arc<Part>) -> Result<(), StoreError> {
    writer.set_aside(&part.path)?;
    writer.counters.parts_damaged += 1;
    writer.parts.retain(|kept| kept != part);
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parts(rows: &[(i64, u64)]) -> Vec<Arc<Part>> {
        let part = |(at, (hour, rows)): (usize, &(i64, u64))| {
            Arc::new(Part::for_test(*hour, (at as u64, at as u64), *rows))
        };
        rows.iter().enumerate().map(part).collect()
    }

    #[test]
    fn closed_hours_become_few_parts() {
        let next = |rows: &[(i64, u64)]| next_run(&parts(rows), 100);
        assert_eq!(next(&[(1, 10), (1, 10), (2, 10), (2, 10)]), Some(0..2));
        assert_eq!(
            next(&[(1, 60), (1, 10), (2, 10)]),
            None,
            "more than half full is left alone"
        );
        assert_eq!(next(&[(1, 50), (1, 50), (1, 50), (2, 1)]), Some(0..2));
        assert_eq!(next(&[(1, 40), (1, 50), (1, 5), (1, 5), (2, 1)]), Some(0..4));
        assert_eq!(next(&[(2, 1); 7]), None, "the newest hour waits for more");
        assert_eq!(next(&[(2, 1); 8]), Some(0..8));
        assert_eq!(next(&[(2, 25); 4]), Some(0..4), "the newest hour fills a part");
        assert_eq!(next(&[(2, 25), (2, 25)]), None, "half of a part is not enough");
    }
}
