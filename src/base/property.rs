//! The hotel group's tree: group → brand → property.

use std::collections::HashMap;

use serde::{Deserialize, Serialize};

use super::PropertyCode;

/// What a node of the tree is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum PropertyKind {
    /// The whole group.
    Group,
    /// A brand or region within it.
    Brand,
    /// A hotel.
    Property,
}

/// One node, as configured.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PropertyNode {
    /// Its code.
    pub code: PropertyCode,
    /// What it is.
    pub kind: PropertyKind,
    /// The node above it.
    #[serde(default)]
    pub parent: Option<PropertyCode>,
    /// Its name, for pages.
    #[serde(default)]
    pub name: String,
    /// ISO 3166-1 alpha-2 of where it stands: the default region of phone numbers written without a country code.
    #[serde(default)]
    pub region: Option<String>,
    /// ISO 3166-2 code, such as `US-MA`, where rules of provinces are to hold.
    #[serde(default)]
    pub province: Option<String>,
    /// IANA time zone: a stay's days are the property's days.
    #[serde(default)]
    pub timezone: chrono_tz::Tz,
}

/// Why a tree cannot be used.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum PropertyTreeError {
    /// A code is given twice.
    #[error("property {0} is configured twice; remove one")]
    Twice(PropertyCode),
    /// A parent is missing.
    #[error("property {0} names the parent {1}, which is not configured")]
    NoParent(PropertyCode, PropertyCode),
    /// A chain of parents bites its tail.
    #[error("property {0} is its own ancestor; mend the parents")]
    Circle(PropertyCode),
}

/// The checked tree.
#[derive(Debug, Clone, Default)]
pub struct PropertyTree {
    nodes: HashMap<PropertyCode, PropertyNode>,
    order: Vec<PropertyCode>,
}

/// The properties that a scope covers, as statements ask for them: `,LIS01,SHA01,`, so that a row is of one of them when
/// `replace($1, ',' || property || ',', '') <> $1`. Empty when it is the whole house, also what is configured no longer.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Reach(String);

impl Reach {
    /// No house at all.
    #[must_use]
    pub fn nowhere() -> Self {
        Self(",".to_owned())
    }

    /// Whether it is the whole house.
    #[must_use]
    pub const fn is_whole(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether a property lies within it.
    #[must_use]
    pub fn holds(&self, property: &str) -> bool {
        self.is_whole() || self.0.contains(&format!(",{property},"))
    }

    /// For a statement.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl PropertyTree {
    /// A tree of these nodes.
    ///
    /// # Errors
    /// When a code is given twice, a parent is missing, or parents run in a circle.
    pub fn new(nodes: Vec<PropertyNode>) -> Result<Self, PropertyTreeError> {
        let mut tree = Self::default();
        for node in nodes {
            let code = node.code.clone();
            tree.order.push(code.clone());
            if tree.nodes.insert(code.clone(), node).is_some() {
                return Err(PropertyTreeError::Twice(code));
            }
        }
        for node in tree.nodes.values() {
            if let Some(parent) = &node.parent
                && !tree.nodes.contains_key(parent)
            {
                return Err(PropertyTreeError::NoParent(node.code.clone(), parent.clone()));
            }
            if tree.ancestors(&node.code).len() > tree.nodes.len() {
                return Err(PropertyTreeError::Circle(node.code.clone()));
            }
        }
        Ok(tree)
    }

    /// The node of a code.
    #[must_use]
    pub fn get(&self, code: &PropertyCode) -> Option<&PropertyNode> {
        self.nodes.get(code)
    }

    /// All nodes, in the order they were configured.
    pub fn iter(&self) -> impl Iterator<Item = &PropertyNode> {
        self.order.iter().filter_map(|code| self.nodes.get(code))
    }

    /// The nodes without a parent: together they are the whole house.
    pub fn roots(&self) -> impl Iterator<Item = &PropertyNode> {
        self.iter().filter(|node| node.parent.is_none())
    }

    /// The codes of [`PropertyTree::roots`]: whoever has them for a scope acts for all.
    #[must_use]
    pub fn whole(&self) -> Vec<PropertyCode> {
        self.roots().map(|node| node.code.clone()).collect()
    }

    /// The node that is named where something is of no house: the group, or the first without a parent. Of several roots
    /// it is one, and whoever acts for it does not act for the others.
    #[must_use]
    pub fn top(&self) -> Option<&PropertyNode> {
        self.roots()
            .find(|node| node.kind == PropertyKind::Group)
            .or_else(|| self.roots().next())
    }

    /// Whether a scope of such codes is the whole house.
    #[must_use]
    pub fn is_whole(&self, scope: &[PropertyCode]) -> bool {
        !self.nodes.is_empty() && self.roots().all(|root| scope.contains(&root.code))
    }

    /// What a scope covers.
    #[must_use]
    pub fn reach(&self, scope: &[PropertyCode]) -> Reach {
        if self.is_whole(scope) {
            return Reach::default();
        }
        let codes = self.iter().map(|node| &node.code);
        let covered = codes.filter(|code| self.covers(scope, code));
        Reach(covered.fold(Reach::nowhere().0, |all, code| format!("{all}{code},")))
    }

    /// The code itself, its parent, and so on up; longer than the tree only when parents run in a circle.
    #[must_use]
    pub fn ancestors(&self, code: &PropertyCode) -> Vec<PropertyCode> {
        let mut path = Vec::new();
        let mut next = self.nodes.get(code);
        while let Some(node) = next {
            path.push(node.code.clone());
            if path.len() > self.nodes.len() {
                break;
            }
            next = node.parent.as_ref().and_then(|p| self.nodes.get(p));
        }
        path
    }

    /// Whether `code` is `above` or lies beneath it.
    #[must_use]
    pub fn within(&self, code: &PropertyCode, above: &PropertyCode) -> bool {
        self.ancestors(code).contains(above)
    }

    /// Whether a scope of such codes covers `code`.
    #[must_use]
    pub fn covers(&self, scope: &[PropertyCode], code: &PropertyCode) -> bool {
        scope.iter().any(|above| self.within(code, above))
    }
}
