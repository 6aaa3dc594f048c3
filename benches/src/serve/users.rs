//! People at their screens: each opens a screen, whose questions the browser asks side by side as the interface does, looks
//! at it for a while, and opens the next.

use std::thread;
use std::time::{Duration, Instant};

use super::client::Client;
use crate::mix::random::Random;

/// Connections a browser keeps to one server.
const CONNECTIONS: usize = 6;
/// How long somebody looks at a screen before the next, evenly between.
const THINK_MS_MIN: u64 = 3_000;
const THINK_MS_MAX: u64 = 10_000;

/// What a question is held against.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// Rows, and one thing with all that is kept of it.
    List,
    /// What counts, groups or sums over the window.
    Dashboard,
}

/// A question that was asked.
#[derive(Clone, Debug)]
pub struct Asked {
    pub kind: Kind,
    /// The path without its parameters.
    pub what: &'static str,
    pub took: Duration,
    /// Why it counts as failed.
    pub fault: Option<String>,
}

/// A question of a screen.
struct Question {
    kind: Kind,
    what: &'static str,
    path: String,
}

/// What all of them look at.
#[derive(Clone)]
pub struct Setting {
    pub address: String,
    /// `since=...&until=...`.
    pub window: String,
    /// Ids of events, and addresses of hosts.
    pub events: Vec<String>,
    pub hosts: Vec<String>,
    pub until: Instant,
}

/// One user from the first screen to the end of the run.
#[must_use]
pub fn user(setting: &Setting, token: &str, seed: u64) -> Vec<Asked> {
    let mut random = Random::new(seed);
    let headers = format!("authorization: Bearer {token}\r\naccept: application/json\r\n");
    let mut clients: Vec<Client> = (0..CONNECTIONS)
        .map(|_| Client::new(&setting.address, headers.clone()))
        .collect();
    let mut asked = Vec::new();
    // Not all in the same moment.
    thread::sleep(Duration::from_millis(random.below(THINK_MS_MAX)));
    while Instant::now() < setting.until {
        let questions = screen(&mut random, setting);
        for side_by_side in questions.chunks(CONNECTIONS) {
            let answers = thread::scope(|scope| {
                let asking: Vec<_> = side_by_side
                    .iter()
                    .zip(&mut clients)
                    .map(|(question, client)| scope.spawn(move || ask(question, client)))
                    .collect();
                asking
                    .into_iter()
                    .filter_map(|one| one.join().ok())
                    .collect::<Vec<_>>()
            });
            asked.extend(answers);
        }
        let think_ms = THINK_MS_MIN + random.below(THINK_MS_MAX - THINK_MS_MIN);
        let left = setting.until.saturating_duration_since(Instant::now());
        thread::sleep(left.min(Duration::from_millis(think_ms)));
    }
    asked
}

fn ask(question: &Question, client: &mut Client) -> Asked {
    let began = Instant::now();
    let fault = match client.get(&question.path) {
        Ok(answer) if answer.status == 200 => None,
        Ok(answer) => Some(format!(
            "{}: {} {}",
            question.path,
            answer.status,
            String::from_utf8_lossy(&answer.body)
                .chars()
                .take(300)
                .collect::<String>()
        )),
        Err(error) => Some(format!("{}: {error}", question.path)),
    };
    Asked {
        kind: question.kind,
        what: question.what,
        took: began.elapsed(),
        fault,
    }
}

/// The questions of a screen, as the interface asks them when it is opened.
fn screen(random: &mut Random, setting: &Setting) -> Vec<Question> {
    let window = &setting.window;
    let list = |what, path: String| Question {
        kind: Kind::List,
        what,
        path,
    };
    let dashboard = |what, path: String| Question {
        kind: Kind::Dashboard,
        what,
        path,
    };
    let groups = |by: &str| {
        dashboard(
            "/flows/groups",
            format!("/flows/groups?{window}&by={by}&order=bytes&limit=8"),
        )
    };
    let pick = |random: &mut Random, all: &[String]| {
        all.get(random.below(all.len().max(1) as u64) as usize)
            .cloned()
            .unwrap_or_default()
    };
    match random.below(100) {
        0..=24 => vec![
            dashboard("/overview", format!("/overview?{window}")),
            dashboard("/flows/series", format!("/flows/series?{window}")),
            groups("app"),
            list("/perspectives", "/perspectives".to_owned()),
        ],
        25..=54 => {
            let narrow = ["", "&priority=critical,high", "&method=SCANS", "&state=open"];
            let narrow = random.pick(&narrow);
            let sort = random.pick(&["risk", "updated", "detected"]);
            vec![
                list(
                    "/events",
                    format!("/events?{window}{narrow}&sort={sort}&limit=100"),
                ),
                dashboard("/events/facets", format!("/events/facets?{window}{narrow}")),
                dashboard("/events/histogram", format!("/events/histogram?{window}{narrow}")),
            ]
        }
        55..=74 => {
            let id = pick(random, &setting.events);
            vec![list("/events/{id}", format!("/events/{id}"))]
        }
        75..=79 => vec![dashboard(
            "/hosts",
            format!("/hosts?{window}&order=threat&limit=200"),
        )],
        80..=86 => {
            let ip = pick(random, &setting.hosts);
            vec![dashboard("/hosts/{ip}", format!("/hosts/{ip}?{window}"))]
        }
        87..=94 => {
            let filter = random.pick(&["dst+port+445", "dst+port+443+and+bytes+%3E+100K", "proto+udp", ""]);
            vec![
                list("/flows", format!("/flows?{window}&filter={filter}&limit=200")),
                dashboard("/flows/series", format!("/flows/series?{window}&filter={filter}")),
            ]
        }
        _ => vec![
            list("/health", "/health".to_owned()),
            list("/exporters", "/exporters".to_owned()),
        ],
    }
}
