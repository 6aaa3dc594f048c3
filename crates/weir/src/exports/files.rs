//! Records out of files of other programs on their way into the pipeline: paired, and counted by what wrote them.

use weir_collector::Pairing;
use weir_collector::files::{FileCounts, FileKind, FlowFile};
use weir_model::{FlowRecord, Quantity, Time};

/// What was read from files of flow records.
#[derive(Default)]
pub(super) struct Files {
    pairing: Pairing,
    /// Latest end of a record so far.
    now: Time,
    /// What wrote files, how many, and their counters; as many entries as there are kinds, at the most.
    counts: Vec<(&'static str, u64, FileCounts)>,
}

impl Files {
    /// Pairs records as they stand in the file; what is ready goes to `ready`.
    pub(super) fn pair(&mut self, kind: FileKind, read: &mut Vec<FlowRecord>, ready: &mut Vec<FlowRecord>) {
        self.pairing.hold(kind.pair_within_ns());
        for flow in read.drain(..) {
            self.now = self.now.max(flow.end);
            self.pairing.push(flow, self.now, ready);
        }
        self.pairing.advance(self.now, ready);
    }

    /// Ends the input: what waits for a counterpart waits no longer.
    pub(super) fn finish(&mut self, ready: &mut Vec<FlowRecord>) {
        self.pairing.finish(ready);
    }

    /// Adds the counters of a file that has been read.
    pub(super) fn count(&mut self, file: &FlowFile) {
        let word = file.kind().word();
        match self.counts.iter_mut().find(|(other, ..)| *other == word) {
            Some((_, files, counts)) => {
                *files += 1;
                counts.merge(file.counts());
            }
            None => self.counts.push((word, 1, file.counts().clone())),
        }
    }

    /// What was read, and what was not as it should be, in lines for people; none when there were no such files.
    pub(super) fn lines(&self) -> Vec<String> {
        if self.counts.is_empty() {
            return Vec::new();
        }
        let number = Quantity::Count;
        let read = self.counts.iter().map(|(word, files, counts)| {
            let files = match files {
                1 => String::new(),
                _ => format!(" in {files} files"),
            };
            format!("{word}, {} records{files}", number(counts.records))
        });
        let pairing = self.pairing.counts();
        let mut lines = vec![format!(
            "read as {}; {} pairs, {} biflows, {} one-way",
            read.collect::<Vec<_>>().join(", "),
            number(pairing.pairs),
            number(pairing.biflows),
            number(pairing.lone),
        )];
        let lacks = self.lacks();
        if !lacks.is_empty() {
            lines.push(format!("records: {}", lacks.join(", ")));
        }
        lines
    }

    fn lacks(&self) -> Vec<String> {
        let mut all = FileCounts::default();
        self.counts.iter().for_each(|(_, _, counts)| all.merge(counts));
        let told = [
            ("not about IP flows", all.others),
            ("told twice", all.repeated),
            ("left out by the writer", all.lost),
            ("with estimated counters", all.estimated),
            ("multiplied by a sampling rate not told", all.scaled),
        ];
        let told = told.into_iter().filter(|&(_, times)| times > 0);
        let bad = all
            .reasons()
            .map(|(reason, times)| format!("broken {} {times}", reason.word()));
        told.map(|(what, times)| format!("{what} {times}"))
            .chain(bad)
            .collect()
    }
}
