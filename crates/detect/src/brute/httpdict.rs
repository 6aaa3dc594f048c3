//! HTTPDICT: log-in forms tried again and again, told by answers of one size. Only requests that are log-ins count where
//! content is seen; without content it says nothing unless asked to, because polling looks the same.

use std::hash::{Hash, Hasher};

use siphasher::sip::SipHasher13;
use weir_model::{
    Clause, Facts, FlowFilter, FlowRecord, Kind, Manual, Maturity, MethodMeta, NANOS_PER_S, Outcome,
    Priority, Protocol, Quantity, Reads, Scope, SubmethodMeta, Target, Technique, Time, Transaction, proto,
};

use crate::{CellKey, Cells, Findings, Method, Window};

crate::params! {
    /// Answers of one size to log-in requests before anything is said. More makes it quieter and later.
    repetitions_min: u32 = 30, 5..=100_000;
    /// Window in which they must come, seconds; while it goes on, the count goes on.
    window_s: u32 = 300, 10..=3_600;
    /// Smallest answer that counts, bytes; a refusal by status counts at any size. 0 also counts empty redirects, which
    /// some applications answer to wrong passwords (and right ones).
    page_bytes_min: u64 = 200, 0..=1_000_000;
    /// Share of refusals and unclear answers in all log-ins of the client meanwhile, 0 to 1. A first round that is refused
    /// and a second that is accepted are how browsers negotiate.
    failed_min: f64 = 0.8, 0.0..=1.0;
    /// Also judge flows without seen content (encrypted, or flow records only) by equal answer sizes. Finds guessing over
    /// HTTPS, and reports every steady poll as well.
    by_shape: bool = false;
}

/// Kinds of answers remembered per client and service; the least repeated gives way.
const ANSWERS_MAX: usize = 8;
/// Web ports looked at when judging by shape.
const WEB_PORTS: &[u16] = &[80, 443, 8080, 8443];

/// Web form guessing.
pub struct HttpDictionary;

/// One kind of answer: same request path, same status, same size.
#[derive(Clone, Copy)]
struct Answer {
    kind: u64,
    page: u64,
    repetitions: u32,
    refused: u32,
    /// Log-ins accepted since the first of these answers.
    accepted: u32,
    first: Time,
    last: Time,
}

/// Answers of one service to one client.
#[derive(Default)]
pub struct State {
    answers: Vec<Answer>,
}

impl State {
    fn add(&mut self, params: &Params, kind: u64, page: u64, refused: bool, (start, end): (Time, Time)) {
        let window = i64::from(params.window_s) * NANOS_PER_S;
        let fresh = Answer {
            kind,
            page,
            repetitions: 0,
            refused: 0,
            accepted: 0,
            first: start,
            last: end,
        };
        let at = match self.answers.iter().position(|known| known.kind == kind) {
            Some(at) => at,
            None if self.answers.len() < ANSWERS_MAX => {
                self.answers.push(fresh);
                self.answers.len() - 1
            }
            None => {
                let least = (0..ANSWERS_MAX).min_by_key(|&at| self.answers[at].repetitions);
                let least = least.unwrap_or_default();
                self.answers[least] = fresh;
                least
            }
        };
        let answer = &mut self.answers[at];
        let under_way = answer.repetitions >= params.repetitions_min && start.since(answer.last) <= window;
        if !under_way && start.since(answer.first) > window {
            *answer = fresh;
        }
        answer.repetitions += 1;
        answer.refused += u32::from(refused);
        answer.last = answer.last.max(end);
    }
}

impl Method for HttpDictionary {
    const META: MethodMeta = MethodMeta {
        code: "HTTPDICT",
        slug: "httpdict",
        family: "brute",
        title: "Web log-in guessing",
        submethods: &[SubmethodMeta {
            name: "SameSize",
            about: "One client gets very many answers of identical size to log-in requests.",
            rules: &[
                &[
                    Clause::at_least("repetitions", "repetitions_min"),
                    Clause::at_least("page_bytes", "page_bytes_min"),
                    Clause::at_least("failed", "failed_min"),
                ],
                &[
                    Clause::at_least("refused", "repetitions_min"),
                    Clause::at_least("failed", "failed_min"),
                ],
            ],
            reason: "{repetitions} log-in requests in {span} from {source} to {target}, each answered with the same \
                     {page_bytes}",
            needs: &[],
            techniques: &[Technique {
                tactic: "TA0006",
                technique: "T1110.001",
            }],
        }],
        priority: Priority::Low,
        maturity: Maturity::Preview,
        scope: Scope::Service,
        reads: Reads {
            transactions: &[(Protocol::Http, Kind::Login)],
            fields: &["http.uri", "http.status", "http.response_bytes"],
            ..Reads::ENDED_FLOWS
        },
        needs: &[],
        same_as: &["DICTATTACK.HTTPProtocol"],
        manual: Manual {
            what: "A client tries passwords in a web form. The page that says \"wrong password\" has one size.",
            basis: "Requests that carry a log-in (a form with a password, or an Authorization header) are grouped by \
                    path, status and size of the answer, per client and server, within five minutes. Accepted \
                    Authorization is left out and counts against guessing.",
            bias: "Silent in doubt: other requests never count, and encrypted traffic is judged only with by_shape, \
                   because polling pages and monitoring answer in equal sizes too.",
            false_positives: "A program that posts credentials with every call to an interface without sessions; a \
                              proxy behind which many people log in.",
            response: "Read the web server's log of the path: an answer of another size or a new session cookie is the \
                       guess that worked. Limit log-ins per address.",
        },
    };
    type Params = Params;
    type State = State;

    fn window(params: &Params) -> Window {
        Window::idle_s(params.window_s)
    }

    fn cells_of_flow(params: &Params, flow: &FlowRecord, cells: &mut Cells) {
        if params.by_shape
            && WEB_PORTS.contains(&flow.key.responder_port)
            && flow.established()
            && !(flow.protocol_by_content && flow.protocol == Some(Protocol::Http))
            && flow.reverse_total_or_zero().bytes >= params.page_bytes_min
        {
            cells.add(CellKey::service(&flow.key));
        }
    }

    fn cells_of_transaction(_: &Params, login: &Transaction, cells: &mut Cells) {
        if login.number("http.status").is_some() {
            cells.add(CellKey::service(&login.key));
        }
    }

    fn on_flow(params: &Params, state: &mut State, _: &CellKey, flow: &FlowRecord) {
        let page = flow.reverse_total_or_zero().bytes;
        state.add(params, page, page, false, (flow.flow_start, flow.end));
    }

    fn on_transaction(params: &Params, state: &mut State, _: &CellKey, login: &Transaction) {
        if login.outcome == Outcome::Accepted {
            let accepted = |answer: &mut Answer| answer.accepted = answer.accepted.saturating_add(1);
            state.answers.iter_mut().for_each(accepted);
            return;
        }
        let page = login.number("http.response_bytes").unwrap_or_default();
        let path = login.text("http.uri").unwrap_or_default();
        let mut hash = SipHasher13::new_with_keys(0x6874_7470, 0x6469_6374);
        (path.split('?').next(), login.number("http.status"), page).hash(&mut hash);
        let refused = login.outcome == Outcome::Refused;
        state.add(params, hash.finish(), page, refused, (login.start, login.end));
    }

    fn judge(params: &Params, state: &State, cell: &CellKey, out: &mut Findings<'_>) {
        let most = state.answers.iter().max_by_key(|answer| answer.repetitions);
        let Some(answer) = most.filter(|answer| answer.repetitions >= params.repetitions_min) else {
            return;
        };
        if !out.due("SameSize") {
            return;
        }
        let all = answer.repetitions.saturating_add(answer.accepted);
        let failed = f64::from(answer.repetitions) / f64::from(all.max(1));
        let facts = Facts::new()
            .input("repetitions", Quantity::Count(answer.repetitions.into()))
            .input("page_bytes", Quantity::Bytes(answer.page))
            .input("refused", Quantity::Count(answer.refused.into()))
            .input("failed", Quantity::Ratio(failed))
            .limit("failed_min", Quantity::Ratio(params.failed_min))
            .limit("repetitions_min", Quantity::Count(params.repetitions_min.into()))
            .limit("page_bytes_min", Quantity::Bytes(params.page_bytes_min));
        let (Some(verdict), Some(peer)) = (out.judge("SameSize", facts), cell.peer) else {
            return;
        };
        let moved = u64::from(answer.repetitions) * answer.page;
        verdict
            .target(Target::service(peer, cell.port))
            .span(answer.first, answer.last)
            .detail("RepetitionCount", Quantity::Count(answer.repetitions.into()))
            .detail("TransferredData", Quantity::Bytes(moved))
            .evidence(FlowFilter {
                initiator: Some(cell.host),
                responder: Some(peer),
                responder_port: Some(cell.port),
                proto: Some(proto::TCP),
                ..FlowFilter::default()
            });
    }
}

#[cfg(test)]
mod tests {
    use expect_test::expect;

    use super::*;
    use crate::testing::{check, check_with};

    #[test]
    fn a_form_tried_over_and_over() {
        check::<HttpDictionary>(
            "tx http/login every 2s x60 10.0.0.5 <> 10.0.0.9:80 http.uri=/login.php http.status=200 http.response_bytes=1523 dur=30ms",
            expect![[r#"
                HTTPDICT.SameSize 90 % after 58 s, 2 findings, 1 targets: 60 log-in requests in 118 s from 10.0.0.5 to 10.0.0.9:80, each answered with the same 1.49 KiB
                  repetitions >= repetitions_min and page_bytes >= page_bytes_min and failed >= failed_min; silent at repetitions 30, page_bytes 200 B, failed 0.8; src ip 10.0.0.5 and dst ip 10.0.0.9 and proto tcp and dst port 80
            "#]],
        );
    }

    /// Refused by status, with an empty page.
    #[test]
    fn refused_by_status() {
        check::<HttpDictionary>(
            "tx http/login every 2s x60 10.0.0.5 <> 10.0.0.9:80 outcome=refused http.uri=/a http.status=401 http.response_bytes=0",
            expect![[r#"
                HTTPDICT.SameSize 90 % after 58 s, 2 findings, 1 targets: 60 log-in requests in 118 s from 10.0.0.5 to 10.0.0.9:80, each answered with the same 0 B
                  refused >= repetitions_min and failed >= failed_min; silent at refused 30, failed 0.8; src ip 10.0.0.5 and dst ip 10.0.0.9 and proto tcp and dst port 80
            "#]],
        );
    }

    #[test]
    fn below_the_limits() {
        check::<HttpDictionary>(
            "@0s tx http/login every 2s x29 10.0.0.5 <> 10.0.0.9:80 http.uri=/login.php http.status=200 http.response_bytes=1523
             @0s tx http/login every 2s x90 10.0.0.6 <> 10.0.0.9:80 http.uri=/login.php http.status=200 http.response_bytes=199
             @0s tx http/login every 12s x90 10.0.0.7 <> 10.0.0.9:80 http.uri=/login.php http.status=200 http.response_bytes=1523",
            expect![[""]],
        );
    }

    /// An interface with a good password at each call; polling over HTTPS; people whose pages differ.
    #[test]
    fn polling_is_no_guessing() {
        check::<HttpDictionary>(
            "@0s tx http/login every 1s x300 10.0.0.5 <> 10.0.0.9:80 outcome=accepted http.uri=/api http.status=200 http.response_bytes=900
             @0s every 1s x300 10.0.0.5 <> 10.0.0.9:443 tcp APRSF 1200/12 3000/12 app=tls
             @0s tx http/login every 1s x40 10.0.0.6 <> 10.0.0.9:80 http.uri=/login http.status=200 http.response_bytes={900..939}",
            expect![[""]],
        );
    }

    #[test]
    fn by_shape_when_asked() {
        check_with::<HttpDictionary>(
            r#"{"by_shape": true}"#,
            "every 1s x60 10.0.0.5 <> 10.0.0.9:443 tcp APRSF 1200/12 3000/12 app=tls",
            expect![[r#"
                HTTPDICT.SameSize 90 % after 29 s, 2 findings, 1 targets: 60 log-in requests in 59 s from 10.0.0.5 to 10.0.0.9:443, each answered with the same 2.93 KiB
                  repetitions >= repetitions_min and page_bytes >= page_bytes_min and failed >= failed_min; silent at repetitions 30, page_bytes 200 B, failed 0.8; src ip 10.0.0.5 and dst ip 10.0.0.9 and proto tcp and dst port 443
            "#]],
        );
    }
}
