//! The hotels of the house, as far as an import knows them: whose a stay is, and whose clock tells a moment that names no
//! zone.

use std::collections::HashMap;

use chrono_tz::Tz;

use crate::base::{PropertyCode, PropertyKind, PropertyTree};

use super::payload::Node;

/// Hotels with their clocks, and the clock of the property that a file is about.
#[derive(Clone, Default)]
pub struct Hotels {
    zones: HashMap<PropertyCode, Tz>,
    own: Tz,
}

impl Hotels {
    /// Those of a tree.
    #[must_use]
    pub fn of(tree: &PropertyTree, own: &PropertyCode) -> Self {
        let nodes = tree
            .iter()
            .map(|node| (node.code.clone(), node.kind, node.timezone));
        Self::among(nodes, own)
    }

    /// Those among nodes of a tree, each with its clock.
    #[must_use]
    pub fn among(nodes: impl Iterator<Item = (PropertyCode, PropertyKind, Tz)>, own: &PropertyCode) -> Self {
        let mut hotels = Self::default();
        for (code, kind, zone) in nodes {
            if code == *own {
                hotels.own = zone;
            }
            if kind == PropertyKind::Property {
                hotels.zones.insert(code, zone);
            }
        }
        hotels
    }

    /// The hotel whose code stands at a place; a code that nobody knows stays there, to be reported.
    pub(super) fn at(&self, node: Node<'_>) -> Option<PropertyCode> {
        node.read(|code| code.parse().ok().filter(|code| self.zones.contains_key(code)))
    }

    /// The clock of a hotel; of the property that the file is about, when none is known.
    pub(super) fn clock(&self, hotel: Option<&PropertyCode>) -> Tz {
        let zone = hotel.and_then(|code| self.zones.get(code));
        zone.copied().unwrap_or(self.own)
    }
}
