//! The access report as a page that people can read and print: no script, no style, nothing fetched.

use std::fmt::Write as _;

use crate::web::escaped;

use super::access_report::{Access, AccessReport};

fn row(access: &Access) -> String {
    let shown = access.fields.iter();
    let fields: Vec<String> = shown
        .map(|(path, view)| format!("{path} ({})", view.as_str()))
        .collect();
    let who = match &access.actor {
        Some(actor) => format!("{} ({actor})", access.role),
        None => access.role.clone(),
    };
    let index = access
        .log_index
        .map_or_else(|| "pending".to_owned(), |index| index.to_string());
    let cells = [
        access.at.format("%Y-%m-%d %H:%M:%S UTC").to_string(),
        who,
        access.property.clone().unwrap_or_default(),
        access.action.replace('_', " "),
        access.purpose.clone().unwrap_or_default().replace('_', " "),
        access.decision.clone(),
        fields.join(", "),
        access.basis.clone().unwrap_or_default().replace('_', " "),
        index,
    ];
    let cells: Vec<String> = cells
        .iter()
        .map(|cell| format!("<td>{}</td>", escaped(cell)))
        .collect();
    format!("<tr>{}</tr>\n", cells.concat())
}

/// The page.
pub(super) fn page(report: &AccessReport) -> String {
    let mut page = String::from(
        "<!DOCTYPE html>\n<html lang=\"en\">\n<head><meta charset=\"utf-8\"><title>Access report</title></head>\n<body>\n\
         <h1>Who saw your data</h1>\n",
    );
    let verdict = if report.complete {
        "The log's chain of entries about this guest has no gap, and no entry was changed."
    } else {
        "ATTENTION: entries about this guest are missing or were changed. The report shows what is left."
    };
    // Writing to a string cannot fail.
    let _ = writeln!(
        page,
        "<p>Guest {} · made on {} · log {} · {} entries</p>\n<p>{verdict}</p>",
        report.guest_id,
        report.at.format("%Y-%m-%d %H:%M:%S UTC"),
        escaped(&report.origin),
        report.accesses.len(),
    );
    page.push_str(
        "<table border=\"1\">\n<thead><tr><th>When</th><th>Who</th><th>Where</th><th>What</th><th>Why</th>\
         <th>Outcome</th><th>Fields and how they were shown</th><th>Ground</th><th>Index in the log</th></tr></thead>\n<tbody>\n",
    );
    for access in &report.accesses {
        page.push_str(&row(access));
    }
    page.push_str("</tbody>\n</table>\n<h2>Proof</h2>\n<ul>\n");
    for year in &report.proof {
        let whole = if year.complete { "complete" } else { "NOT complete" };
        let _ = writeln!(
            page,
            "<li>{}: {} entries under the name {} in the log, {whole}</li>",
            year.year, year.count, year.subject
        );
    }
    page.push_str(
        "</ul>\n<p>The same report with <code>format=json</code> holds the entries and receipts that prove it; \
         docs/formats.md says how to check them without trusting the vault.</p>\n</body>\n</html>\n",
    );
    page
}
