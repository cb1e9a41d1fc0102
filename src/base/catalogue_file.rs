//! The catalogue's file: `policies/fields.toml`, parsed and checked against itself and against the shipped one.

use std::sync::LazyLock;

use serde::Deserialize;

use super::{Catalogue, CatalogueError, Field, IndexKind, Kind, Term};

/// The shipped file, built in.
const SHIPPED: &str = include_str!("../../policies/fields.toml");

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    #[serde(default)]
    field: Vec<Field>,
}

/// The shipped entries; a broken file is found by the tests, not by a hotel.
static SHIPPED_FIELDS: LazyLock<Vec<Field>> = LazyLock::new(|| entries(SHIPPED).unwrap_or_default());

fn entries(text: &str) -> Result<Vec<Field>, CatalogueError> {
    toml::from_str::<File>(text)
        .map(|file| file.field)
        .map_err(|e| CatalogueError::Shape(e.to_string()))
}

impl Catalogue {
    /// The catalogue built into the program.
    ///
    /// # Errors
    /// Never in a program whose tests pass.
    pub fn shipped() -> Result<Self, CatalogueError> {
        Self::from_toml(SHIPPED)
    }

    /// The catalogue of a `fields.toml`.
    ///
    /// # Errors
    /// When the text is no catalogue, when an entry contradicts itself or another, or when it changes what stored
    /// values of a shipped field depend on.
    pub fn from_toml(text: &str) -> Result<Self, CatalogueError> {
        let fields = entries(text)?;
        if fields.is_empty() {
            return Err(CatalogueError::Shape("it has no [[field]] entry".into()));
        }
        for field in &fields {
            let problem = path_problem(field)
                .or_else(|| shape_problem(field))
                .or_else(|| nested_problem(field, &fields));
            if let Some(problem) = problem {
                return Err(CatalogueError::Entry {
                    path: field.path.to_string(),
                    problem,
                });
            }
        }
        Self::new(fields)
    }
}

/// What is wrong with an entry's path, or with a shipped path used for something else.
fn path_problem(field: &Field) -> Option<&'static str> {
    let path = field.path.as_str();
    if path.split('.').any(str::is_empty) {
        return Some("a path is words joined by single dots");
    }
    if path.split('.').count() > 4 {
        return Some("a path has at most four words");
    }
    if path.starts_with("ext.") {
        return (field.kind == Kind::Managed || field.kind == Kind::Mrz)
            .then_some("a hotel's own field cannot be of this kind");
    }
    match SHIPPED_FIELDS.iter().find(|f| f.path == field.path) {
        None => Some("not a shipped field; write a hotel's own fields as ext.…"),
        Some(own) if (own.category, own.kind, own.list) != (field.category, field.kind, field.list) => {
            Some("a shipped field's category, kind and list cannot change; use an ext.… field")
        }
        Some(_) => None,
    }
}

fn shape_problem(field: &Field) -> Option<&'static str> {
    if (field.kind == Kind::Object) == field.members.is_empty() {
        return Some("members are given for kind = \"object\", and only there");
    }
    if field.members.iter().any(|m| !is_word(m)) {
        return Some("members are words of a-z, 0-9 and _");
    }
    if field.kind == Kind::Codes && !field.list {
        return Some("kind = \"codes\" needs list = true");
    }
    if field.accept && field.kind != Kind::ImageRef {
        return Some("accept is for kind = \"image_ref\" only");
    }
    if Term::read(&field.retention).is_none() {
        return Some(
            "retention is life, consent, document, until, none, or LS, CO, ME, CL or AT with + and a number of d or m",
        );
    }
    index_problem(field)
}

/// Indexes only where values are nearly unique: the tokens of a common value stand out by their number.
fn index_problem(field: &Field) -> Option<&'static str> {
    field.index.iter().find_map(|index| match index {
        IndexKind::Exact if !exact_allowed(field.kind) => Some(
            "an exact index is only for nearly unique values (phones, e-mails, documents, memberships …)",
        ),
        IndexKind::Tail if field.kind != Kind::Phone => Some("a tail index is only for phones"),
        IndexKind::Blocking if !blocking_allowed(field.kind) => {
            Some("a blocking index is only for names, dates, e-mails, phones, addresses and documents")
        }
        _ => None,
    })
}

const fn exact_allowed(kind: Kind) -> bool {
    matches!(
        kind,
        Kind::Phone
            | Kind::Email
            | Kind::Document
            | Kind::Membership
            | Kind::ExternalId
            | Kind::TaxInvoice
            | Kind::Plate
            | Kind::MessagingId
            | Kind::ResidencePermit
            | Kind::Managed
    )
}

const fn blocking_allowed(kind: Kind) -> bool {
    matches!(
        kind,
        Kind::Name
            | Kind::NativeName
            | Kind::PartialDate
            | Kind::Email
            | Kind::Phone
            | Kind::Address
            | Kind::Document
    )
}

/// `name` beside `name.full` would make `{"name": …}` mean two things.
fn nested_problem(field: &Field, fields: &[Field]) -> Option<&'static str> {
    let prefix = format!("{}.", field.path);
    fields
        .iter()
        .any(|other| other.path.as_str().starts_with(&prefix))
        .then_some("another path continues this one; rename one of them")
}

fn is_word(text: &str) -> bool {
    (1..=40).contains(&text.len())
        && text
            .bytes()
            .all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_')
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::{Category, Class};

    fn refused(text: &str) -> String {
        Catalogue::from_toml(text).expect_err("refused").to_string()
    }

    fn own(more: &str) -> String {
        format!(
            "[[field]]\npath = \"ext.x\"\ncategory = \"preference\"\nclass = \"C1\"\nretention = \"LS+24m\"\n{more}"
        )
    }

    #[test]
    fn the_shipped_catalogue_loads() {
        let catalogue = Catalogue::shipped().unwrap();
        assert!(catalogue.len() >= 60, "{}", catalogue.len());
        let (_, phones) = catalogue.find("phones").unwrap();
        assert_eq!(
            (phones.category, phones.class, phones.list),
            (Category::Contact, Class::C2, true)
        );
        assert_eq!(catalogue.select("name").len(), 9);
        assert_eq!(catalogue.select("preferences").len(), 7);
    }

    #[test]
    fn health_and_restrictions_are_special() {
        let catalogue = Catalogue::shipped().unwrap();
        for (_, field) in catalogue.iter() {
            if matches!(field.category, Category::HealthBelief | Category::Restriction) {
                assert_eq!(field.class, Class::C4, "{}", field.path);
            }
        }
    }

    #[test]
    fn a_hotel_adds_its_own_field() {
        let text = format!("{SHIPPED}\n{}", own("kind = \"code\"\n"));
        let catalogue = Catalogue::from_toml(&text).unwrap();
        assert!(catalogue.find("ext.x").is_some());
    }

    #[test]
    fn an_entry_that_contradicts_itself_is_refused() {
        for (text, word) in [
            (String::new(), "no [[field]]"),
            ("[[field]]".to_owned(), "missing field"),
            (own("kind = \"gender\"\nindex = [\"exact\"]"), "exact index"),
            (
                own("kind = \"country\"\nindex = [\"blocking\"]"),
                "blocking index",
            ),
            (own("kind = \"email\"\nindex = [\"tail\"]"), "tail index"),
            (own("kind = \"object\""), "members"),
            (own("kind = \"code\"\nmembers = [\"a\"]"), "members"),
            (own("kind = \"object\"\nmembers = [\"A b\"]"), "words"),
            (own("kind = \"codes\""), "list = true"),
            (own("kind = \"managed\""), "of this kind"),
            (own("kind = \"code\"\naccept = true"), "accept"),
            (own("kind = \"code\"\nsecret = true"), "unknown field"),
            (own("kind = \"code\"").replace("LS+24m", "forever"), "retention"),
            (own("kind = \"code\"").replace("ext.x", "ext..x"), "dots"),
            (own("kind = \"code\"").replace("ext.x", "vip"), "ext."),
            (own("kind = \"code\"").replace("ext.x", "gender"), "cannot change"),
            (own("kind = \"code\"\n").repeat(2), "twice"),
            (
                format!(
                    "{}\n{}",
                    own("kind = \"code\""),
                    own("kind = \"code\"").replace("ext.x", "ext.x.y")
                ),
                "continues",
            ),
        ] {
            let said = refused(&text);
            assert!(said.contains(word), "{word}: {said}");
        }
    }
}
