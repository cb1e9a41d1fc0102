//! Fills a vault with the invented guests, through the import that everybody uses.

use std::{
    collections::BTreeMap,
    fs::File,
    io::{self, BufWriter, Write},
    path::Path,
};

use chrono::NaiveDate;
use serde_json::Value;
use uuid::Uuid;

use crate::{
    cli::import::{self, Format, Import, Resolve, Summary},
    guest::Vault,
};

use super::{
    DemoError,
    folder::Folder,
    invented::{SHOWN, Shown, records},
};

/// One seed for all demonstrations: everybody meets the same people.
const SEED: u64 = 20_260_301;

/// What was filled in.
pub(super) struct Filled {
    pub(super) summary: Summary,
    /// The guests to look at, with the ids they got.
    pub(super) shown: Vec<(Shown, Uuid)>,
    /// The addresses and numbers that records of them name.
    pub(super) contacts: BTreeMap<String, Vec<String>>,
}

/// Imports `guests` invented guests. The file lies in a folder of its own, which goes at once: the vault's folder
/// never holds a name in clear.
pub(super) async fn fill(vault: &Vault, guests: u64, quiet: bool) -> Result<Filled, DemoError> {
    let scrap = Folder::throw_away().map_err(DemoError::Invent)?;
    let file = scrap.path().join("invented.ndjson");
    let report = scrap.path().join("report.csv");
    let contacts = write(&file, guests, vault.clock.now().date_naive()).map_err(DemoError::Invent)?;
    let arguments = Import {
        lapsed: true,
        format: Format::Ndjson,
        property: None,
        purpose: import::PURPOSE.parse()?,
        files: vec![file],
        server: None,
        key: None,
        rollback: None,
        resolve: Resolve::Now,
        dry_run: false,
        report: Some(report.clone()),
        rejects: None,
        json: quiet,
        mapping: None,
        suggest_mapping: false,
    };
    let summary = import::into_vault(vault, &arguments).await?;
    let shown = shown(&report).map_err(DemoError::Invent)?;
    Ok(Filled {
        summary,
        shown,
        contacts,
    })
}

/// Writes the records; gives the contacts of each guest to look at.
fn write(path: &Path, guests: u64, today: NaiveDate) -> io::Result<BTreeMap<String, Vec<String>>> {
    let mut file = BufWriter::new(File::create_new(path)?);
    let mut contacts: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for record in records(SEED, guests, today) {
        writeln!(file, "{record}")?;
        let id = record
            .get("source_id")
            .and_then(Value::as_str)
            .unwrap_or_default();
        if SHOWN.iter().any(|shown| shown.id == id) {
            let told = ["/guest/emails/0/address", "/guest/phones/0/number"]
                .into_iter()
                .filter_map(|path| record.pointer(path)?.as_str());
            contacts
                .entry(id.to_owned())
                .or_default()
                .extend(told.map(str::to_owned));
        }
    }
    file.flush()?;
    Ok(contacts)
}

fn shown(report: &Path) -> io::Result<Vec<(Shown, Uuid)>> {
    let mut found = Vec::new();
    for row in csv::Reader::from_path(report)?.records() {
        let row = row?;
        let cell = |at: usize| row.get(at).unwrap_or_default();
        let Some(shown) = SHOWN.iter().find(|shown| shown.id == cell(1)) else {
            continue;
        };
        if let Ok(guest) = cell(2).parse()
            && !found
                .iter()
                .any(|(known, _): &(Shown, Uuid)| known.id == shown.id)
        {
            found.push((*shown, guest));
        }
    }
    Ok(found)
}
