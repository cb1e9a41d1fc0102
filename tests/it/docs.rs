//! The documents stay true where a machine can tell: their links lead somewhere, their configuration loads.

use std::{
    fs,
    path::{Path, PathBuf},
};

use guest_vault::config::{Config, ConfigFlags};

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn documents() -> Vec<(PathBuf, String)> {
    let mut paths = vec![root().join("README.md")];
    let mut folders = vec![root().join("docs")];
    while let Some(folder) = folders.pop() {
        for path in fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()) {
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|e| e == "md") {
                paths.push(path);
            }
        }
    }
    paths
        .into_iter()
        .map(|path| (path.clone(), fs::read_to_string(path).unwrap()))
        .collect()
}

/// A heading's anchor, as renderers make it.
fn anchor(heading: &str) -> String {
    let kept = heading.trim_start_matches('#').trim().to_lowercase();
    kept.chars()
        .filter(|c| c.is_alphanumeric() || *c == ' ' || *c == '-')
        .collect::<String>()
        .replace(' ', "-")
}

#[test]
fn every_link_leads_somewhere() {
    let mut dead = Vec::new();
    let mut seen = 0;
    for (path, text) in documents() {
        for link in text.split("](").skip(1).filter_map(|rest| rest.split(')').next()) {
            if link.contains("://") {
                continue;
            }
            seen += 1;
            let (file, heading) = link.split_once('#').unwrap_or((link, ""));
            let target = if file.is_empty() {
                path.clone()
            } else {
                path.parent().unwrap().join(file)
            };
            let there = target.is_dir()
                || fs::read_to_string(&target).is_ok_and(|text| {
                    heading.is_empty() || text.lines().any(|l| l.starts_with('#') && anchor(l) == heading)
                });
            if !there {
                dead.push(format!("{}: {link}", path.display()));
            }
        }
    }
    assert!(seen > 0, "no link was looked at");
    assert_eq!(dead, Vec::<String>::new());
}

#[test]
fn the_configuration_of_the_operations_guide_loads() {
    let guide = fs::read_to_string(root().join("docs/operations.md")).unwrap();
    let example = guide
        .split("```toml\n")
        .nth(1)
        .unwrap()
        .split("```")
        .next()
        .unwrap();
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("guest-vault.toml");
    fs::write(&file, example).unwrap();
    let load = || {
        Config::load(&ConfigFlags {
            config: Some(file.clone()),
            ..ConfigFlags::default()
        })
    };
    let config = load().map_err(|e| e.to_string()).unwrap();
    assert_eq!(config.property.len(), 2);
    assert_eq!(config.issuers.len(), 1);
    fs::write(&file, format!("{example}\n[serve]\nport = 1\n")).unwrap();
    assert!(load().is_err(), "an unknown key must stop the start");
}
