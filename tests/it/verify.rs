//! The log as an operator and an auditor meet it: a running vault, a mirror, and the command line.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Output,
    thread,
    time::{Duration, Instant},
};

use serde_json::Value;

use crate::support::{http::request, process::Process};

fn serve(dir: &Path) -> (Process, String) {
    // What an earlier start printed is not what this one says.
    let _ = fs::remove_file(dir.join("stdout.log"));
    let args = ["serve", "--json", "--port", "0", "--log-mirror", "mirror"];
    let mut process = Process::start(dir, &args, &[]);
    let line = process.line(|line| line.starts_with('{'));
    let started: Value = serde_json::from_str(&line).unwrap();
    let address = started["url"]
        .as_str()
        .unwrap()
        .rsplit('/')
        .next()
        .unwrap()
        .to_owned();
    if let Some(key) = started["first_key"].as_str() {
        fs::write(dir.join("first-key"), key).unwrap();
    }
    process.ready(&address);
    (process, address)
}

/// The size that the mirror's checkpoint speaks of.
fn size(dir: &Path) -> u64 {
    let text = fs::read_to_string(dir.join("mirror/checkpoint")).unwrap_or_default();
    text.lines()
        .nth(1)
        .and_then(|line| line.parse().ok())
        .unwrap_or(0)
}

fn wait_for(what: &str, holds: impl Fn() -> bool) -> Duration {
    let start = Instant::now();
    while !holds() {
        assert!(start.elapsed() < Duration::from_secs(30), "it did not {what}");
        thread::sleep(Duration::from_millis(20));
    }
    start.elapsed()
}

/// Calls of the administrator that are refused; each is an event.
fn knock(dir: &Path, address: &str, times: u32) {
    let key = fs::read_to_string(dir.join("first-key")).unwrap();
    for _ in 0..times {
        let bearer = ("Authorization", &*format!("Bearer {key}"));
        assert_eq!(
            request(address, "GET", "/v1/audit/log/checkpoint", &[bearer], b"")
                .unwrap()
                .status,
            403
        );
    }
}

fn run(dir: &Path, args: &[&str]) -> (Option<i32>, String, String) {
    let Output {
        status,
        stdout,
        stderr,
    } = Process::run(dir, args, &[]);
    (
        status.code(),
        String::from_utf8(stdout).unwrap(),
        String::from_utf8(stderr).unwrap(),
    )
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let path: PathBuf = entry.unwrap().path();
        let to = to.join(path.file_name().unwrap());
        if path.is_dir() {
            copy(&path, &to);
        } else {
            fs::copy(&path, to).unwrap();
        }
    }
}

#[test]
fn a_killed_vault_goes_on_and_one_that_went_back_in_time_does_not_serve() {
    let folder = tempfile::tempdir().unwrap();
    let dir = folder.path();
    let (process, address) = serve(dir);
    wait_for("log its first events", || size(dir) > 0);
    let begun = size(dir);
    knock(dir, &address, 5);
    process.kill_nine();
    copy(&dir.join("vault-data"), &dir.join("earlier"));

    // What was durable at the kill gets its index now; the right of the killed process ends by itself.
    let (process, address) = serve(dir);
    let grown = |more: u64| move || size(dir) >= begun + more;
    let took = wait_for("take over", grown(1));
    assert!(took < Duration::from_secs(10), "{took:?}");
    knock(dir, &address, 5);
    let known = size(dir);
    wait_for("log what came after", || size(dir) > known);
    assert!(process.terminate().success());
    let (status, vkey, _) = run(dir, &["audit", "vkey"]);
    assert_eq!(status, Some(0));
    let vkey = vkey.lines().last().unwrap().to_owned();

    fs::copy(dir.join("mirror/checkpoint"), dir.join("noted")).unwrap();
    let offline = [
        "audit", "verify", "--dir", "mirror", "--vkey", &vkey, "--since", "noted", "--json",
    ];
    let (status, said, told) = run(dir, &offline);
    assert_eq!(status, Some(0), "{said}{told}");
    let report: Value = serde_json::from_str(said.lines().last().unwrap()).unwrap();
    assert_eq!(report["size"], size(dir));
    for verdict in ["intact", "complete", "chained", "consistent"] {
        assert_eq!(report[verdict], true, "{report}");
    }
    let (status, said, _) = run(dir, &["audit", "verify"]);
    assert!(status == Some(0) && said.contains("intact      yes"), "{said}");
    let (status, ..) = run(dir, &["audit", "verify", "--dir", "mirror", "--vkey", "nonsense"]);
    assert_eq!(status, Some(2));

    // One byte of one entry.
    let bundles = dir.join("mirror/tile/entries/000.p");
    let bundle = bundles.join(size(dir).to_string());
    let whole = fs::read(&bundle).unwrap();
    let mut wrong = whole.clone();
    wrong[40] ^= 1;
    fs::write(&bundle, wrong).unwrap();
    let (status, said, _) = run(dir, &offline);
    let report: Value = serde_json::from_str(said.lines().last().unwrap()).unwrap();
    assert_eq!(
        (status, &report["intact"], &report["first_bad_index"]),
        (Some(1), &false.into(), &0.into())
    );
    fs::write(&bundle, whole).unwrap();

    // The database of the morning is put back; the mirror remembers the evening.
    fs::rename(dir.join("vault-data"), dir.join("evening")).unwrap();
    copy(&dir.join("earlier"), &dir.join("vault-data"));
    let (status, _, told) = run(dir, &["serve", "--port", "0", "--log-mirror", "mirror"]);
    assert!(status == Some(1) && told.contains("rolled back"), "{told}");
}

#[test]
fn a_mirror_that_gets_ahead_stops_a_running_vault() {
    let folder = tempfile::tempdir().unwrap();
    let dir = folder.path();
    let (process, _) = serve(dir);
    wait_for("log its first events", || size(dir) > 0);
    assert!(process.terminate().success());
    copy(&dir.join("vault-data"), &dir.join("earlier"));
    copy(&dir.join("mirror"), &dir.join("earlier-mirror"));
    let (process, address) = serve(dir);
    let before = size(dir);
    knock(dir, &address, 3);
    wait_for("log them", || size(dir) > before);
    assert!(process.terminate().success());
    fs::rename(dir.join("mirror"), dir.join("later-mirror")).unwrap();
    fs::rename(dir.join("vault-data"), dir.join("later")).unwrap();

    // The earlier database with the earlier mirror serves; then the later mirror shows what is missing.
    copy(&dir.join("earlier"), &dir.join("vault-data"));
    copy(&dir.join("earlier-mirror"), &dir.join("mirror"));
    let (mut process, _) = serve(dir);
    // At once, as a vault writes it: half a checkpoint would be none.
    fs::rename(dir.join("later-mirror/checkpoint"), dir.join("mirror/checkpoint")).unwrap();
    assert_eq!(process.wait().code(), Some(1));
    assert!(process.stderr().contains("rolled back"), "{}", process.stderr());
}

#[test]
fn a_log_is_verified_over_the_network() {
    let folder = tempfile::tempdir().unwrap();
    let dir = folder.path();
    let (process, address) = serve(dir);
    knock(dir, &address, 5);
    let before = size(dir);
    let new = [
        "principal",
        "create",
        "--name",
        "auditor",
        "--role",
        "auditor",
        "--property",
        "GROUP",
        "--json",
    ];
    let (status, said, told) = run(dir, &new);
    assert_eq!(status, Some(0), "{told}");
    let made: Value = serde_json::from_str(said.lines().last().unwrap()).unwrap();
    let (_, vkey, _) = run(dir, &["audit", "vkey"]);
    let vkey = vkey.lines().last().unwrap().to_owned();
    wait_for("log the new principal", || size(dir) > before);
    let url = format!("http://{address}/v1/audit/log");
    let key = made["key"].as_str().unwrap();
    let verify = [
        "audit", "verify", "--url", &url, "--key", key, "--vkey", &vkey, "--json",
    ];
    let (status, said, told) = run(dir, &verify);
    assert_eq!(status, Some(0), "{said}{told}");
    let report: Value = serde_json::from_str(said.lines().last().unwrap()).unwrap();
    assert_eq!(
        (&report["intact"], &report["complete"]),
        (&true.into(), &true.into()),
        "{report}"
    );
    let (status, _, told) = run(
        dir,
        &[
            "audit", "verify", "--url", &url, "--key", "gv_no", "--vkey", &vkey,
        ],
    );
    assert!(status == Some(1) && told.contains("401"), "{told}");
    let far = [
        "audit",
        "verify",
        "--url",
        "http://example.com/log",
        "--vkey",
        &vkey,
    ];
    assert_eq!(run(dir, &far).0, Some(2), "not in clear over the network");
    assert!(process.terminate().success());
}
