//! Sampling of one observation domain as the exporter tells it: in v5 headers, in options data, or in the record itself.

use std::collections::HashMap;

use ahash::RandomState;
use weir_wire::export::{Row, Sampling};

use crate::state::SamplerState;

/// Samplers remembered per domain; routers have one per interface at most, a thousand is a large chassis.
const SAMPLERS_MAX: usize = 1_024;

/// What is known of a domain's sampling.
#[derive(Debug, Default)]
pub(crate) struct Samplers {
    /// By sampler or selector id (48, 302).
    by_selector: HashMap<u64, u32, RandomState>,
    /// By interface the options data were scoped to.
    by_interface: HashMap<u32, u32, RandomState>,
    /// For the whole domain.
    whole: Option<u32>,
}

impl Samplers {
    /// Learns from an options record, which may be about something else.
    pub(crate) fn learn(&mut self, options: &Row) {
        let Some(one_of) = options.sampling.one_of() else {
            return;
        };
        if let Some(selector) = options.sampling.selector {
            if self.by_selector.len() < SAMPLERS_MAX || self.by_selector.contains_key(&selector) {
                self.by_selector.insert(selector, one_of);
            }
            // A lone sampler serves every flow, also where records do not name it.
            self.whole = (self.by_selector.len() == 1).then_some(one_of);
        } else if options.ingress > 0 {
            if self.by_interface.len() < SAMPLERS_MAX || self.by_interface.contains_key(&options.ingress) {
                self.by_interface.insert(options.ingress, one_of);
            }
        } else {
            self.whole = Some(one_of);
        }
    }

    /// What is worth keeping over a restart of ours.
    pub(crate) fn save(&self) -> SamplerState {
        let mut state = SamplerState {
            by_selector: self
                .by_selector
                .iter()
                .map(|(&id, &one_of)| (id, one_of))
                .collect(),
            by_interface: self
                .by_interface
                .iter()
                .map(|(&id, &one_of)| (id, one_of))
                .collect(),
            whole: self.whole,
        };
        state.by_selector.sort_unstable();
        state.by_interface.sort_unstable();
        state
    }

    /// Takes what an earlier run kept.
    pub(crate) fn restore(state: SamplerState) -> Self {
        Self {
            by_selector: state.by_selector.into_iter().take(SAMPLERS_MAX).collect(),
            by_interface: state.by_interface.into_iter().take(SAMPLERS_MAX).collect(),
            whole: state.whole,
        }
    }

    /// One packet of how many was counted for this record; `header` is the interval of a v5 header, 0 when not said.
    pub(crate) fn of(&self, row: &Row, header: u32) -> u32 {
        let Sampling { selector, .. } = row.sampling;
        row.sampling
            .one_of()
            .or_else(|| selector.and_then(|selector| self.by_selector.get(&selector).copied()))
            .or_else(|| self.by_interface.get(&row.ingress).copied())
            .or(self.whole)
            .unwrap_or(header)
            .max(1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(interval: u32, selector: Option<u64>, ingress: u32) -> Row {
        let sampling = Sampling {
            interval,
            selector,
            ..Sampling::default()
        };
        Row {
            sampling,
            ingress,
            ..Row::default()
        }
    }

    #[test]
    fn the_nearest_word_wins() {
        let mut samplers = Samplers::default();
        assert_eq!(samplers.of(&told(0, None, 0), 0), 1);
        assert_eq!(samplers.of(&told(0, None, 0), 64), 64);
        samplers.learn(&told(100, None, 0));
        samplers.learn(&told(200, None, 7));
        samplers.learn(&told(0, None, 8));
        assert_eq!(samplers.of(&told(0, None, 3), 64), 100);
        assert_eq!(samplers.of(&told(0, None, 7), 0), 200);
        assert_eq!(samplers.of(&told(10, None, 7), 0), 10);
        samplers.learn(&told(300, Some(1), 0));
        assert_eq!(samplers.of(&told(0, Some(1), 0), 0), 300);
        samplers.learn(&told(400, Some(2), 0));
        assert_eq!(samplers.of(&told(0, Some(1), 0), 0), 300);
        assert_eq!(samplers.of(&told(0, None, 0), 0), 1);
    }
}
