//! A running instance's cells to text and back: the runner's side of `learned`.

use super::Typed;
use crate::cell::PARTITIONS;
use crate::learned::{Header, PARTITION_BYTES_MAX, Room, SavedCell};
use crate::table::Cell;
use crate::{Checkpoint, Learned, Method, RestoreError, Restored};

/// What became of a checkpoint's line.
enum Taken {
    Here,
    /// Another shard's.
    Elsewhere,
    Refused,
}

impl<M: Method> Typed<M> {
    /// The cells of the owned partitions as text; `None` when the method keeps nothing.
    pub(super) fn save(&self, owned: &[bool; PARTITIONS]) -> Option<Checkpoint> {
        let kept = M::LEARNED?;
        let meta = const { &M::META };
        let mut checkpoint = Checkpoint::new(meta.code, self.name, kept.current(), self.now);
        for partition in (0..PARTITIONS).filter(|&partition| owned[partition]) {
            let mut room = Room::new(PARTITION_BYTES_MAX);
            for cell in self.tables[partition].latest_first() {
                let reported = cell.reported.iter().map(|&(submethod, host, at)| {
                    let name = meta.submethods[usize::from(submethod)].name;
                    (name.to_owned(), host, at)
                });
                let saved = SavedCell::new(&cell.key, cell.touched, reported.collect());
                room.add(kept.line(&saved, &cell.state));
            }
            checkpoint.left_out += room.left_out;
            let (lines, cells) = room.finish();
            checkpoint.cells += cells;
            checkpoint.lines.push((partition, lines));
        }
        Some(checkpoint)
    }

    /// A line's cell, if it is ours and can be read.
    fn take_up_line(
        &mut self,
        kept: &Learned<M::State>,
        header: &Header,
        line: &str,
        owned: &[bool; PARTITIONS],
    ) -> Taken {
        let Some(saved) = SavedCell::of_line(line) else {
            return Taken::Refused;
        };
        let key = saved.key();
        let partition = key.partition();
        if !owned[partition] {
            return Taken::Elsewhere;
        }
        let Some(state) = kept.state(header.version, line) else {
            return Taken::Refused;
        };
        let submethods = M::META.submethods;
        let reported = saved.reported.iter().filter_map(|(name, host, at)| {
            let index = submethods.iter().position(|one| one.name == name)?;
            Some((index as u8, *host, *at))
        });
        let cell = Cell {
            key,
            state,
            touched: saved.touched,
            reported: reported.collect(),
        };
        let hasher = |key: &_| self.hasher.hash_one(key);
        if self.tables[partition].put(cell, hasher) {
            Taken::Here
        } else {
            Taken::Refused
        }
    }

    /// Reads cells of the owned partitions; `None` when the method keeps nothing.
    pub(super) fn take_up(
        &mut self,
        header: &Header,
        lines: std::str::Lines<'_>,
        owned: &[bool; PARTITIONS],
    ) -> Result<Option<Restored>, RestoreError> {
        let Some(kept) = M::LEARNED else { return Ok(None) };
        if header.version > kept.current() {
            return Err(RestoreError::Newer {
                method: header.method.clone(),
                version: header.version,
                known: kept.current(),
            });
        }
        let mut restored = Restored {
            method: header.method.clone(),
            instance: header.instance.clone(),
            cells: 0,
            refused: 0,
        };
        for line in lines {
            match self.take_up_line(&kept, header, line, owned) {
                Taken::Here => restored.cells += 1,
                Taken::Refused => restored.refused += 1,
                Taken::Elsewhere => {}
            }
        }
        self.now = self.now.max(header.now);
        Ok(Some(restored))
    }
}
