//! Lists of indicators, briefings, named lists and several instances of one method, over the demo incident.

use std::fs;
use std::path::PathBuf;

use expect_test::expect;
use weir::config::Config;
use weir_model::Event;

use crate::run::{incident, run_with};

/// A folder of its own, removed at the end.
struct Folder(PathBuf);

impl Folder {
    fn new(name: &str) -> Self {
        let folder = std::env::temp_dir().join(format!("weir-it-{name}-{}", std::process::id()));
        fs::create_dir_all(&folder).expect("a folder to write to");
        Self(folder)
    }

    fn file(&self, name: &str, text: &str) {
        fs::write(self.0.join(name), text).expect("a folder to write to");
    }

    fn config(&self, toml: &str) -> Config {
        Config::parse(toml, &self.0.join("weir.toml")).unwrap_or_else(|error| panic!("{error}"))
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

fn shown(events: &[Event]) -> String {
    let mut lines: Vec<String> = events
        .iter()
        .filter(|event| ["BLACKLIST", "THREATS", "UPLOAD"].contains(&event.lead.method.code))
        .map(|event| {
            let lead = &event.lead;
            let (code, instance) = (lead.method.code, lead.instance);
            format!(
                "{code} {instance} {}: {} {:?}\n",
                event.priority,
                lead.reason(),
                event.also
            )
        })
        .collect();
    lines.sort();
    lines.concat()
}

#[test]
fn lists_and_briefings_are_seen_in_traffic() {
    let folder = Folder::new("lists");
    folder.file(
        "dump.txt",
        "203.0.113.80 # where the files went\n198.51.100.0/25\n",
    );
    folder.file(
        "names.csv",
        "domain,category,last_seen\nnews.example.org,adware,2026-11-20\n",
    );
    folder.file("good.txt", "www.example.com\n");
    folder.file("all.txt", "example.com\n");
    folder.file(
        "brief.toml",
        "name = \"Office\"\ntitle = \"Somebody reads the intranet\"\ntext = \"For the test.\"\n\
         indicators = [\"intranet.corp.example\"]",
    );
    let toml = "inside = [\"192.168.0.0/16\"]\n\
         [[indicators]]\npath = \"dump.txt\"\ncategory = \"drop zone\"\nscore = 0\n\
         [[indicators]]\npath = \"names.csv\"\n\
         [[indicators]]\npath = \"all.txt\"\n\
         [[indicators]]\npath = \"good.txt\"\nallow = true\n\
         [[briefings]]\npath = \"brief.toml\"\n\
         [methods.blacklist]\nignore_sources = [\"192.168.0.22/31\"]\n\
         [methods.threats]\nsightings_min = 30";
    let mut texts = Vec::new();
    for shards in [1, 2, 4] {
        let mut config = folder.config(toml);
        config.shards = shards;
        texts.push(run_with(&[incident()], config).0.ndjson());
    }
    assert!(
        texts.iter().all(|text| *text == texts[0]),
        "the shard count shows"
    );
    let (kept, summary) = run_with(&[incident()], folder.config(toml));
    assert_eq!(summary.lists.len(), 5);
    expect![[r#"
        BLACKLIST default medium: 11 exchanges of 192.168.0.33 with 2 targets in 5.26 min: news.example.org is on names (adware, reputation 10, confirmed 2.07 d before) []
        BLACKLIST default medium: 16 exchanges of 192.168.0.33 with 192.168.0.1:53 in 5.26 min: news.example.org is on names (adware, reputation 10, confirmed 2.07 d before) []
        BLACKLIST default medium: 18 flows of 192.168.0.21 with 2 targets in 8.13 min: 198.51.100.0/25 is on dump (drop zone, reputation 0, age not said) []
        BLACKLIST default medium: 20 exchanges of 192.168.0.21 with 192.168.0.1:53 in 8.13 min: news.example.org is on names (adware, reputation 10, confirmed 2.07 d before) []
        BLACKLIST default medium: 21 exchanges of 192.168.0.21 with 198.51.100.20:80 in 8.13 min: news.example.org is on names (adware, reputation 10, confirmed 2.07 d before) []
        BLACKLIST default medium: 22 flows of 192.168.0.33 with 3 targets in 6.14 min: 198.51.100.0/25 is on dump (drop zone, reputation 0, age not said) []
        THREATS default medium: 37 exchanges of 192.168.0.33 with 3 targets in 8.31 min: intranet.corp.example belongs to Somebody reads the intranet (age not said) []
        THREATS default medium: 42 exchanges of 192.168.0.23 with 3 targets in 8.27 min: intranet.corp.example belongs to Somebody reads the intranet (age not said) []
        THREATS default medium: 46 exchanges of 192.168.0.22 with 3 targets in 8.03 min: intranet.corp.example belongs to Somebody reads the intranet (age not said) []
        UPLOAD default low: 62.2 MiB sent from 192.168.0.33 to 203.0.113.80:80 in 60 s, 73 KiB received []
    "#]].assert_eq(&shown(&kept.events));
}

#[test]
fn instances_with_filters_and_named_lists() {
    let folder = Folder::new("instances");
    folder.file("people.txt", "192.168.0.21 # pc21\n192.168.0.22\n");
    let config = folder.config(
        "[lists]\npeople = { file = \"people.txt\" }\nservers = [\"192.168.0.252\", \"192.168.0.80\"]\n\
         [[methods.upload]]\nname = \"people\"\nfilter = \"src ip @people\"\n\
         [[methods.upload]]\nname = \"others\"\nfilter = \"not src ip @people and not dst ip @servers\"\npriority = \"critical\"\n\
         [[methods.upload]]\nname = \"off\"\noff = [\"General\"]",
    );
    let (kept, _) = run_with(&[incident()], config);
    expect![[r#"
        UPLOAD others critical: 62.2 MiB sent from 192.168.0.33 to 203.0.113.80:80 in 60 s, 73 KiB received []
    "#]]
    .assert_eq(&shown(&kept.events));

    let refused = |toml: &str| match Config::parse(toml, "weir.toml".as_ref()) {
        Ok(_) => panic!("{toml} was taken"),
        Err(error) => error.to_string(),
    };
    let errors = [
        "[[methods.upload]]\n[[methods.upload]]",
        "[methods.upload]\nfilter = \"src ip @nobody\"",
        "[methods.dnsquery]\nfilter = \"bytes > 1M\"",
        "[methods.upload]\nfilter = \"src prot 4\"",
        "[lists]\nx = [1.5]",
    ];
    let errors: Vec<String> = errors.into_iter().map(refused).collect();
    expect![[r#"
        methods.upload[2]: there are two instances named "default": give each a name
        methods.upload.filter: there is no list @nobody
          src ip @nobody
                 ^^^^^^^
        expected 10.0.0.0/8
        methods.dnsquery.filter: "bytes" is not known of transactions, but of other records
          bytes > 1M
          ^^^^^
        expected a comparison such as dst port 445, not, (, any
        methods.upload.filter: there is no field "src prot"
          src prot 4
              ^^^^
        did you mean port?
        lists.x: holds neither text nor number"#]]
    .assert_eq(&errors.join("\n"));
}
