//! Judges an SSH log-in from the lengths of encrypted packets, without any key.
//!
//! Basis. Authentication (RFC 4252) is a dialogue of turns. The server's first answer is SERVICE_ACCEPT with a payload
//! of 17 bytes. SUCCESS has a payload of one byte, and with every cipher block of 8 or 16 bytes, MAC and tag it is
//! exactly 16 bytes shorter than SERVICE_ACCEPT: nothing else the server may say here is that short. FAILURE lists the
//! methods that may go on, so it has the same length each time. Most clients ask for the method "none" first, to learn
//! that list; the answer to it is no attempt. Paramiko does not ask, and a first request too long for "none" asks for
//! more. A DISCONNECT ("too many authentication failures") answers the last attempt with a length of its own. A
//! connection that moves more than any authentication dialogue can is logged in, whatever its lengths looked like.
//!
//! Bias: silent when in doubt. Without a repeated failure length, with a lone "none", or when packets were lost before
//! a verdict, the log-in is unknown. Attempts of keyboard-interactive count when their failures have the usual length;
//! a public key that is refused counts as an attempt. Where the cipher hides packet lengths, the segments as they come
//! stand for packets: small packets are flushed one by one in this phase.

use crate::Side;
use weir_model::Outcome;

/// SERVICE_ACCEPT is longer than SUCCESS by this, with blocks of 8 and of 16 bytes.
const SUCCESS_SHORTER: usize = 16;
/// A request for "none" is longer than SERVICE_ACCEPT by at most this: 14 bytes and a user name of up to 16, in blocks.
const NONE_LONGER_MAX: usize = 32;
/// Server turns looked at before giving up; `MaxAuthTries` is 6 by default, and admins rarely go beyond 20.
const TURNS_MAX: usize = 64;
/// Bytes of one side no authentication needs: six signatures of RSA keys of 16 kbit, or tens of passwords.
const BYTES_MAX: u64 = 48 * 1024;

/// What the packets have told so far.
#[derive(Debug, Default)]
pub(super) struct Authentication {
    /// Clients whose first request is a real attempt.
    pub skips_none: bool,
    client_spoke: bool,
    /// Length of SERVICE_ACCEPT.
    accept: Option<usize>,
    /// The server's last packet of each turn behind SERVICE_ACCEPT.
    answers: Vec<usize>,
    last: Option<Side>,
    bytes: [u64; 2],
}

/// What an observer may say of the log-in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Verdict {
    pub outcome: Outcome,
    /// Attempts including the successful one, when they can be counted.
    pub attempts: Option<u64>,
}

impl Authentication {
    /// The next encrypted packet, `len` bytes on the wire; a verdict when this packet decides.
    pub(super) fn packet(&mut self, from: Side, len: usize) -> Option<Verdict> {
        self.bytes[from as usize] += len as u64;
        if self.bytes[from as usize] > BYTES_MAX || self.answers.len() > TURNS_MAX {
            return Some(self.accepted_late());
        }
        let new_turn = self.last.replace(from) != Some(from);
        if from == Side::Initiator {
            self.client_spoke = true;
            let first_request = self.answers.is_empty();
            self.skips_none |=
                first_request && self.accept.is_some_and(|accept| len > accept + NONE_LONGER_MAX);
            return None;
        }
        // Before the client has asked, the server may only send extension info (RFC 8308).
        if !self.client_spoke {
            return None;
        }
        let Some(accept) = self.accept else {
            self.accept = Some(len);
            return None;
        };
        if self.answers.is_empty() && !new_turn {
            return None;
        }
        if len + SUCCESS_SHORTER == accept {
            let failures = self.failures();
            return Some(Verdict {
                outcome: Outcome::Accepted,
                attempts: Some(failures + 1),
            });
        }
        match self.answers.last_mut() {
            Some(answer) if !new_turn => *answer = len,
            _ => self.answers.push(len),
        }
        None
    }

    /// Far more bytes or turns than an authentication: a session is running.
    fn accepted_late(&self) -> Verdict {
        let long_enough = self.bytes.iter().any(|&bytes| bytes > BYTES_MAX);
        Verdict {
            outcome: if long_enough {
                Outcome::Accepted
            } else {
                Outcome::Unknown
            },
            attempts: None,
        }
    }

    /// Failed attempts: answers of the failure's length, but the one to "none".
    fn failures(&self) -> u64 {
        let attempts = if self.skips_none {
            &self.answers[..]
        } else {
            self.answers.get(1..).unwrap_or_default()
        };
        let Some(failure) = self.failure_len() else {
            return 0;
        };
        attempts.iter().filter(|&&answer| answer == failure).count() as u64
    }

    /// The length of FAILURE: that of the first answer, unless a banner came with it and later ones agree on another.
    fn failure_len(&self) -> Option<usize> {
        let (&first, later) = self.answers.split_first()?;
        if later.is_empty() || later.contains(&first) {
            return Some(first);
        }
        later
            .iter()
            .copied()
            .find(|len| later.iter().filter(|other| *other == len).count() > 1)
    }

    /// The connection is over without a success.
    pub(super) fn end(&self) -> Verdict {
        let mut failures = self.failures();
        let server_last = self.last == Some(Side::Responder);
        let disconnected = self
            .answers
            .last()
            .zip(self.failure_len())
            .is_some_and(|(&last, usual)| last > usual);
        if failures > 0 && server_last && disconnected {
            failures += 1;
        }
        Verdict {
            outcome: if failures > 0 {
                Outcome::Refused
            } else {
                Outcome::Unknown
            },
            attempts: (failures > 0).then_some(failures),
        }
    }

    /// Did the client get as far as asking to log in?
    pub(super) fn has_begun(&self) -> bool {
        !self.answers.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `>len` from the client, `<len` from the server; the verdict, and how many packets it took.
    fn judge(packets: &str, skips_none: bool) -> (Outcome, Option<u64>) {
        let mut authentication = Authentication {
            skips_none,
            ..Authentication::default()
        };
        for packet in packets.split_whitespace() {
            let (side, len) = packet.split_at(1);
            let side = if side == ">" {
                Side::Initiator
            } else {
                Side::Responder
            };
            if let Some(verdict) = authentication.packet(side, len.parse().unwrap()) {
                return (verdict.outcome, verdict.attempts);
            }
        }
        let verdict = authentication.end();
        (verdict.outcome, verdict.attempts)
    }

    #[test]
    fn tries_until_thrown_out() {
        let hydra = ">52 <52 >68 <68 >84 <68 >84 <68 >84 <132";
        assert_eq!(judge(hydra, false), (Outcome::Refused, Some(3)));
    }

    #[test]
    fn a_failure_then_success() {
        let person = ">56 <56 >72 <56 >152 <56 >152 <40 >100 <600";
        assert_eq!(judge(person, false), (Outcome::Accepted, Some(2)));
    }

    #[test]
    fn banner_beside_the_first_failure() {
        assert_eq!(
            judge(">56 <56 >72 <300 <56 >152 <56 >152 <56", false),
            (Outcome::Refused, Some(2))
        );
        assert_eq!(
            judge(">56 <56 >72 <356 >152 <56 >152 <56", false),
            (Outcome::Refused, Some(2))
        );
    }

    #[test]
    fn extension_info_before_the_dialogue() {
        assert_eq!(judge("<120 >56 <56 >72 <40", false), (Outcome::Accepted, Some(1)));
    }

    #[test]
    fn silent_in_doubt() {
        assert_eq!(judge(">56 <56 >72 <56", false), (Outcome::Unknown, None));
        assert_eq!(judge(">56 <56 >72 <56", true), (Outcome::Refused, Some(1)));
        assert_eq!(judge(">44 <44 >84 <52", false), (Outcome::Refused, Some(1)));
        assert_eq!(judge(">56 <56 >72", false), (Outcome::Unknown, None));
        assert_eq!(judge("", false), (Outcome::Unknown, None));
    }

    #[test]
    fn a_long_transfer_is_a_session() {
        let transfer = format!(">56 <56 {}", ">1400 ".repeat(60));
        assert_eq!(judge(&transfer, false), (Outcome::Accepted, None));
    }
}
