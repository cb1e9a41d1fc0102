//! `roles.csv`: which roles there are, and who inherits from whom, where.

use super::{PolicyError, RuleFile, words::Line};
use crate::base::{PropertyCode, PropertyTree, Role};

const FILE: &str = "roles.csv";

/// A role, as the file describes it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RoleEntry {
    /// Its code.
    pub code: Role,
    /// Its abbreviation in the matrix.
    pub short: String,
    /// Who that is.
    pub description: String,
    /// The role whose rules hold instead when the guest is the caller's own.
    pub own: Option<Role>,
}

/// One inheritance: at this property and beneath it (everywhere when [`None`]), `child` may all that `parent` may.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Inherits {
    pub(super) child: Role,
    pub(super) parent: Role,
    pub(super) at: Option<PropertyCode>,
}

/// The checked file.
#[derive(Debug, Clone, Default)]
pub(super) struct Roles {
    /// Roles a principal can have.
    pub(super) entries: Vec<RoleEntry>,
    pub(super) inherits: Vec<Inherits>,
}

impl Roles {
    /// Reads the file.
    ///
    /// # Errors
    /// With the line, when a line has another shape, or names an unknown role or property.
    pub(super) fn parse(text: &str, tree: &PropertyTree) -> Result<Self, PolicyError> {
        let mut roles = Self::default();
        for line in Line::all(RuleFile::Rules, text, 4) {
            match line.columns.as_slice() {
                ["role", code, short, description] => roles.add(&line, code, short, description)?,
                ["own", of, code] => roles.add_own(&line, of, code)?,
                ["g", child, parent, at] => roles.add_inheritance(&line, [child, parent, at], tree)?,
                _ => {
                    return Err(line.wrong(
                        FILE,
                        "is none of `role, <code>, <short>, <description>`, `own, <role>, <code>`, \
                         `g, <child>, <parent>, <property or *>`",
                    ));
                }
            }
        }
        if roles.entries.is_empty() {
            return Err(PolicyError::File {
                file: FILE.into(),
                problem: "has no role; nobody could do anything. Add `role, …` lines".into(),
            });
        }
        Ok(roles)
    }

    /// Every role the engine knows: those of principals and those asked for the caller's own guests.
    pub(super) fn all(&self) -> impl Iterator<Item = &Role> {
        self.entries
            .iter()
            .flat_map(|entry| std::iter::once(&entry.code).chain(&entry.own))
    }

    fn add(
        &mut self,
        line: &Line<'_>,
        code: &str,
        short: &str,
        description: &str,
    ) -> Result<(), PolicyError> {
        let code = self.fresh(line, code)?;
        self.entries.push(RoleEntry {
            code,
            short: short.to_owned(),
            description: description.to_owned(),
            own: None,
        });
        Ok(())
    }

    fn add_own(&mut self, line: &Line<'_>, of: &str, code: &str) -> Result<(), PolicyError> {
        let own = self.fresh(line, code)?;
        let entry = self.entries.iter_mut().find(|entry| entry.code.as_str() == of);
        let entry =
            entry.ok_or_else(|| line.wrong(FILE, format!("there is no role `{of}` above; add it")))?;
        if entry.own.is_some() {
            return Err(line.wrong(FILE, format!("`{of}` has an own role already; remove one")));
        }
        entry.own = Some(own.clone());
        self.inherits.push(Inherits {
            child: own,
            parent: entry.code.clone(),
            at: None,
        });
        Ok(())
    }

    fn add_inheritance(
        &mut self,
        line: &Line<'_>,
        [child, parent, at]: [&str; 3],
        tree: &PropertyTree,
    ) -> Result<(), PolicyError> {
        let known = |code: &str| {
            let role = self.all().find(|role| role.as_str() == code).cloned();
            role.ok_or_else(|| {
                line.wrong(
                    FILE,
                    format!("there is no role `{code}` above; add it or mend the name"),
                )
            })
        };
        let (child, parent) = (known(child)?, known(parent)?);
        let at = match at {
            "*" => None,
            code => Some(
                code.parse()
                    .ok()
                    .filter(|code| tree.get(code).is_some())
                    .ok_or_else(|| {
                        line.wrong(
                            FILE,
                            format!("property `{code}` is not configured; configure it or remove the line"),
                        )
                    })?,
            ),
        };
        self.inherits.push(Inherits { child, parent, at });
        Ok(())
    }

    fn fresh(&self, line: &Line<'_>, code: &str) -> Result<Role, PolicyError> {
        let role: Role = code
            .parse()
            .map_err(|e| line.wrong(FILE, format!("`{code}`: {e}")))?;
        if self.all().any(|known| *known == role) {
            return Err(line.wrong(FILE, format!("role `{code}` is given twice; remove one")));
        }
        Ok(role)
    }
}
