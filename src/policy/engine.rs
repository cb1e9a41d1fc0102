//! casbin behind one door: errors, a disabled enforcer and an empty policy are all "no".

use std::{collections::HashSet, sync::Arc};

use casbin::{
    CoreApi, DefaultModel, EnforceContext, Enforcer, MemoryAdapter, Model, function_map, rhai::Dynamic,
};
use futures_util::FutureExt;

use super::{
    PolicyError, Right, RuleFile, RuleId,
    noting::{Noting, Seen},
    roles::Roles,
    rules::{Rule, Rules},
    words::{Words, among},
};
use crate::base::{PropertyCode, PropertyTree, Role};

const FILE: &str = "model.conf";

/// What the model must say, so that what the loader writes and what the program asks mean what they say.
const EXPECTED: [(&str, &str, &str); 8] = [
    ("r", "r", "role, property, purpose, field, action, stay, view"),
    ("r", "r2", "role, right"),
    (
        "p",
        "p",
        "role, property, purpose, field, action, stay, view, eft, rule",
    ),
    ("p", "p2", "role, right"),
    ("g", "g", "_, _, _"),
    ("g", "g2", "_, _"),
    (
        "e",
        "e",
        "some(where (p_eft == allow)) && !some(where (p_eft == deny))",
    ),
    ("e", "e2", "some(where (p_eft == allow))"),
];

/// A question about a field.
#[derive(Debug, Clone, Copy)]
pub(super) struct Question<'a> {
    pub(super) role: &'a str,
    pub(super) property: &'a str,
    pub(super) purpose: &'a str,
    pub(super) field: &'a str,
    pub(super) action: &'a str,
    pub(super) stay: &'a str,
    pub(super) view: &'a str,
}

/// casbin's answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Answer {
    pub(super) allowed: bool,
    /// The first rule that allows, or the rule that denies.
    pub(super) rule: Option<RuleId>,
}

/// An enforcer holding some or all of a policy's rules.
pub(super) struct Engine {
    enforcer: Enforcer,
    seen: Arc<Seen>,
}

impl Engine {
    /// An enforcer with all rules, for questions at these properties.
    ///
    /// # Errors
    /// When the model is not of the expected shape.
    pub(super) fn new<'p>(
        model: &str,
        roles: &Roles,
        rules: &Rules,
        tree: &PropertyTree,
        properties: impl Iterator<Item = &'p PropertyCode>,
    ) -> Result<Self, PolicyError> {
        let model = read_model(model)?;
        let mut enforcer = at_once(Enforcer::new(model, MemoryAdapter::default()))?;
        enforcer.add_function("among", function_map::OperatorFunction::Arg2(among_dynamic));
        let seen = Arc::new(Seen::default());
        enforcer.set_effector(Box::new(Noting(Arc::clone(&seen))));
        let mut engine = Self { enforcer, seen };
        engine.put("p", "p", rules.fields.iter().flat_map(rows))?;
        engine.put(
            "p",
            "p2",
            rules.rights.iter().flat_map(|rule| {
                rule.roles
                    .each()
                    .into_iter()
                    .map(|role| vec![role, rule.rights.text()])
            }),
        )?;
        let named = named_properties(roles, rules);
        let mut links = Links::default();
        links.inherit(roles, "*", None);
        for property in properties {
            let above: Vec<PropertyCode> = tree.ancestors(property);
            links.inherit(roles, property.as_str(), Some(&above));
            let above = above
                .iter()
                .filter(|node| *node != property && named.contains(node.as_str()));
            links
                .beneath
                .extend(above.map(|node| vec![property.to_string(), node.to_string()]));
        }
        engine.put("g", "g", links.inherits.into_iter())?;
        engine.put("g", "g2", links.beneath.into_iter())?;
        engine.enforcer.build_role_links().map_err(|e| unusable(&e))?;
        Ok(engine)
    }

    /// Keeps only these rules about fields; links and rights stay.
    pub(super) fn hold<'r>(&mut self, rules: impl Iterator<Item = &'r Rule>) -> Result<(), PolicyError> {
        self.put("p", "p", rules.flat_map(rows))
    }

    /// Asks casbin.
    ///
    /// # Errors
    /// When casbin cannot answer; that is a denial to whoever asks for a guest, and stops a load.
    pub(super) fn ask(&mut self, question: Question<'_>) -> Result<Answer, PolicyError> {
        let q = question;
        let request = (q.role, q.property, q.purpose, q.field, q.action, q.stay, q.view);
        // A disabled enforcer allows everything.
        if !self.enforcer.is_enabled() {
            return Err(unusable("the enforcer is disabled"));
        }
        // With no rules casbin evaluates the matcher against empty words; whatever it says, nothing is allowed.
        if self.is_empty() {
            return Ok(Answer {
                allowed: false,
                rule: None,
            });
        }
        self.seen.forget();
        let allowed = self.enforcer.enforce(request).map_err(|e| unusable(&e))?;
        let rule = if allowed {
            self.seen.allow()
        } else {
            self.seen.deny()
        };
        Ok(Answer {
            allowed,
            rule: rule.and_then(|at| self.rule_at(at)),
        })
    }

    /// Asks casbin about a right.
    ///
    /// # Errors
    /// As [`Engine::ask`].
    pub(super) fn allows(&self, role: &Role, right: Right) -> Result<bool, PolicyError> {
        if !self.enforcer.is_enabled() {
            return Err(unusable("the enforcer is disabled"));
        }
        let request = (role.as_str(), right.as_str());
        let answer = self
            .enforcer
            .enforce_with_context(EnforceContext::new("2"), request);
        answer.map_err(|e| unusable(&e))
    }

    /// Whether a rule written for `named` roles reaches `role` at `property`, by casbin's own role manager.
    pub(super) fn reaches_role(&self, role: &Role, named: &Words, property: &PropertyCode) -> bool {
        let manager = self.enforcer.get_role_manager();
        let manager = manager.read();
        let linked = |name: &String| manager.has_link(role.as_str(), name, Some(property.as_str()));
        matches!(named, Words::Any) || named.each().iter().any(linked)
    }

    /// Whether a rule written for `named` properties reaches `property`.
    pub(super) fn reaches_property(&self, property: &PropertyCode, named: &Words) -> bool {
        let manager = self.enforcer.get_role_manager();
        let manager = manager.read();
        matches!(named, Words::Any)
            || named
                .each()
                .iter()
                .any(|name| manager.has_link(property.as_str(), name, None))
    }

    #[cfg(test)]
    #[expect(
        clippy::disallowed_methods,
        reason = "shows that a disabled enforcer is no way in"
    )]
    pub(super) fn disable(&mut self) {
        self.enforcer.enable_enforce(false);
    }

    fn is_empty(&self) -> bool {
        let model = self.enforcer.get_model().get_model();
        model
            .get("p")
            .and_then(|p| p.get("p"))
            .is_none_or(|p| p.get_policy().is_empty())
    }

    fn rule_at(&self, position: usize) -> Option<RuleId> {
        let rows = self
            .enforcer
            .get_model()
            .get_model()
            .get("p")?
            .get("p")?
            .get_policy();
        read_rule_id(rows.iter().nth(position)?.last()?)
    }

    fn put(
        &mut self,
        section: &str,
        key: &str,
        rows: impl Iterator<Item = Vec<String>>,
    ) -> Result<(), PolicyError> {
        let model = self.enforcer.get_mut_model().get_mut_model();
        let place = model
            .get_mut(section)
            .and_then(|assertions| assertions.get_mut(key));
        let place = place.ok_or_else(|| unusable(&format!("it has no `{key}`")))?;
        let policy = place.get_mut_policy();
        policy.clear();
        policy.extend(rows);
        Ok(())
    }
}

#[derive(Default)]
struct Links {
    inherits: Vec<Vec<String>>,
    beneath: Vec<Vec<String>>,
}

impl Links {
    /// The inheritances that hold in a domain: those for everywhere, and those for one of the nodes above it.
    fn inherit(&mut self, roles: &Roles, domain: &str, above: Option<&[PropertyCode]>) {
        let holds = |at: &Option<PropertyCode>| match (at, above) {
            (None, _) => true,
            (Some(at), Some(above)) => above.contains(at),
            (Some(_), None) => false,
        };
        let held = roles.inherits.iter().filter(|link| holds(&link.at));
        self.inherits.extend(
            held.map(|link| vec![link.child.to_string(), link.parent.to_string(), domain.to_owned()]),
        );
    }
}

/// The nodes of the tree that rules or inheritances name: what tells properties apart.
pub(super) fn named_properties(roles: &Roles, rules: &Rules) -> HashSet<String> {
    let by_rules = rules.fields.iter().filter_map(|rule| match &rule.properties {
        Words::Any => None,
        Words::Of(codes) => Some(codes.clone()),
    });
    let by_links = roles
        .inherits
        .iter()
        .filter_map(|link| Some(link.at.as_ref()?.to_string()));
    by_rules.flatten().chain(by_links).collect()
}

/// A rule as casbin holds it: one row per role and property named.
fn rows(rule: &Rule) -> impl Iterator<Item = Vec<String>> {
    let properties = rule.properties.each();
    let rest = [
        rule.purposes.text(),
        rule.fields.text(),
        rule.actions.text(),
        rule.stays.text(),
        rule.views.text(),
        rule.effect.as_str().to_owned(),
        rule.id.to_string(),
    ];
    rule.roles.each().into_iter().flat_map(move |role| {
        let rest = rest.clone();
        properties
            .clone()
            .into_iter()
            .map(move |property| [role.clone(), property].into_iter().chain(rest.clone()).collect())
    })
}

fn read_rule_id(text: &str) -> Option<RuleId> {
    let (file, line) = text.split_once(':')?;
    let file = match file {
        "rules.csv" => RuleFile::Rules,
        "purposes.toml" => RuleFile::Purposes,
        "fixed.csv" => RuleFile::Fixed,
        _ => return None,
    };
    Some(RuleId {
        file,
        line: line.parse().ok()?,
    })
}

/// A word that is not text is in no set.
fn among_dynamic(word: Dynamic, set: Dynamic) -> Dynamic {
    let (Ok(word), Ok(set)) = (word.into_immutable_string(), set.into_immutable_string()) else {
        return false.into();
    };
    among(&word, &set).into()
}

fn read_model(text: &str) -> Result<DefaultModel, PolicyError> {
    let model = at_once(DefaultModel::from_str(text))?;
    for (section, key, expected) in EXPECTED {
        let found = model
            .get_model()
            .get(section)
            .and_then(|assertions| assertions.get(key));
        if !found.is_some_and(|assertion| squeezed(&assertion.value) == squeezed(expected)) {
            let written = expected.replace("p_eft", "p.eft");
            return Err(unusable(&format!(
                "`{key}` must be `{written}`; only the matchers may be changed"
            )));
        }
    }
    Ok(model)
}

fn squeezed(text: &str) -> String {
    text.split_whitespace().collect()
}

/// casbin's futures are ready at once, since nothing here does I/O.
fn at_once<T>(future: impl Future<Output = casbin::Result<T>>) -> Result<T, PolicyError> {
    let ready = future
        .now_or_never()
        .ok_or_else(|| unusable("casbin waits for something"))?;
    ready.map_err(|e| unusable(&e))
}

fn unusable(cause: impl std::fmt::Display) -> PolicyError {
    PolicyError::File {
        file: FILE.into(),
        problem: format!("casbin cannot use it: {cause}"),
    }
}
