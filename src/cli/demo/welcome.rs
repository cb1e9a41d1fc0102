//! What a demonstration says once it is ready.

use std::{
    collections::BTreeMap,
    io::{self, Write},
    path::Path,
};

use secrecy::{ExposeSecret, SecretString};
use serde_json::{Map, Value, json};

use crate::base::Role;

use super::{
    fill::Filled,
    invented::{HOTELS, SHOWN},
};

/// A key of each role, and who that is.
pub(super) struct Key {
    pub(super) role: Role,
    pub(super) about: String,
    pub(super) text: SecretString,
}

/// All there is to say.
pub(super) struct Welcome<'a> {
    pub(super) url: &'a str,
    pub(super) folder: &'a Path,
    /// Whether the folder goes in the end.
    pub(super) throw_away: bool,
    pub(super) keys: &'a [Key],
    pub(super) filled: &'a Filled,
    /// With what guests to look at sign in to their pages.
    pub(super) contacts: &'a BTreeMap<String, String>,
    /// What verifies the log's checkpoints.
    pub(super) vkey: &'a str,
}

impl Welcome<'_> {
    /// Says it: one line of JSON, or words.
    pub(super) fn print(&self, json: bool, out: &mut dyn Write) -> io::Result<()> {
        if json {
            writeln!(out, "{}", self.line())?;
        } else {
            self.words(out)?;
        }
        // Others wait for this line.
        out.flush()
    }

    fn line(&self) -> Value {
        let keys: Map<_, _> = self
            .keys
            .iter()
            .map(|key| (key.role.to_string(), json!(plain(key))))
            .collect();
        let guests: Map<_, _> = self
            .filled
            .shown
            .iter()
            .map(|(shown, guest)| (shown.id.to_owned(), json!(guest)))
            .collect();
        json!({
            "url": self.url,
            "data_dir": self.folder,
            "log_vkey": self.vkey,
            "properties": HOTELS,
            "keys": keys,
            "guests": guests,
            "pages": {"portal": format!("{}/privacy", self.url), "outbox": format!("{}/privacy/outbox", self.url)},
            "contacts": self.contacts,
        })
    }

    fn words(&self, out: &mut dyn Write) -> io::Result<()> {
        let Self { url, .. } = self;
        self.filled.summary.print(false, out)?;
        let end = if self.throw_away {
            "goes when you stop"
        } else {
            "stays"
        };
        writeln!(out, "\nThe vault is ready: {url}  (Ctrl-C stops it)")?;
        writeln!(out, "  contract   {url}/docs\n  openapi    {url}/openapi.json")?;
        writeln!(
            out,
            "  guests     {url}/privacy  (codes are shown at {url}/privacy/outbox)"
        )?;
        writeln!(out, "  data       {}  ({end})", self.folder.display())?;
        writeln!(out, "\nOne key per role, for all hotels ({}):", HOTELS.join(", "))?;
        for key in self.keys {
            writeln!(out, "  {:<20} {}  {}", key.role.as_str(), plain(key), key.about)?;
        }
        if !self.filled.shown.is_empty() {
            writeln!(out, "\nGuests to look at:")?;
        }
        for (shown, guest) in &self.filled.shown {
            writeln!(
                out,
                "  {:<11} {guest}  {}  {}",
                shown.id, shown.property, shown.about
            )?;
        }
        if let Some((id, contact)) = self.contacts.first_key_value() {
            writeln!(out, "\nTo see the pages as {id} sees them, sign in as {contact}")?;
        }
        self.lines_to_try(out)
    }

    fn lines_to_try(&self, out: &mut dyn Write) -> io::Result<()> {
        let star = SHOWN.first().map_or("", |shown| shown.id);
        let Some((shown, guest)) = self.filled.shown.iter().find(|(shown, _)| shown.id == star) else {
            return Ok(());
        };
        let tries = [
            (
                "front_desk",
                "stay_service",
                "What the front desk sees of a guest in the house:",
            ),
            ("housekeeping", "stay_service", "The same guest for housekeeping:"),
            (
                "marketing",
                "marketing_direct",
                "For marketing, with the guest's consent:",
            ),
            ("admin", "administration", "An administrator sees no guest:"),
        ];
        for (role, purpose, about) in tries {
            let Some(key) = self.keys.iter().find(|key| key.role.as_str() == role) else {
                continue;
            };
            writeln!(out, "\n{about}")?;
            writeln!(
                out,
                "curl -s '{}/v1/guests/{guest}?fields=name,phones,preferences' \\\n  -H 'Authorization: Bearer {}' \\\n  \
                 -H 'Vault-Property: {}' -H 'Vault-Purpose: {purpose}'",
                self.url,
                plain(key),
                shown.property,
            )?;
        }
        Ok(())
    }
}

#[expect(
    clippy::disallowed_methods,
    reason = "the keys of a demonstration are shown to who started it"
)]
fn plain(key: &Key) -> &str {
    key.text.expose_secret()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::import::Summary;

    fn said(json: bool) -> String {
        let filled = Filled {
            summary: Summary::default(),
            shown: SHOWN.iter().map(|shown| (*shown, uuid::Uuid::nil())).collect(),
            contacts: BTreeMap::new(),
        };
        let contacts = [("SHOW-WANG".to_owned(), "wang@lumen.example".to_owned())].into();
        let key = |role: &str| Key {
            role: role.parse().unwrap(),
            about: format!("about {role}"),
            text: SecretString::from(format!("gv_{role}")),
        };
        let welcome = Welcome {
            url: "http://127.0.0.1:8650",
            folder: Path::new("/somewhere"),
            throw_away: true,
            keys: &[key("front_desk"), key("admin")],
            filled: &filled,
            contacts: &contacts,
            vkey: "log+1+2",
        };
        let mut out = Vec::new();
        welcome.print(json, &mut out).unwrap();
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn json_is_one_line_of_the_contract() {
        let said = said(true);
        assert_eq!(said.lines().count(), 1);
        let line: Value = serde_json::from_str(&said).unwrap();
        assert_eq!(line["url"], "http://127.0.0.1:8650");
        assert_eq!(line["data_dir"], "/somewhere");
        assert_eq!(line["log_vkey"], "log+1+2");
        assert_eq!(line["properties"], json!(["LIS01", "SHA01", "BER01"]));
        assert_eq!(line["keys"]["front_desk"], "gv_front_desk");
        assert!(line["guests"]["SHOW-WANG"].is_string());
        assert_eq!(line["pages"]["portal"], "http://127.0.0.1:8650/privacy");
        assert_eq!(line["contacts"]["SHOW-WANG"], "wang@lumen.example");
    }

    #[test]
    fn words_name_every_key_and_lines_to_try() {
        let said = said(false);
        for part in [
            "gv_front_desk",
            "gv_admin",
            "SHOW-TOM",
            "/docs",
            "/privacy/outbox",
            "-H 'Vault-Property: LIS01'",
        ] {
            assert!(said.contains(part), "{part}");
        }
        assert_eq!(said.matches("curl -s").count(), 2);
    }
}
