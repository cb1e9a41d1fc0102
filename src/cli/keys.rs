//! `guest-vault keys`: making them anew is in `rotate`; `keys status`: where the keys are and in which state. Shows no key and no guest.

use std::io::{self, Write};

use clap::{Args, Subcommand};

use super::rotate::{Rewrap, Rotate};
use crate::{
    keys::{KeyStatus, KeysError, RootKeySource, status},
    store::Store,
};

/// What to do with keys.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Tells where the keys are and whether they open; changes nothing.
    Status(Status),
    /// Begins a new epoch and wraps every data key anew, or takes another root key; the vault may run.
    Rotate(Rotate),
    /// Goes on with a rotation that was cut off.
    Rewrap(Rewrap),
}

/// `keys status`.
#[derive(Debug, Args)]
pub struct Status {
    /// Prints one line of JSON.
    #[arg(long)]
    pub json: bool,
}

/// Why the command failed.
#[derive(Debug, thiserror::Error)]
pub enum KeysCommandError {
    /// The key store cannot be read.
    #[error(transparent)]
    Keys(#[from] KeysError),
    /// Told in the answer already: the root key does not open the keys.
    #[error("the keys cannot be used")]
    Unusable,
    /// The answer cannot be printed.
    #[error("the answer cannot be written")]
    Output(#[from] io::Error),
}

/// Runs a command and prints its answer. The key store is open and its tables are up to date.
///
/// # Errors
/// When the key store cannot be read, the answer cannot be written, or (after the answer) when the keys do not open.
pub async fn run(
    arguments: &Status,
    root: &RootKeySource,
    key_store: &Store,
    out: &mut dyn Write,
) -> Result<(), KeysCommandError> {
    let status = status(root, key_store).await?;
    if arguments.json {
        serde_json::to_writer(&mut *out, &status).map_err(io::Error::from)?;
        writeln!(out)?;
    } else {
        print(&status, out)?;
    }
    if status.root.usable {
        Ok(())
    } else {
        Err(KeysCommandError::Unusable)
    }
}

fn print(status: &KeyStatus, out: &mut dyn Write) -> io::Result<()> {
    let root = &status.root;
    let state = root.problem.as_deref().unwrap_or("opens every vault key");
    writeln!(
        out,
        "root key    {} {}\n            {state}",
        root.provider, root.reference
    )?;
    writeln!(out, "vault keys  {}", status.vault_keys.len())?;
    for key in &status.vault_keys {
        write!(
            out,
            "            {:<13} version {}  made {}",
            key.purpose, key.version, key.created_at
        )?;
        match &key.retired_at {
            Some(at) => writeln!(out, "  retired {at}")?,
            None => writeln!(out)?,
        }
    }
    let total: i64 = status.epochs.iter().map(|epoch| epoch.data_keys).sum();
    writeln!(out, "data keys   {total} of {} guests", status.guests)?;
    for epoch in &status.epochs {
        writeln!(out, "            {} in epoch {}", epoch.data_keys, epoch.epoch)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::{fs, path::Path};

    use tempfile::TempDir;

    use super::*;
    use crate::{
        base::{Category, Clock, GuestId},
        keys::Keyring,
        store::{StoreUrl, Which},
    };

    async fn key_store(folder: &Path) -> Store {
        let url = StoreUrl::Sqlite(folder.join("keys.db"));
        let store = Store::open(&url, 1).await.unwrap();
        store.migrate(Which::Keys).await.unwrap();
        store
    }

    async fn answer(json: bool, root: &RootKeySource, store: &Store) -> (String, bool) {
        let mut out = Vec::new();
        let outcome = run(&Status { json }, root, store, &mut out).await;
        (String::from_utf8(out).unwrap(), outcome.is_ok())
    }

    #[tokio::test]
    async fn status_tells_the_state_in_words_and_in_json() {
        let folder = TempDir::new().unwrap();
        let store = key_store(folder.path()).await;
        let root = RootKeySource::File(folder.path().join("root.key"));
        let (text, usable) = answer(false, &root, &store).await;
        assert!(!usable && text.contains("holds no keys yet"), "{text}");

        let ring = Keyring::open(&root, store.clone(), true, Clock::system())
            .await
            .unwrap();
        ring.ensure_guest_keys(GuestId::random(), &[Category::Contact, Category::Audit])
            .await
            .unwrap();
        let (text, usable) = answer(false, &root, &store).await;
        assert!(usable && text.contains("opens every vault key"), "{text}");
        assert!(
            text.contains("data keys   2 of 1 guests") && text.contains("2 in epoch 1"),
            "{text}"
        );
        let secret = fs::read_to_string(folder.path().join("root.key")).unwrap();
        assert!(!text.contains(&secret.trim()[8..]));

        let (line, _) = answer(true, &root, &store).await;
        let value: serde_json::Value = serde_json::from_str(&line).unwrap();
        assert_eq!(value["root"]["usable"], true);
        assert_eq!(value["vault_keys"].as_array().unwrap().len(), 8);
        assert_eq!(value["epochs"][0]["data_keys"], 2);
    }

    #[tokio::test]
    async fn status_says_what_is_wrong_and_fails() {
        let folder = TempDir::new().unwrap();
        let store = key_store(folder.path()).await;
        let root = RootKeySource::File(folder.path().join("root.key"));
        Keyring::open(&root, store.clone(), true, Clock::system())
            .await
            .unwrap();
        fs::remove_file(folder.path().join("root.key")).unwrap();
        let (text, usable) = answer(false, &root, &store).await;
        assert!(!usable && text.contains("put it back from its backup"), "{text}");
        let (line, usable) = answer(true, &root, &store).await;
        assert!(!usable && line.contains("\"usable\":false"), "{line}");
    }
}
