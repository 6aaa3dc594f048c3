//! Calls that nobody thought of: Schemathesis makes them from the document of the interface, and none may make the server fail.

use super::*;

/// What the calls may take, seconds; some hundred are made in that time.
const SECONDS: &str = "20";
/// Operations that must have been called.
const OPERATIONS_MIN: usize = 60;

/// Operations that end who calls.
const OWN: [&str; 3] = ["patch_users_name", "delete_users_name", "delete_tokens_id"];

#[test]
fn no_call_makes_the_server_fail() {
    let Some(program) = server::installed("schemathesis") else {
        return;
    };
    let args = ["serve", "--store", "store", "--watch", "watched", "--no-collect"];
    let mut house = House::start("any-call", &args);
    house.set_up();
    std::fs::copy(incident(), house.folder.join("watched/incident.pcap.zst")).unwrap();
    house.line("read incident.pcap.zst");
    let new = json!({"name": "any", "role": "admin"});
    let (status, made) = house.ask("POST", "/tokens", Some(new));
    assert_eq!(status, 201, "{made}");
    let secret = made["secret"].as_str().unwrap();
    let output = Command::new(program)
        .args(["run", &format!("http://{}/api/v1/openapi.json", house.address)])
        .args(["--header", &format!("Authorization: Bearer {secret}")])
        // A stream never ends; the others would take the caller's own account or token away, and the rest were refused.
        .args(["--exclude-path", "/api/v1/stream"])
        .args(OWN.iter().flat_map(|id| ["--exclude-operation-id", id]))
        .args(["--phases", "coverage,fuzzing", "--checks", "not_a_server_error"])
        .args([
            "--max-examples",
            "5",
            "--generation-deterministic",
            "--max-time",
            SECONDS,
        ])
        // Its workers share a cache that two of them break.
        .args(["--workers", "1", "--no-color", "--warnings", "off"])
        .current_dir(&house.folder)
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{said}");
    let tested = said
        .lines()
        .find_map(|line| line.trim().strip_prefix("Tested:"))
        .unwrap();
    assert!(
        tested.trim().parse::<usize>().unwrap() >= OPERATIONS_MIN,
        "{said}"
    );
    let (status, page) = house.ask("GET", &format!("/events?{SPAN}"), None);
    assert!(status == 200 && page["events"].is_array(), "{page}");
    assert_eq!(house.stop().0, Some(0));
}
