//! A house for one test: stores in a folder of its own, three users, and requests without a socket.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use crate::provider::Provider;
use axum::Router;
use axum::body::{Body, to_bytes};
use axum::http::{HeaderMap, Method, Request, StatusCode};
use serde_json::{Value, json};
use tower::ServiceExt;
use weir_api::accounts::{Accounts, Role, Sites};
use weir_api::exporters::Exporter;
use weir_api::indicators::IndicatorList;
use weir_api::jobs::{Task, Work};
use weir_api::oidc::Oidc;
use weir_api::patterns::{NewPattern, PatternShown};
use weir_api::settings::{ChangeError, MethodSettings, Settings};
use weir_api::start::Learned;
use weir_api::status::Reload;
use weir_api::{App, Csv, Flows, Program, Setting};
use weir_model::{FalsePositiveRule, Time};
use weir_query::Catalog;
use weir_store::LocalDisk;
use weir_store::event::{EventRecord, EventStore, Place};
use weir_store::flow::{FlowStore, Limits};

pub(crate) const PASS: &str = "correct horse battery staple";
/// Start of the time of flows and events: 2026-01-01 00:00 UTC.
pub(crate) const EPOCH: Time = weir_testkit::notation::EPOCH;
/// A span that holds all of them.
pub(crate) const SPAN: &str = "since=2026-01-01T00:00:00Z&until=2026-01-02T00:00:00Z";

pub(crate) struct House {
    /// Of the first site.
    pub(crate) app: Arc<App>,
    router: Router,
    /// What the program was told.
    pub(crate) program: Arc<Ran>,
    folder: PathBuf,
    _flows: Vec<FlowStore>,
}

/// What all sites of a house share.
struct Shared {
    accounts: Arc<Accounts>,
    sites: Arc<[String]>,
    program: Arc<Ran>,
    demo: bool,
}

impl Shared {
    /// A site with these flows, and what holds their store open.
    async fn site(&self, folder: &Path, site: &str, flows: &str) -> (Setting, FlowStore) {
        std::fs::create_dir_all(folder).unwrap();
        let mut store = FlowStore::open(folder, site, &Limits::default()).unwrap();
        store
            .append(&weir_testkit::notation::batch(flows), EPOCH)
            .unwrap();
        // What is not synced yet is not shown.
        store.finish(EPOCH).unwrap();
        let events = EventStore::open(&Place::Folder(folder.to_owned())).await.unwrap();
        let setting = Setting {
            site: site.to_owned(),
            sites: self.sites.clone(),
            accounts: self.accounts.clone(),
            oidc: None,
            events: Some(events),
            flows: Some(Flows::Own {
                disk: Arc::new(LocalDisk::new(folder).unwrap()),
                shared: store.shared().0,
                profiles: store.profiles().shared(),
            }),
            flow_line: |flow| json!({"src_ip": flow.key.initiator_ip, "start": flow.start.0}).to_string(),
            csv: Csv {
                flow_header: || "src_ip,start".to_owned(),
                flow: |flow| format!("{},{}", flow.key.initiator_ip, flow.start.0),
                cell: |text| format!("<{text}>"),
            },
            jobs: folder.join("jobs"),
            catalog: Catalog::flows().clone(),
            methods: Vec::new(),
            program: self.program.clone(),
            demo: self.demo,
            secure: false,
            hosts: vec!["weir.test".to_owned()],
            log: |line| assert!(line.starts_with("identity provider: "), "logged: {line}"),
        };
        (setting, store)
    }
}

/// A program that only remembers what it was told.
#[derive(Default)]
pub(crate) struct Ran {
    pub(crate) rules: Mutex<Vec<FalsePositiveRule>>,
}

impl Program for Ran {
    fn rules(&self, rules: Vec<FalsePositiveRule>) {
        *self.rules.lock().unwrap() = rules;
    }

    fn settings(&self) -> Settings {
        Settings {
            etag: "1".to_owned(),
            file: None,
            managed: "settings.toml".to_owned(),
            values: Vec::new(),
            lists: Vec::new(),
            indicators: Vec::new(),
            reload: None,
        }
    }

    fn inside(&self) -> Option<Vec<String>> {
        None
    }

    fn list(&self, name: &str) -> Option<Vec<String>> {
        (name == "servers").then(|| vec!["192.0.2.0/24".to_owned()])
    }

    fn methods(&self) -> Vec<MethodSettings> {
        Vec::new()
    }

    fn change(&self, patch: &Value, etag: Option<&str>, dry_run: bool) -> Result<Reload, ChangeError> {
        match (patch.get("preset"), etag) {
            (_, Some(etag)) if etag != "1" => Err(ChangeError::Stale("1".to_owned())),
            (Some(_), _) => Ok(Reload {
                applied: vec!["preset".to_owned()],
                needs_restart: vec![format!("dry {dry_run}")],
                ..self.reload()
            }),
            (None, _) => Err(ChangeError::Invalid("prest: unknown key".to_owned())),
        }
    }

    fn reload(&self) -> Reload {
        Reload {
            at: String::new(),
            applied: Vec::new(),
            needs_restart: Vec::new(),
            rejected: None,
        }
    }

    fn exporters(&self) -> Vec<Exporter> {
        Vec::new()
    }

    fn indicators(&self) -> Vec<IndicatorList> {
        Vec::new()
    }

    fn patterns(&self) -> Vec<PatternShown> {
        Vec::new()
    }

    fn check_pattern(&self, pattern: &NewPattern) -> Result<String, String> {
        if pattern.pattern.starts_with("where ") {
            Ok(pattern.pattern.clone())
        } else {
            Err("expected where".to_owned())
        }
    }

    fn learned(&self) -> Learned {
        Learned {
            methods: 9,
            ready: 3,
            rest: None,
        }
    }

    /// Runs until it is cancelled, when it is about the presets.
    fn run(&self, task: &Task, work: &Work) -> Result<(String, Value), String> {
        match task {
            Task::RefreshList(name) => Err(format!("{name} is away")),
            Task::TestPattern { pattern, .. } => Ok(("2 events".to_owned(), json!({"title": pattern.title}))),
            Task::TryPresets { .. } => {
                work.progress(0.5);
                while !work.is_cancelled() {
                    std::thread::sleep(std::time::Duration::from_millis(5));
                }
                Ok(("cut short".to_owned(), Value::Null))
            }
        }
    }
}

/// An answer.
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) text: String,
}

impl Answer {
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.text).unwrap_or_else(|error| panic!("{error}: {}", self.text))
    }
}

/// How somebody shows who they are.
#[derive(Clone, Default)]
pub(crate) struct Badge {
    pub(crate) cookie: Option<String>,
    pub(crate) csrf: Option<String>,
    pub(crate) token: Option<String>,
}

impl House {
    /// A house with these flows (in the notation of the test kit).
    pub(crate) async fn new(name: &str, flows: &str) -> Self {
        Self::with(name, flows, false).await
    }

    /// A house that an identity provider lets people into.
    pub(crate) async fn with_provider(name: &str, oidc: Oidc) -> Self {
        Self::made(name, "", false, Some(oidc)).await
    }

    pub(crate) async fn with(name: &str, flows: &str, demo: bool) -> Self {
        Self::made(name, flows, demo, None).await
    }

    async fn made(name: &str, flows: &str, demo: bool, oidc: Option<Oidc>) -> Self {
        let sites = [("default", flows)];
        Self::of_sites(name, &sites, demo, oidc).await
    }

    /// A house with several sites, each with its flows.
    pub(crate) async fn of_sites(name: &str, sites: &[(&str, &str)], demo: bool, oidc: Option<Oidc>) -> Self {
        let folder = std::env::temp_dir().join(format!("weir-api-{name}-{}", std::process::id()));
        let _ = std::fs::remove_dir_all(&folder);
        std::fs::create_dir_all(&folder).unwrap();
        let shared = Shared {
            accounts: Arc::new(Accounts::open(folder.join("accounts.json")).unwrap()),
            sites: sites.iter().map(|(site, _)| (*site).to_owned()).collect(),
            program: Arc::new(Ran::default()),
            demo,
        };
        let (mut apps, mut stores) = (Vec::new(), Vec::new());
        let mut oidc = oidc;
        for (site, flows) in sites {
            let (mut setting, store) = shared.site(&folder.join(site), site, flows).await;
            setting.oidc = oidc.take();
            apps.push(Arc::new(App::new(setting)));
            stores.push(store);
        }
        Self {
            router: weir_api::router(&apps),
            app: apps[0].clone(),
            program: shared.program,
            folder,
            _flows: stores,
        }
    }

    /// Stores events; each is changed from the usual one.
    pub(crate) async fn events(&self, changes: &[fn(&mut Value)]) -> Vec<String> {
        self.events_at("default", changes).await
    }

    /// The same at a site.
    pub(crate) async fn events_at(&self, site: &str, changes: &[fn(&mut Value)]) -> Vec<String> {
        let store = EventStore::open(&Place::Folder(self.folder.join(site)))
            .await
            .unwrap();
        let records: Vec<EventRecord> = (0..)
            .zip(changes)
            .map(|(number, change)| EventRecord::from_line(&line(number, change)).unwrap())
            .collect();
        store.put(&records).await.unwrap();
        records.iter().map(|record| record.id().to_owned()).collect()
    }

    /// A user of this role, logged in.
    pub(crate) async fn badge(&self, role: Role) -> Badge {
        self.badge_of(role.word(), role, Sites::all()).await
    }

    /// A user of this role who sees these sites, logged in.
    pub(crate) async fn badge_of(&self, name: &str, role: Role, sites: Sites) -> Badge {
        let (app, name) = (self.app.clone(), name.to_owned());
        tokio::task::spawn_blocking(move || {
            let accounts = app.accounts();
            accounts.add_user(&name, PASS, (role, sites), now()).unwrap();
            let opened = accounts.log_in(&name, PASS, None, "192.0.2.1", now()).unwrap();
            Badge {
                cookie: Some(format!("weir={}", opened.secret)),
                csrf: Some(opened.csrf),
                token: None,
            }
        })
        .await
        .unwrap()
    }

    /// The whole way through the identity provider.
    pub(crate) async fn sign_in(&self, provider: &Provider) -> Answer {
        let mut browser = Badge {
            csrf: Some("any".to_owned()),
            ..Badge::default()
        };
        let begun = self
            .send(Method::POST, "/session/provider", &browser, Some(json!({})))
            .await;
        let cookie = begun.headers["set-cookie"].to_str().unwrap();
        browser.cookie = cookie.split(';').next().map(str::to_owned);
        let (code, state) = provider.log_in(begun.json()["url"].as_str().unwrap());
        let body = json!({"code": code, "state": state});
        self.send(Method::POST, "/session/provider/answer", &browser, Some(body))
            .await
    }

    pub(crate) async fn get(&self, path: &str, badge: &Badge) -> Answer {
        self.send(Method::GET, path, badge, None).await
    }

    pub(crate) async fn send(
        &self,
        method: Method,
        path: &str,
        badge: &Badge,
        body: Option<Value>,
    ) -> Answer {
        let mut request = Request::builder()
            .method(method)
            .uri(format!("/api/v1{path}"))
            .header("host", "weir.test")
            .header("content-type", "application/json");
        if let Some(cookie) = &badge.cookie {
            request = request.header("cookie", cookie);
        }
        if let Some(csrf) = &badge.csrf {
            request = request.header("x-weir-csrf", csrf);
        }
        if let Some(token) = &badge.token {
            request = request.header("authorization", format!("Bearer {token}"));
        }
        let body = body.map_or_else(Body::empty, |body| Body::from(body.to_string()));
        self.ask(request.body(body).unwrap()).await
    }

    /// Sends any request.
    pub(crate) async fn ask(&self, request: Request<Body>) -> Answer {
        let response = self.router.clone().oneshot(request).await.unwrap();
        let (parts, body) = response.into_parts();
        let bytes = to_bytes(body, 16 << 20).await.unwrap();
        Answer {
            status: parts.status,
            headers: parts.headers,
            text: String::from_utf8(bytes.to_vec()).unwrap(),
        }
    }

    /// The answer's body as it comes, for streams.
    pub(crate) async fn open(&self, request: Request<Body>) -> Body {
        self.router.clone().oneshot(request).await.unwrap().into_body()
    }
}

impl Drop for House {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.folder);
    }
}

/// The clock, as the interface has it.
pub(crate) fn now() -> Time {
    let since = std::time::SystemTime::now()
        .duration_since(std::time::UNIX_EPOCH)
        .unwrap();
    Time(since.as_nanos() as i64)
}

/// Runs a test on a runtime of its own.
pub(crate) fn block_on<T>(test: impl Future<Output = T>) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    runtime.block_on(test)
}

fn line(number: u32, change: &fn(&mut Value)) -> String {
    let at = |second: u32| format!("2026-01-01T00:{:02}:{:02}Z", number % 60, second);
    let mut event = json!({
        "id": format!("0192{number:04x}-0000-7000-8000-000000000000"),
        "method": "DICTATTACK", "submethod": "SambaProtocol", "title": "Dictionary attack",
        "priority": "high", "probability": 90, "risk": 50, "state": "open",
        "site": "default", "feed": "default", "instance": "default",
        "source": {"ip": "10.0.0.5"}, "targets": [{"ip": "10.0.0.9", "port": 445}], "target_count": 1,
        "first_flow": at(0), "detected": at(1), "last_update": at(1), "updates": 0,
        "reason": "195 log-ins, all refused", "detail": {"FlowCount": 195},
        "explanation": {"rule": "attempts >= attempts_min", "inputs": {"attempts": 195}},
        "attack": [{"tactic": "TA0006", "technique": "T1110.001"}], "entities": ["ip:10.0.0.5"],
        "evidence": {"flow_count": 0, "query": "dst port 445", "flows": []},
    });
    change(&mut event);
    event.to_string()
}
