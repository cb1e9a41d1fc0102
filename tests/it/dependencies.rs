//! What we build on: licences, bans, one copy of what must be one. `cargo deny` (`.deny.toml`) says the same where
//! it is installed; this needs nothing but cargo and the lock file.

use std::{collections::BTreeSet, env, process::Command};

use serde_json::Value;

/// Licences that an Apache-2.0 product may ship.
const ALLOWED: &[&str] = &[
    "0BSD",
    "Apache-2.0",
    "Apache-2.0 WITH LLVM-exception",
    "BSD-1-Clause",
    "BSD-2-Clause",
    "BSD-3-Clause",
    "BSL-1.0",
    "CC0-1.0",
    "CDLA-Permissive-2.0",
    "ISC",
    "MIT",
    "MIT-0",
    "MPL-2.0",
    "Unicode-3.0",
    "Unlicense",
    "Zlib",
];

/// Crates that must not come in, and why.
const BANNED: &[(&str, &str)] = &[
    ("openssl", "one TLS stack: rustls"),
    ("openssl-sys", "one TLS stack: rustls"),
    ("native-tls", "one TLS stack: rustls"),
    ("aws-lc-rs", "one cryptographic provider: ring"),
    ("rsa", "RUSTSEC-2023-0071, without a fix"),
    ("sharks", "RUSTSEC-2024-0398, biased shares"),
    ("actix-governor", "GPL-3"),
];

/// Crates of which two copies would not understand each other, or would be two stacks.
const SINGLE: &[&str] = &[
    "sqlx-core",
    "libsqlite3-sys",
    "rustls",
    "ring",
    "actix-web",
    "uuid",
    "chrono",
    "serde",
    "tokio",
];

/// The packages that end up in a build for this platform.
fn packages() -> Vec<Value> {
    let host = Command::new("rustc").arg("-vV").output().expect("rustc").stdout;
    let host = String::from_utf8(host).unwrap();
    let host = host
        .lines()
        .find_map(|l| l.strip_prefix("host: "))
        .expect("the host's triple");
    let out = Command::new(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()))
        .args([
            "metadata",
            "--format-version=1",
            "--locked",
            "--filter-platform",
            host,
        ])
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .output()
        .expect("cargo metadata");
    assert!(out.status.success(), "{}", String::from_utf8_lossy(&out.stderr));
    let metadata: Value = serde_json::from_slice(&out.stdout).unwrap();
    let packages = metadata["packages"].as_array().unwrap();
    let nodes = metadata["resolve"]["nodes"].as_array().unwrap();
    let used: BTreeSet<&str> = nodes.iter().map(|n| n["id"].as_str().unwrap()).collect();
    packages
        .iter()
        .filter(|p| used.contains(p["id"].as_str().unwrap()))
        .cloned()
        .collect()
}

/// Whether some choice that an SPDX expression leaves is allowed.
fn allowed(expression: &str) -> bool {
    // Old crates write `MIT/Apache-2.0` for OR.
    let spaced = expression
        .replace('/', " OR ")
        .replace('(', " ( ")
        .replace(')', " ) ");
    let words: Vec<&str> = spaced.split_whitespace().collect();
    let mut at = 0;
    let verdict = either(&words, &mut at);
    verdict && at == words.len()
}

fn either(words: &[&str], at: &mut usize) -> bool {
    let mut verdict = both(words, at);
    while words.get(*at) == Some(&"OR") {
        *at += 1;
        verdict |= both(words, at);
    }
    verdict
}

fn both(words: &[&str], at: &mut usize) -> bool {
    let mut verdict = one(words, at);
    while words.get(*at) == Some(&"AND") {
        *at += 1;
        verdict &= one(words, at);
    }
    verdict
}

fn one(words: &[&str], at: &mut usize) -> bool {
    let Some(word) = words.get(*at) else { return false };
    *at += 1;
    if *word == "(" {
        let verdict = either(words, at);
        *at += 1;
        return verdict;
    }
    // `MPL-2.0+` offers MPL-2.0 itself.
    let word = word.trim_end_matches('+');
    let mut licence = word.to_owned();
    if words.get(*at) == Some(&"WITH") {
        licence = format!("{word} WITH {}", words.get(*at + 1).unwrap_or(&""));
        *at += 2;
    }
    ALLOWED.contains(&licence.as_str())
}

#[test]
fn every_dependency_has_an_allowed_licence() {
    let packages = packages();
    assert!(
        packages.len() > 50,
        "cargo metadata listed {} packages",
        packages.len()
    );
    let wrong: Vec<String> = packages
        .iter()
        .filter(|p| !p["license"].as_str().is_some_and(allowed))
        .map(|p| format!("{} {}: {}", p["name"], p["version"], p["license"]))
        .collect();
    assert_eq!(wrong, Vec::<String>::new());
}

#[test]
fn licence_expressions_are_read_as_spdx_means_them() {
    for good in [
        "MIT",
        "MIT/Apache-2.0",
        "GPL-3.0 OR MIT",
        "MPL-2.0+",
        "(MIT OR Apache-2.0) AND Unicode-3.0",
        "Apache-2.0 WITH LLVM-exception OR GPL-2.0",
    ] {
        assert!(allowed(good), "{good}");
    }
    for bad in [
        "GPL-3.0-only",
        "MIT AND GPL-3.0",
        "(MIT OR ISC) AND AGPL-3.0",
        "",
        "MIT Apache-2.0",
    ] {
        assert!(!allowed(bad), "{bad}");
    }
}

#[test]
fn banned_crates_stay_out() {
    let packages = packages();
    let found: Vec<_> = BANNED
        .iter()
        .filter(|(name, _)| packages.iter().any(|p| p["name"] == *name))
        .collect();
    assert!(found.is_empty(), "{found:?}");
}

#[test]
fn what_must_be_one_is_one() {
    let packages = packages();
    for name in SINGLE {
        let versions: Vec<&Value> = packages
            .iter()
            .filter(|p| p["name"] == **name)
            .map(|p| &p["version"])
            .collect();
        assert_eq!(versions.len(), 1, "{name}: {versions:?}");
    }
}

#[test]
fn every_dependency_comes_from_the_registry() {
    let elsewhere: Vec<_> = packages()
        .into_iter()
        .filter(|p| p["name"] != env!("CARGO_PKG_NAME"))
        .filter(|p| !p["source"].as_str().is_some_and(|s| s.starts_with("registry+")))
        .map(|p| p["id"].to_string())
        .collect();
    assert_eq!(elsewhere, Vec::<String>::new());
}

#[test]
fn only_a_bench_is_built_without_a_record() {
    let manifest = include_str!("../../Cargo.toml");
    let features = manifest.split("[features]\n").nth(1).unwrap();
    let features: Vec<&str> = features
        .lines()
        .take_while(|line| !line.starts_with('['))
        .filter(|line| line.contains('='))
        .collect();
    assert_eq!(features, ["bench-unrecorded = []"], "and none is on by itself");
    for steps in [include_str!("../../.ci/steps.sh"), include_str!("../../.ci/run")] {
        assert!(!steps.contains("bench-unrecorded"), "what CI builds records");
    }
}
