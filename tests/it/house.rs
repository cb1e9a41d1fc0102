//! The house rules that the compiler does not hold: who may import whom, sizes, words.

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
    process::Command,
};

/// A folder may import from the floors below its own. The table of `docs/architecture.md`.
const FLOORS: &[&[&str]] = &[
    &["base"],
    &["crypto", "matching"],
    &["store", "web", "config"],
    &["audit", "events"],
    &["access", "policy", "keys", "consent"],
    &["guest"],
    &["identity", "retention", "erasure", "requests"],
    &["portal", "console", "jobs", "connect"],
    &["main", "cli", "app", "routes"],
];

/// Neighbours that may be imported from the same floor: `app` and its route table belong together.
const BESIDE: &[(&str, &str)] = &[
    ("keys", "policy"),
    ("consent", "policy"),
    ("erasure", "retention"),
    ("requests", "erasure"),
    ("requests", "retention"),
    ("portal", "jobs"),
    ("console", "jobs"),
    ("main", "cli"),
    ("cli", "app"),
    ("cli", "routes"),
    ("app", "routes"),
    ("routes", "app"),
];

/// Floors whose folders follow the roles `mod.rs` · `<verb>.rs` · `sql.rs` · `api.rs`.
const DOMAIN: std::ops::RangeInclusive<usize> = 3..=6;

/// What a role's file must not name.
const ROLES: &[(&str, &[&str])] = &[
    ("sql.rs", &["crate::crypto", "crate::keys", "actix_web"]),
    ("api.rs", &["crate::store", "sqlx::"]),
    (
        "mod.rs",
        &["sqlx::", "actix_web", "reqwest", "std::fs", "std::net", "tokio::"],
    ),
];

/// The most lines a source file may have.
const LONGEST: usize = 600;

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn read(path: &Path) -> String {
    fs::read_to_string(path).unwrap_or_else(|e| panic!("{}: {e}", path.display()))
}

fn rust_files(below: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    let mut todo = vec![below.to_path_buf()];
    while let Some(path) = todo.pop() {
        if path.is_dir() {
            todo.extend(fs::read_dir(&path).unwrap().map(|entry| entry.unwrap().path()));
        } else if path.extension().is_some_and(|e| e == "rs") {
            files.push(path);
        }
    }
    files.sort();
    files
}

/// The top folder (or file) of `src` that `file` lies in, and its code without comments and without its tests.
fn code_of<'t>(file: &Path, text: &'t str) -> (String, Vec<&'t str>) {
    let inside = file.strip_prefix(root().join("src")).unwrap_or(file);
    let top = inside
        .iter()
        .next()
        .unwrap()
        .to_string_lossy()
        .trim_end_matches(".rs")
        .to_owned();
    let code = text.split("#[cfg(test)]").next().unwrap_or_default();
    let lines = code
        .lines()
        .filter(|line| !line.trim_start().starts_with("//"))
        .collect();
    (top, lines)
}

/// The folders that come after `crate::` (or `guest_vault::`, as the binary says): one, or each of a `{…}` list.
fn imports(code: &str) -> Vec<String> {
    let after = |marker: &'static str| code.split(marker).skip(1);
    after("crate::")
        .chain(after("guest_vault::"))
        .flat_map(heads)
        .collect()
}

fn heads(rest: &str) -> Vec<String> {
    let word = |s: &str| {
        s.trim_start()
            .chars()
            .take_while(|c| c.is_alphanumeric() || *c == '_')
            .collect::<String>()
    };
    let Some(list) = rest.strip_prefix('{') else {
        return vec![word(rest)];
    };
    let (mut depth, mut start, mut names) = (0_usize, 0, Vec::new());
    for (at, c) in list.char_indices() {
        match c {
            '{' => depth += 1,
            '}' if depth == 0 => {
                names.push(word(&list[start..at]));
                break;
            }
            '}' => depth -= 1,
            ',' if depth == 0 => {
                names.push(word(&list[start..at]));
                start = at + 1;
            }
            _ => {}
        }
    }
    names.retain(|n| !n.is_empty());
    names
}

fn floor(name: &str) -> Option<usize> {
    FLOORS.iter().position(|f| f.contains(&name))
}

/// What is wrong with the imports of one file.
fn floor_faults(file: &Path, text: &str) -> Vec<String> {
    let (top, lines) = code_of(file, text);
    let shown = file.strip_prefix(root()).unwrap_or(file).display().to_string();
    let mut faults = Vec::new();
    let inside = file.strip_prefix(root().join("src")).unwrap_or(file);
    let of_tests = inside.iter().any(|part| part == "tests" || part == "tests.rs");
    if top == "lib" || of_tests {
        return faults;
    }
    let Some(own) = floor(&top) else {
        return vec![format!("{shown}: {top} stands on no floor")];
    };
    let mut wanted = imports(&lines.join("\n"));
    wanted.sort();
    wanted.dedup();
    for name in wanted.into_iter().filter(|n| *n != top) {
        // A macro of the crate root (`crate::on!`) belongs to the floor that defines it; names of no folder are those.
        let Some(other) = floor(&name) else { continue };
        if other > own || (other == own && !BESIDE.contains(&(top.as_str(), name.as_str()))) {
            faults.push(format!("{shown}: {top} must not import {name}"));
        }
    }
    let role = file.file_name().unwrap().to_string_lossy();
    let forbidden = ROLES
        .iter()
        .filter(|(name, _)| DOMAIN.contains(&own) && *name == role);
    for word in forbidden.flat_map(|(_, words)| *words) {
        if lines.iter().any(|line| line.contains(word)) {
            faults.push(format!("{shown}: {role} must not name {word}"));
        }
    }
    faults
}

#[test]
fn every_import_points_down() {
    let files = rust_files(&root().join("src"));
    let faults: Vec<String> = files.iter().flat_map(|f| floor_faults(f, &read(f))).collect();
    assert_eq!(faults, Vec::<String>::new());
}

#[test]
fn an_import_that_points_up_is_found() {
    let file = |path: &str| root().join("src").join(path);
    let faults = |path, text| floor_faults(&file(path), text);
    assert_eq!(
        faults(
            "consent/mod.rs",
            "use crate::{policy::{A, B}, base::Clock, store};"
        ),
        [""; 0]
    );
    assert_eq!(
        faults("guest/mod.rs", "// use crate::app;\nuse crate::on;"),
        [""; 0]
    );
    assert_eq!(
        faults("guest/mod.rs", "fn f() { crate::app::x() }"),
        ["src/guest/mod.rs: guest must not import app"]
    );
    assert_eq!(
        faults(
            "policy/mod.rs",
            "use crate::{audit::Event,\n    keys::{Keyring, GuestKeys}};"
        ),
        ["src/policy/mod.rs: policy must not import keys"]
    );
    assert_eq!(
        faults("guest/sql.rs", "use crate::keys::Keyring;"),
        ["src/guest/sql.rs: sql.rs must not name crate::keys"]
    );
    assert_eq!(
        faults("audit/api.rs", "use crate::store::Tx;"),
        ["src/audit/api.rs: api.rs must not name crate::store"]
    );
    assert_eq!(
        faults("utils/mod.rs", ""),
        ["src/utils/mod.rs: utils stands on no floor"]
    );
}

#[test]
fn no_source_file_is_too_long() {
    let files = ["src", "tests"]
        .into_iter()
        .flat_map(|dir| rust_files(&root().join(dir)));
    let lengths: BTreeMap<PathBuf, usize> = files.map(|f| (f.clone(), read(&f).lines().count())).collect();
    let long: Vec<_> = lengths.iter().filter(|(_, lines)| **lines > LONGEST).collect();
    assert!(
        long.is_empty(),
        "over {LONGEST} lines; a room has become two: {long:?}"
    );
}

/// The texts of the tree that git knows or would add, by path; everything when there is no git.
fn tree() -> Vec<(String, String)> {
    let listed = Command::new("git")
        .args(["ls-files", "--cached", "--others", "--exclude-standard"])
        .current_dir(root())
        .output()
        .expect("git lists the tree");
    assert!(listed.status.success(), "git lists the tree");
    let names = String::from_utf8(listed.stdout).unwrap();
    let text = |name: &str| Some((name.to_owned(), fs::read_to_string(root().join(name)).ok()?));
    names
        .lines()
        .filter(|name| *name != "Cargo.lock")
        .filter_map(text)
        .collect()
}

/// Words that have no place in a product's tree: unfinished work, one machine's folders, tools that wrote it,
/// hosts of package registries. Spelt in halves, so that this list does not find itself.
fn unwanted() -> Vec<String> {
    let halves = [
        ("TO", "DO"),
        ("FIX", "ME"),
        ("to", "do!("),
        ("unimple", "mented!("),
        ("dbg", "!("),
        ("/wo", "rk/"),
        ("/tm", "p/"),
        ("/ro", "ot/"),
        ("/ho", "me/"),
        ("clau", "de"),
        ("chat", "gpt"),
        ("co", "pilot"),
        ("coding", " agent"),
        ("crates", ".io"),
        ("pypi", ".org"),
        ("npmjs", ".org"),
        ("deb.deb", "ian.org"),
        ("proxy.go", "lang"),
    ];
    halves.map(|(a, b)| format!("{a}{b}")).to_vec()
}

#[test]
fn the_tree_holds_only_the_product() {
    let words = unwanted();
    let mut found = Vec::new();
    for (name, text) in tree() {
        for (number, line) in text.lines().enumerate() {
            // Words in capitals are marks; all others are sought in any case.
            let low = line.to_lowercase();
            let hit = words
                .iter()
                .find(|w| line.contains(w.as_str()) || (**w == w.to_lowercase() && low.contains(w.as_str())));
            if let Some(word) = hit {
                found.push(format!("{name}:{}: {word}", number + 1));
            }
        }
    }
    assert_eq!(found, Vec::<String>::new());
}

#[test]
fn only_the_agreed_files_lie_at_the_top() {
    let allowed = ["Cargo.toml", "Cargo.lock", "README.md", "LICENSE"];
    let folders = ["policies", "migrations", "docs", "tests", "src"];
    let listed = Command::new("git")
        .args(["ls-files"])
        .current_dir(root())
        .output()
        .expect("git lists the tree");
    let names = String::from_utf8(listed.stdout).unwrap();
    let strays: Vec<&str> = names
        .lines()
        .map(|name| name.split('/').next().unwrap_or_default())
        .filter(|top| !top.starts_with('.') && !allowed.contains(top) && !folders.contains(top))
        .collect();
    assert!(names.contains("Cargo.toml"), "git lists the tree");
    assert_eq!(strays, [""; 0]);
}
