//! Where a policy's files come from.
//!
//! A folder may hold any of the files; what it does not hold is built in, so a hotel overrides only what it changes.
//! A file that is none of a policy's is refused, because a misspelt `rule.csv` would silently change nothing.

use std::{
    collections::BTreeMap,
    fs, io,
    path::{Path, PathBuf},
};

use super::PolicyError;
use crate::crypto::sha256;

/// Where to load a policy from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PolicySource {
    /// The files built into the program.
    BuiltIn,
    /// A folder; files it does not hold are built in.
    Folder(PathBuf),
}

/// The files of a policy that this program reads here, in the order they count for the version.
pub(super) const NAMES: [&str; 6] = [
    "model.conf",
    "roles.csv",
    "rules.csv",
    "purposes.toml",
    "fields.toml",
    "cases.toml",
];

/// Files of the same folder that other parts of the program read, here or built in.
const OTHERS: [&str; 2] = ["consent.toml", "deadlines.toml"];

const BUILT_IN: [&str; 6] = [
    include_str!("../../policies/model.conf"),
    include_str!("../../policies/roles.csv"),
    include_str!("../../policies/rules.csv"),
    include_str!("../../policies/purposes.toml"),
    include_str!("../../policies/fields.toml"),
    include_str!("../../policies/cases.toml"),
];

/// No file of a policy is larger than this, in bytes.
const MOST: u64 = 4 << 20;

/// The text of every file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Files {
    pub(super) model: String,
    pub(super) roles: String,
    pub(super) rules: String,
    pub(super) purposes: String,
    pub(super) fields: String,
    pub(super) cases: String,
}

impl Files {
    /// Reads the files of a source.
    ///
    /// # Errors
    /// When the folder or a file cannot be read, is not text, is too large, or is not a policy's.
    pub(super) fn read(source: &PolicySource) -> Result<Self, PolicyError> {
        let mut texts = BUILT_IN.map(str::to_owned);
        if let PolicySource::Folder(folder) = source {
            refuse_strangers(folder)?;
            for (text, name) in texts.iter_mut().zip(NAMES) {
                if let Some(own) = read_text(&folder.join(name))? {
                    *text = own;
                }
            }
        }
        let [model, roles, rules, purposes, fields, cases] = texts;
        Ok(Self {
            model,
            roles,
            rules,
            purposes,
            fields,
            cases,
        })
    }

    /// Each file, and whether its text is not the built-in one.
    pub(super) fn overrides(&self) -> BTreeMap<String, bool> {
        let own = NAMES.iter().zip(self.texts()).zip(BUILT_IN);
        own.map(|((name, text), built_in)| ((*name).to_owned(), text != built_in))
            .collect()
    }

    fn texts(&self) -> [&str; 6] {
        [
            &self.model,
            &self.roles,
            &self.rules,
            &self.purposes,
            &self.fields,
            &self.cases,
        ]
    }

    /// The first 16 hexadecimal digits of the SHA-256 over all files, each with its name and length.
    pub(super) fn version(&self) -> String {
        let mut all = String::new();
        for (name, text) in NAMES.iter().zip(self.texts()) {
            all.extend([name, "\n", &text.len().to_string(), "\n", text]);
        }
        let hash = data_encoding::HEXLOWER.encode(&sha256(all.as_bytes()));
        hash.chars().take(16).collect()
    }
}

fn refuse_strangers(folder: &Path) -> Result<(), PolicyError> {
    let cannot = |cause| PolicyError::Read {
        file: folder.display().to_string(),
        cause,
    };
    for entry in fs::read_dir(folder).map_err(cannot)? {
        let name = entry.map_err(cannot)?.file_name().to_string_lossy().into_owned();
        let policy_like =
            [".csv", ".toml", ".conf"].iter().any(|end| name.ends_with(end)) && !name.starts_with('.');
        if policy_like && !NAMES.contains(&name.as_str()) && !OTHERS.contains(&name.as_str()) {
            return Err(PolicyError::File {
                file: folder.join(&name).display().to_string(),
                problem: format!("is no file of a policy ({}); rename or move it", NAMES.join(", ")),
            });
        }
    }
    Ok(())
}

fn read_text(path: &Path) -> Result<Option<String>, PolicyError> {
    let cannot = |cause| PolicyError::Read {
        file: path.display().to_string(),
        cause,
    };
    let size = match fs::metadata(path) {
        Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(e) => return Err(cannot(e)),
        Ok(found) => found.len(),
    };
    if size > MOST {
        return Err(PolicyError::File {
            file: path.display().to_string(),
            problem: format!("is larger than {MOST} bytes; a policy is not"),
        });
    }
    fs::read_to_string(path).map(Some).map_err(cannot)
}
