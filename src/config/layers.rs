//! The layers of the configuration, and the files that secrets may come from.

use std::{ffi::OsString, fs, path::Path};

use figment::{
    Figment, Metadata, Profile, Provider,
    providers::{Format as _, Serialized, Toml},
    value::{Dict, Map, Value},
};
use serde::de::DeserializeOwned;

use super::{ConfigError, ConfigFlags};

const PREFIX: &str = "GUEST_VAULT_";

/// Where the configuration lies unless a flag or `GUEST_VAULT_CONFIG` says otherwise.
const FILE: &str = "guest-vault.toml";

/// Sections whose keys a variable can name: `GUEST_VAULT_SERVER_PORT` is `server.port`.
const SECTIONS: [&str; 6] = ["server", "database", "keys", "policies", "portal", "log"];

/// Keys that may be given as `<key>_file`: the file's text, without the line end, is the value.
const SECRETS: [&str; 4] = [
    "server.metrics_token",
    "database.url",
    "keys.url",
    "portal.smtp_url",
];

/// Variables with our prefix that commands read themselves.
const COMMANDS: [&str; 3] = ["config", "api_key", "key"];

pub(super) fn read<T: DeserializeOwned>(
    flags: &ConfigFlags,
    environment: impl Iterator<Item = (String, OsString)>,
) -> Result<T, ConfigError> {
    let environment: Vec<_> = environment
        .filter_map(|(name, value)| Some((name.strip_prefix(PREFIX)?.to_ascii_lowercase(), value)))
        .collect();
    let named = environment
        .iter()
        .find(|(name, _)| name == "config")
        .map(|(_, path)| Path::new(path));
    let file = flags.config.as_deref().or(named);
    if let Some(path) = file
        && !path.is_file()
    {
        let problem = format!("{}: there is no such configuration file", path.display());
        return Err(ConfigError::new(vec![problem]));
    }
    let variables = Variables(
        environment
            .iter()
            .filter(|(name, _)| !COMMANDS.contains(&name.as_str()))
            .collect(),
    );
    let default = Path::new(FILE);
    let figment = match file.or(default.is_file().then_some(default)) {
        Some(path) => Figment::new().merge(Secrets(Toml::file_exact(path))),
        None => Figment::new(),
    };
    figment
        .merge(Secrets(variables))
        .merge(Serialized::defaults(flags))
        .extract()
        .map_err(Into::into)
}

/// The environment, as text.
struct Variables<'a>(Vec<&'a (String, OsString)>);

impl Provider for Variables<'_> {
    fn metadata(&self) -> Metadata {
        Metadata::named(format!("environment ({PREFIX}…)"))
    }

    fn data(&self) -> Result<Map<Profile, Dict>, figment::Error> {
        let mut all = Dict::new();
        for (name, value) in &self.0 {
            let Some(text) = value.to_str() else {
                return Err(format!("{PREFIX}{} is not UTF-8", name.to_ascii_uppercase()).into());
            };
            let text = Value::from(text.to_owned());
            let section = SECTIONS
                .iter()
                .find_map(|s| Some((*s, name.strip_prefix(s)?.strip_prefix('_')?)));
            match section {
                Some((section, key)) => {
                    let inner = all
                        .entry(section.to_owned())
                        .or_insert_with(|| Dict::new().into());
                    if let Value::Dict(_, inner) = inner {
                        inner.insert(key.to_owned(), text);
                    }
                }
                None => {
                    all.insert(name.clone(), text);
                }
            }
        }
        Ok(Profile::Default.collect(all))
    }
}

/// A layer whose `<secret>_file` keys are replaced by what the files hold.
struct Secrets<P>(P);

impl<P: Provider> Provider for Secrets<P> {
    fn metadata(&self) -> Metadata {
        self.0.metadata()
    }

    fn data(&self) -> Result<Map<Profile, Dict>, figment::Error> {
        let mut data = self.0.data()?;
        for dict in data.values_mut() {
            for secret in SECRETS {
                let Some((section, key)) = secret.split_once('.') else {
                    continue;
                };
                if let Some(Value::Dict(_, inner)) = dict.get_mut(section) {
                    from_file(inner, key).map_err(|problem| format!("{section}.{problem}"))?;
                }
            }
        }
        Ok(data)
    }
}

fn from_file(section: &mut Dict, key: &str) -> Result<(), String> {
    let named = format!("{key}_file");
    let Some(path) = section.remove(&named) else {
        return Ok(());
    };
    let path = path
        .as_str()
        .ok_or_else(|| format!("{named} must be a path"))?
        .to_owned();
    if section.contains_key(key) {
        return Err(format!("{named} and {key} are both given; remove one"));
    }
    let text = fs::read_to_string(&path).map_err(|e| format!("{named}: cannot read {path}: {e}"))?;
    section.insert(
        key.to_owned(),
        text.trim_end_matches(['\r', '\n']).to_owned().into(),
    );
    Ok(())
}
