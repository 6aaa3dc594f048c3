//! Commands that ask a server elsewhere: the same answers as on its screens, over TLS, and no secrets to strangers.

use std::process::Output;

use super::*;

fn weir(house: &House, args: &[&str]) -> Output {
    let output = Command::new(env!("CARGO_BIN_EXE_weir"))
        .args(args)
        .current_dir(&house.folder)
        .env_remove("WEIR_REMOTE")
        .output();
    output.unwrap()
}

fn told(output: &Output) -> String {
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    String::from_utf8(output.stdout.clone()).unwrap()
}

/// It failed, and said this.
fn refused(output: &Output, why: &str) {
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(!output.status.success() && said.contains(why), "{why}: {said}");
}

/// A server, and what a command says to it by token.
struct Asked<'a> {
    house: &'a House,
    url: String,
}

impl Asked<'_> {
    fn ask(&self, words: &[&str]) -> Output {
        let words = [words, &["--remote", &self.url, "--token-file", "token"]].concat();
        weir(self.house, &words)
    }

    fn told(&self, words: &[&str]) -> String {
        told(&self.ask(words))
    }

    fn events(&self) {
        let list = self.told(&["events", "--source", "192.168.0.0/16", "--priority-min", "high"]);
        assert!(
            list.contains("195 Samba log-ins") && !list.contains("UPLOAD"),
            "{list}"
        );
        let lines = self.told(&["events", "--sort", "oldest", "-o", "json"]);
        let lines = lines.lines().filter_map(|line| serde_json::from_str(line).ok());
        let events: Vec<Value> = lines.collect();
        let id = events[0]["id"].as_str().unwrap();
        assert_eq!((events.len(), &events[0]["method"]), (3, &json!("DICTATTACK")));
        assert!(
            self.told(&["events", "count", "--by", "method"])
                .contains("1  SCANS")
        );
        assert!(self.told(&["events", "ack", id]).ends_with("done\n"));
        assert!(
            self.told(&["events", "--workflow", "acknowledged"])
                .contains("DICTATTACK")
        );
        assert!(self.told(&["events", "show", id]).contains("all refused"));
        let file = self.house.folder.join("perspectives.json");
        let quiet = r#"{"format": "weir perspectives 1", "perspectives": [{"name": "quiet", "title": "Quiet",
            "rules": [{"methods": ["DICTATTACK"], "give": "low"}], "otherwise": "hidden"}]}"#;
        std::fs::write(&file, quiet).unwrap();
        let file = file.to_str().unwrap();
        assert_eq!(
            self.told(&["events", "perspectives", "--import", file]),
            "quiet kept\n"
        );
        let exported = self.told(&["events", "perspectives", "--export"]);
        assert!(exported.contains("\"DICTATTACK\""), "{exported}");
        let seen = self.told(&["events", "--perspective", "quiet"]);
        assert!(
            seen.contains("LOW") && seen.ends_with("1 of 1 events\n"),
            "{seen}"
        );
        assert!(
            self.told(&["events", "show", id, "--perspective", "quiet"])
                .contains("\"low\"")
        );
        refused(&self.ask(&["events", "--perspective", "none"]), "answers 404");
        refused(&self.ask(&["events", "show", "01a2"]), "no whole id");
        refused(&self.ask(&["events", "histogram"]), "--store");
    }

    fn flows(&self) {
        let ask = |words: &[&str]| self.told(&[words, &["-t", "2026-11-22"]].concat());
        let top = ask(&["flows", "-s", "srcip/flows", "-n", "1"]);
        assert!(top.contains("192.168.0.33") && top.lines().count() == 2, "{top}");
        let records = ask(&["flows", "dst port 445", "-c", "2", "-o", "json"]);
        let record: Value = serde_json::from_str(records.lines().next().unwrap()).unwrap();
        assert_eq!(
            (records.lines().count(), &record["dst_port"]),
            (2, &json!(445)),
            "{records}"
        );
        let csv = ask(&["flows", "dst port 445", "-c", "1", "-o", "csv"]);
        assert!(
            csv.starts_with("start,proto,src_ip,") && csv.lines().count() == 2,
            "{csv}"
        );
        assert!(ask(&["flows", "--series", "1h"]).lines().count() > 1);
        refused(&self.ask(&["flows", "--exists"]), "--exists is not for --remote");
        refused(&self.ask(&["flows", "dst prt 445"]), "answers 400");
        refused(&self.ask(&["flows", "--site", "acme"]), "no such site");
    }

    fn strangers(&self) {
        std::fs::write(self.house.folder.join("wrong"), "weir_nobody\n").unwrap();
        let wrong = ["exporters", "--remote", &self.url, "--token-file", "wrong"];
        refused(&weir(self.house, &wrong), "does not know the token");
        refused(
            &weir(self.house, &["exporters", "--remote", &self.url]),
            "--token-file",
        );
        let plain = [
            "exporters",
            "--remote",
            "http://192.0.2.1:1",
            "--token-file",
            "token",
        ];
        refused(&weir(self.house, &plain), "take https://");
    }
}

#[test]
fn commands_ask_a_server_elsewhere() {
    let args = ["serve", "--store", "store", "--watch", "watched", "--no-collect"];
    let mut house = House::start("remote", &args);
    house.set_up();
    std::fs::copy(incident(), house.folder.join("watched/incident.pcap.zst")).unwrap();
    house.line("read incident.pcap.zst");
    let span = format!("/overview?{SPAN}");
    house.until(&span, |overview| overview["traffic"]["flows"] == 3648);
    let new = json!({"name": "script", "role": "editor"});
    let (status, made) = house.ask("POST", "/tokens", Some(new));
    assert_eq!(status, 201, "{made}");
    std::fs::write(house.folder.join("token"), made["secret"].as_str().unwrap()).unwrap();
    let asked = Asked {
        url: format!("http://{}", house.address),
        house: &house,
    };
    asked.events();
    asked.flows();
    assert!(asked.told(&["exporters"]).contains("0 exporters"));
    asked.strangers();
    assert_eq!(house.stop().0, Some(0));
    // The same accounts behind a certificate of the server's own making.
    house.child = House::spawn(&house.folder, &args, "0.0.0.0:0");
    house.listen();
    let url = format!("https://localhost:{}", house.address.rsplit(':').next().unwrap());
    let secure = ["events", "--remote", &url, "--token-file", "token"];
    refused(&weir(&house, &secure), "--remote-ca");
    let trusting = [&secure[..], &["--remote-ca", "store/tls/cert.pem"]].concat();
    assert!(told(&weir(&house, &trusting)).contains("SCANS"));
    assert_eq!(house.stop().0, Some(0));
}
