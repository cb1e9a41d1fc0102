//! One policy, loaded and compiled: immutable, so a request decides by one version from beginning to end.

use std::{
    collections::{BTreeMap, HashMap, HashSet},
    sync::Arc,
};

use super::{
    Grant, PolicyError, PolicySource, PurposeRule, Right, RoleEntry, RuleId, RuleText, Version, cases,
    compile::{Parts, compile},
    grant::Terms,
    load::Files,
    purposes,
    roles::Roles,
    rules::{Effect, Rules, Vocabulary},
    table::{Row, Table},
};
use crate::base::{Action, Catalogue, FieldSet, PropertyCode, PropertyKind, PropertyTree, Purpose, Role};

/// A loaded policy.
#[derive(Debug)]
pub struct Snapshot {
    pub(super) version: Version,
    pub(super) catalogue: Catalogue,
    pub(super) roles: Roles,
    pub(super) purposes: Vec<Arc<PurposeRule>>,
    pub(super) table: Table,
    pub(super) files: Files,
    /// The first hotel of the tree: where a question names no property.
    pub(super) property: PropertyCode,
    /// Every rule as it is written.
    pub(super) texts: BTreeMap<RuleId, String>,
    allows: Vec<RuleId>,
    slots: HashMap<Role, Slot>,
    by_code: HashMap<Purpose, Arc<PurposeRule>>,
    nothing: Arc<Row>,
}

/// What is kept of a role for the hot path.
#[derive(Debug)]
struct Slot {
    own: Option<Role>,
    rights: [bool; Right::ALL.len()],
}

impl Snapshot {
    /// Reads, checks and compiles a policy for the properties of `tree`, and runs its cases.
    ///
    /// # Errors
    /// When a file cannot be read, a line is wrong, casbin cannot use the model, or a case fails.
    pub fn load(source: &PolicySource, tree: &PropertyTree) -> Result<Self, PolicyError> {
        let snapshot = Self::compile(Files::read(source)?, tree)?;
        cases::run(&snapshot)?;
        Ok(snapshot)
    }

    /// As [`Snapshot::load`], without its cases: to tell all that fail, not only that one does.
    ///
    /// # Errors
    /// As [`Snapshot::load`].
    pub fn without_cases(source: &PolicySource, tree: &PropertyTree) -> Result<Self, PolicyError> {
        Self::compile(Files::read(source)?, tree)
    }

    /// The same of texts already read.
    pub(super) fn compile(files: Files, tree: &PropertyTree) -> Result<Self, PolicyError> {
        let hotel = tree
            .iter()
            .find(|node| node.kind == PropertyKind::Property)
            .or(tree.iter().next());
        let property = hotel
            .map(|node| node.code.clone())
            .ok_or_else(|| PolicyError::File {
                file: "properties".into(),
                problem: "none is configured; a policy needs at least one property to hold for".into(),
            })?;
        let catalogue = Catalogue::from_toml(&files.fields).map_err(|e| PolicyError::File {
            file: "fields.toml".into(),
            problem: e.to_string(),
        })?;
        let roles = Roles::parse(&files.roles, tree)?;
        let purposes = purposes::parse(&files.purposes, &catalogue)?;
        let words = Vocabulary {
            roles: &roles,
            tree,
            purposes: &purposes,
            catalogue: &catalogue,
        };
        let rules = Rules::parse(&files.rules, &words)?;
        let (table, engine) = compile(&Parts {
            model: &files.model,
            roles: &roles,
            rules: &rules,
            purposes: &purposes,
            catalogue: &catalogue,
            tree,
        })?;
        let mut slots = HashMap::new();
        for entry in &roles.entries {
            let mut rights = [false; Right::ALL.len()];
            for (has, right) in rights.iter_mut().zip(Right::ALL) {
                *has = engine.allows(&entry.code, right)?;
            }
            slots.insert(
                entry.code.clone(),
                Slot {
                    own: entry.own.clone(),
                    rights,
                },
            );
        }
        Ok(Self {
            version: files.version().into(),
            texts: rules
                .fields
                .iter()
                .map(|rule| (rule.id, rule.text.clone()))
                .collect(),
            by_code: purposes
                .iter()
                .map(|rule| (rule.code.clone(), Arc::clone(rule)))
                .collect(),
            allows: rules
                .fields
                .iter()
                .filter(|rule| rule.effect == Effect::Allow)
                .map(|rule| rule.id)
                .collect(),
            nothing: Arc::new(Row::new(Vec::new())),
            catalogue,
            roles,
            purposes,
            table,
            files,
            property,
            slots,
        })
    }

    /// The version: the same text has the same version everywhere.
    #[must_use]
    pub fn version(&self) -> &str {
        &self.version
    }

    /// casbin's model.
    #[must_use]
    pub fn model(&self) -> &str {
        &self.files.model
    }

    /// Every rule about fields as it is written, by file and line.
    pub fn rules(&self) -> impl Iterator<Item = RuleText> + '_ {
        self.texts.keys().map(|rule| self.rule_text(*rule))
    }

    /// Allow rules that decide nothing: others show as much, or deny it.
    pub fn idle_rules(&self) -> impl Iterator<Item = RuleText> + '_ {
        let deciding: HashSet<RuleId> = self
            .table
            .rows()
            .flat_map(|row| row.cells())
            .filter_map(|c| c.rule)
            .collect();
        self.allows
            .iter()
            .filter(move |rule| !deciding.contains(*rule))
            .map(|rule| self.rule_text(*rule))
    }

    /// Each file, and whether it is the hotel's own instead of the built-in one.
    #[must_use]
    pub fn overrides(&self) -> BTreeMap<String, bool> {
        self.files.overrides()
    }

    /// The first hotel of the tree: where a question names no property.
    #[must_use]
    pub fn first_property(&self) -> &PropertyCode {
        &self.property
    }

    /// The fields there are.
    #[must_use]
    pub fn catalogue(&self) -> &Catalogue {
        &self.catalogue
    }

    /// The fields that a word means: a path, or the beginning of paths (`name`).
    #[must_use]
    pub fn select(&self, word: &str) -> FieldSet {
        self.catalogue.select(word).into_iter().collect()
    }

    /// A configured purpose.
    #[must_use]
    pub fn purpose(&self, purpose: &Purpose) -> Option<&PurposeRule> {
        self.by_code.get(purpose).map(AsRef::as_ref)
    }

    /// Every configured purpose, in file order.
    pub fn purposes(&self) -> impl Iterator<Item = &PurposeRule> {
        self.purposes.iter().map(AsRef::as_ref)
    }

    /// Every role a principal can have, in file order.
    #[must_use]
    pub fn roles(&self) -> &[RoleEntry] {
        &self.roles.entries
    }

    /// Whether a principal can have this role.
    #[must_use]
    pub fn has_role(&self, role: &Role) -> bool {
        self.slots.contains_key(role)
    }

    /// What the role may do with these fields for the purpose at the property. [`None`] when no rule at all lets it do
    /// that, whatever the field; look-ups in memory only.
    #[must_use]
    pub fn decide(
        &self,
        role: &Role,
        property: &PropertyCode,
        purpose: &Purpose,
        action: Action,
        fields: &FieldSet,
    ) -> Option<Grant> {
        let slot = self.slots.get(role)?;
        let rule = self.by_code.get(purpose)?;
        let row = self.table.row(role, property, purpose, action);
        let own = slot
            .own
            .as_ref()
            .and_then(|own| self.table.row(own, property, purpose, action));
        if row.is_none() && own.is_none() {
            return None;
        }
        Some(Grant::new(Terms {
            row: Arc::clone(row.unwrap_or(&self.nothing)),
            own: own.map(Arc::clone),
            purpose: Arc::clone(rule),
            version: Arc::clone(&self.version),
            action,
            wanted: *fields,
        }))
    }

    /// Whether the role may do this at all for the purpose at the property.
    #[must_use]
    pub fn may(&self, role: &Role, property: &PropertyCode, purpose: &Purpose, action: Action) -> bool {
        self.decide(role, property, purpose, action, &FieldSet::new())
            .is_some()
    }

    /// Whether the role has a right that is not about guests' fields.
    #[must_use]
    pub fn allows(&self, role: &Role, right: Right) -> bool {
        let slot = self.slots.get(role);
        slot.and_then(|slot| slot.rights.get(right.index()))
            .copied()
            .unwrap_or(false)
    }
}
