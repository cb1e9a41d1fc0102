//! A mapping guessed from the header of a table.

use std::fmt::Write as _;

use csv::ReaderBuilder;

use super::{columns::STAY, rows::distinct};

/// What columns are called, by where they go.
const NAMES: &str = include_str!("data/columns.txt");

/// A mapping guessed from the first line of a file, as a mapping file to be read and mended by a person.
#[must_use]
pub fn suggest(header: &str) -> String {
    let header = header
        .trim_start_matches('\u{feff}')
        .lines()
        .next()
        .unwrap_or_default();
    let count = |c: &char| header.matches(*c).count();
    let delimiter = [',', ';', '\t', '|'].into_iter().max_by_key(count).unwrap_or(',');
    let columns = columns(header, delimiter);
    let id = columns.iter().find(|column| target(column) == Some("id"));
    let mut text = String::from("# A guess from the header: read it, mend it, then import with --mapping.\n");
    text.push_str("source_system = \"pms\"\n");
    // Writing to a String cannot fail.
    let _ = match id {
        Some(id) => writeln!(text, "id = {}", quoted(id)),
        None => writeln!(
            text,
            "id = \"\"  # name the column with the system's own id of the person"
        ),
    };
    let goes_to = |wanted: &str| columns.iter().any(|column| target(column) == Some(wanted));
    let missing = STAY
        .into_iter()
        .find(|member| !goes_to(&format!("stays.{member}")));
    let _ = writeln!(text, "delimiter = {}", quoted(&delimiter.to_string()));
    text.push_str("# date_format = \"%d.%m.%Y\"\n\n[columns]\n");
    for column in columns
        .iter()
        .filter(|column| Some(*column) != id && !column.is_empty())
    {
        let of_stays = |target: &str| target.starts_with("stays.");
        let _ = match target(column).filter(|target| *target != "id") {
            Some(target) if of_stays(target) && missing.is_some() => writeln!(
                text,
                "# {} = {}  # every stay needs stays.{} too: which column is that?",
                quoted(column),
                quoted(target),
                missing.unwrap_or_default()
            ),
            Some(target) => writeln!(text, "{} = {}", quoted(column), quoted(target)),
            None => writeln!(
                text,
                "# {} = \"-\"  # not recognised: what is it?",
                quoted(column)
            ),
        };
    }
    if let Some(column) = columns.iter().find(|column| target(column) == Some("gender")) {
        text.push_str("\n# Systems number the sexes differently: say what the codes mean.\n");
        let _ = writeln!(
            text,
            "# [values.{}]\n# \"1\" = \"male\"\n# \"2\" = \"female\"",
            quoted(column)
        );
    }
    text
}

fn columns(header: &str, delimiter: char) -> Vec<String> {
    let mut reader = ReaderBuilder::new()
        .delimiter(u8::try_from(delimiter).unwrap_or(b','))
        .has_headers(false)
        .from_reader(header.as_bytes());
    let first = reader.records().next().and_then(Result::ok);
    let names: Option<Vec<String>> = first.map(|record| record.iter().map(ToOwned::to_owned).collect());
    distinct(&names.unwrap_or_default())
}

fn target(column: &str) -> Option<&'static str> {
    let name: String = any_ascii::any_ascii(column)
        .chars()
        .filter(char::is_ascii_alphanumeric)
        .map(|c| c.to_ascii_lowercase())
        .collect();
    let lines = NAMES.lines().filter(|line| !line.starts_with('#'));
    lines
        .filter_map(|line| line.split_once(' '))
        .find(|(_, names)| names.split(' ').any(|known| known == name))
        .map(|(target, _)| target)
}

/// As TOML writes a text.
fn quoted(text: &str) -> String {
    toml::Value::String(text.to_owned()).to_string()
}
