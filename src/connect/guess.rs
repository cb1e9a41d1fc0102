//! A mapping guessed from the header of a table.

use std::fmt::Write as _;

use csv::ReaderBuilder;
use serde_json::Value;

use super::{
    columns::STAY,
    rows::{distinct, named_delimiter},
};

/// What columns are called, by where they go.
const NAMES: &str = include_str!("data/columns.txt");
/// So many rows tell what codes a column has.
const ROWS: usize = 1000;

/// A mapping guessed from the beginning of a file, its header and some rows, as a mapping file to be read and mended by a
/// person.
#[must_use]
pub fn suggest(text: &str) -> String {
    let text = text.trim_start_matches('\u{feff}');
    let by_columns = |delimiter: &char| records(text, *delimiter).next().map_or(0, |first| first.len());
    // Where two part the header into as many columns, the last of these is it.
    let counted = || ['|', '\t', ';', ','].into_iter().max_by_key(by_columns);
    let named = named_delimiter(text.as_bytes()).map(char::from);
    let delimiter = named.or_else(counted).unwrap_or(',');
    let mut rows = records(text, delimiter).skip(usize::from(named.is_some()));
    let columns = distinct(&rows.next().unwrap_or_default());
    let rows: Vec<Vec<String>> = rows.take(ROWS).collect();
    let targets = targets(&columns);
    let columns = || columns.iter().zip(targets.iter().copied()).enumerate();
    let id = columns()
        .find(|(_, (_, target))| *target == Some("id"))
        .map(|(at, _)| at);
    let mut text = String::from("# A guess from the header: read it, mend it, then import with --mapping.\n");
    text.push_str("source_system = \"pms\"\n");
    // Writing to a String cannot fail.
    let _ = match columns().find(|(at, _)| Some(*at) == id) {
        Some((_, (column, _))) => writeln!(text, "id = {}", quoted(column)),
        None => writeln!(
            text,
            "id = \"\"  # name the column with the system's own id of the person"
        ),
    };
    let goes_to = |wanted: &str| targets.contains(&Some(wanted));
    let missing = STAY
        .into_iter()
        .find(|member| !goes_to(&format!("stays.{member}")));
    let _ = writeln!(text, "delimiter = {}", quoted(&delimiter.to_string()));
    text.push_str("# date_format = \"%d.%m.%Y\"\n\n[columns]\n");
    for (at, (name, target)) in columns().filter(|(at, (name, _))| Some(*at) != id && !name.is_empty()) {
        let column = quoted(name);
        let _ = match target.filter(|target| *target != "id") {
            Some(target) if target.starts_with("stays.") && missing.is_some() => writeln!(
                text,
                "# {column} = {}  # every stay needs stays.{} too: which column is that?",
                quoted(target),
                missing.unwrap_or_default()
            ),
            Some(target) if target == "gender" && sexes(name, at, &rows) == Sexes::Unclear => writeln!(
                text,
                "# {column} = {}  # is M mujer or masculino? Say in [values] what the codes mean",
                quoted(target)
            ),
            Some(target) => writeln!(text, "{column} = {}", quoted(target)),
            None => writeln!(text, "# {column} = \"-\"  # not recognised: what is it?"),
        };
    }
    if let Some((at, (name, _))) = columns().find(|(_, (_, target))| *target == Some("gender")) {
        text.push_str("\n# Systems number the sexes differently: say what the codes mean.\n");
        let column = quoted(name);
        let _ = if sexes(name, at, &rows) == Sexes::Spanish {
            writeln!(text, "[values.{column}]\n\"H\" = \"male\"\n\"M\" = \"female\"")
        } else {
            writeln!(
                text,
                "# [values.{column}]\n# \"1\" = \"male\"\n# \"2\" = \"female\""
            )
        };
    }
    text
}

/// The cells of a text, row by row.
fn records(text: &str, delimiter: char) -> impl Iterator<Item = Vec<String>> {
    let reader = ReaderBuilder::new()
        .delimiter(u8::try_from(delimiter).unwrap_or(b','))
        .has_headers(false)
        .flexible(true)
        .from_reader(text.as_bytes());
    let records = reader.into_records().map_while(Result::ok);
    records.map(|record| record.iter().map(ToOwned::to_owned).collect())
}

/// What the letters for the sexes are.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Sexes {
    /// Those that the vault knows.
    Known,
    /// Hombre and mujer.
    Spanish,
    /// M may be either.
    Unclear,
}

fn sexes(column: &str, at: usize, rows: &[Vec<String>]) -> Sexes {
    if !matches!(bare(column).as_str(), "sexo" | "genero") {
        return Sexes::Known;
    }
    let has = |code: &str| {
        let mut cells = rows.iter().filter_map(|row| row.get(at));
        cells.any(|cell| cell.trim().eq_ignore_ascii_case(code))
    };
    match (has("H"), has("F")) {
        (true, false) => Sexes::Spanish,
        (false, true) => Sexes::Known,
        _ if rows.is_empty() || has("M") => Sexes::Unclear,
        _ => Sexes::Known,
    }
}

/// Where the columns go; what some words mean, their neighbours tell.
fn targets(columns: &[String]) -> Vec<Option<&'static str>> {
    let names: Vec<String> = columns.iter().map(|column| bare(column)).collect();
    let alone: Vec<Option<&str>> = names.iter().map(|name| target(name)).collect();
    let goes_to = |wanted: &str| alone.contains(&Some(wanted));
    let has_stays = STAY.into_iter().any(|member| goes_to(&format!("stays.{member}")));
    let is_surname = goes_to("name.given") && !goes_to("name.surname");
    let with = |(name, target): (&String, Option<&'static str>)| match name.as_str() {
        "name" if is_surname => Some("name.surname"),
        "status" if has_stays => Some("stays.status"),
        _ => target,
    };
    names.iter().zip(alone.iter().copied()).map(with).collect()
}

/// A column's name without case, accents and punctuation.
fn bare(column: &str) -> String {
    let letters = any_ascii::any_ascii(column);
    let letters = letters.chars().filter(char::is_ascii_alphanumeric);
    letters.map(|c| c.to_ascii_lowercase()).collect()
}

fn target(name: &str) -> Option<&'static str> {
    let lines = NAMES.lines().filter(|line| !line.starts_with('#'));
    lines
        .filter_map(|line| line.split_once(' '))
        .find(|(_, names)| names.split(' ').any(|known| known == name))
        .map(|(target, _)| target)
}

/// As TOML writes a text in one line.
fn quoted(text: &str) -> String {
    Value::from(text).to_string().replace('\u{7f}', "\\u007F")
}
