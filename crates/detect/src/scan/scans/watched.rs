//! A window of one source's probes in as little room as it needs: nearly every client fails once in a while, so the
//! first failure is only noted, and the counts begin with the second.

use std::net::IpAddr;

use weir_model::Time;

use super::probes::{Answers, HostId, Probes};

/// Nothing, one failure, or what is counted of many.
#[derive(Default)]
pub(super) enum Watched {
    #[default]
    Nothing,
    One(Box<Failure>),
    Many(Box<Probes>),
}

/// A probe that failed.
#[derive(Clone, Copy)]
pub(super) struct Failure {
    pub(super) host: IpAddr,
    pub(super) port: u16,
    /// Start and end of its flow.
    pub(super) span: (Time, Time),
}

impl Watched {
    pub(super) const fn is_nothing(&self) -> bool {
        matches!(self, Self::Nothing)
    }

    /// The counts. None before they begin: no rule speaks of a single failure of a shape whose first one is only noted.
    pub(super) fn probes(&self) -> Option<&Probes> {
        match self {
            Self::Many(probes) => Some(probes),
            Self::Nothing | Self::One(_) => None,
        }
    }

    /// From the first failed probe to the end of the last.
    pub(super) fn span(&self) -> Option<(Time, Time)> {
        match self {
            Self::Nothing => None,
            Self::One(failure) => Some(failure.span),
            Self::Many(probes) => probes.span(),
        }
    }

    /// Counts a failure, or only notes it where `notes_first` allows that and it is the first.
    pub(super) fn fail(&mut self, failure: Failure, answers: &Answers, notes_first: bool) {
        let first = match self {
            Self::Many(probes) => return probes.fail(failure, answers),
            Self::Nothing if notes_first => {
                *self = Self::One(Box::new(failure));
                return;
            }
            Self::Nothing => None,
            Self::One(first) => Some(**first),
        };
        let mut probes = Box::<Probes>::default();
        for failure in first.into_iter().chain([failure]) {
            probes.fail(failure, answers);
        }
        *self = Self::Many(probes);
    }

    /// Counts an answer. One between the first failure and the second is among the last answers then.
    pub(super) fn answer(&mut self, host: HostId, port: u16) {
        if let Self::Many(probes) = self {
            probes.answer(host, port);
        }
    }
}
