//! The shipped policy as a whole, and how policies are loaded, refused and replaced.

mod agree;
mod grants;
mod loading;
mod matrix;
mod traps;

use std::sync::{Arc, LazyLock};

use super::{Facts, PolicySource, Snapshot, load::Files};
use crate::base::{ConsentId, PropertyKind, PropertyNode, PropertyTree, StayState};

/// The shipped policy, loaded once.
static SHIPPED: LazyLock<Arc<Snapshot>> =
    LazyLock::new(|| Arc::new(Snapshot::load(&PolicySource::BuiltIn, &tree()).unwrap()));

/// A group with a brand of two hotels and a hotel of its own.
fn tree() -> PropertyTree {
    let node = |code: &str, kind, parent: Option<&str>| PropertyNode {
        code: code.parse().unwrap(),
        kind,
        parent: parent.map(|p| p.parse().unwrap()),
        name: String::new(),
        region: None,
        province: None,
        timezone: chrono_tz::UTC,
    };
    PropertyTree::new(vec![
        node("GRP", PropertyKind::Group, None),
        node("SEA", PropertyKind::Brand, Some("GRP")),
        node("LIS01", PropertyKind::Property, Some("SEA")),
        node("OPO01", PropertyKind::Property, Some("SEA")),
        node("VIE01", PropertyKind::Property, Some("GRP")),
    ])
    .unwrap()
}

fn files() -> Files {
    Files::read(&PolicySource::BuiltIn).unwrap()
}

/// The shipped policy with more lines in `rules.csv`.
fn with_rules(more: &str) -> Files {
    let mut files = files();
    files.rules = format!("{}{more}", files.rules);
    files
}

fn consented(stay: StayState, portfolio: bool) -> Facts {
    Facts {
        stay,
        portfolio,
        consent: super::ConsentAnswer::Given(ConsentId(uuid::Uuid::nil())),
    }
}
