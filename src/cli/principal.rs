//! `guest-vault principal create | list | revoke`: API keys.

use std::{io::Write, str::FromStr};

use chrono::{DateTime, NaiveDate, NaiveTime, SecondsFormat, TimeDelta, Utc};
use clap::{Args, Subcommand};
use secrecy::ExposeSecret;
use serde::Serialize;
use serde_json::json;

use super::attest::{self, Attest, Register};
use crate::{
    access::{AccessError, Attestations, NewPrincipal, Principal, Principals, Revocation, operator},
    base::{Clock, InvalidName, PrincipalId, PropertyCode, PropertyTree, RequestId, Role},
};

/// The longest name, in characters.
const LONGEST_NAME: usize = 80;

/// What to do with principals.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Makes a principal and prints its API key, once.
    Create(Create),
    /// Lists principals, without their keys.
    List(List),
    /// Writes that a member of staff or a principal has what its role asks for.
    Attest(Attest),
    /// Lists what was attested.
    Attestations(Register),
    /// Revokes a principal: its key opens nothing from the next request on.
    Revoke(Revoke),
}

impl Command {
    /// Whether it is about a vault that is there already; the first principal may be made before the first start.
    #[must_use]
    pub const fn needs_vault(&self) -> bool {
        !matches!(self, Self::Create(_) | Self::Attest(_))
    }
}

/// `principal create`.
#[derive(Debug, Args)]
pub struct Create {
    /// The one role it acts in, such as `front_desk`.
    #[arg(long)]
    pub role: Role,
    /// A property, brand or group it may act for; may be given several times or with commas.
    #[arg(
        long = "property",
        value_name = "CODE",
        required = true,
        value_delimiter = ','
    )]
    pub properties: Vec<PropertyCode>,
    /// What people call it: a service or a post, never a person. By default the role.
    #[arg(long)]
    pub name: Option<String>,
    /// When the key ends: `90d`, `12h`, a day (its first moment, UTC) or a moment such as `2027-01-31T18:00:00Z`.
    /// By default never.
    #[arg(long, value_name = "WHEN")]
    pub expires: Option<Expiry>,
    /// Prints one line of JSON: `{"id","key"}`.
    #[arg(long)]
    pub json: bool,
}

/// `principal list`.
#[derive(Debug, Args)]
pub struct List {
    /// Prints one line of JSON: `{"items":[…]}`.
    #[arg(long)]
    pub json: bool,
}

/// `principal revoke`.
#[derive(Debug, Args)]
pub struct Revoke {
    /// The id that `create` and `list` print.
    pub id: PrincipalId,
    /// Prints one line of JSON: `{"id","outcome"}`.
    #[arg(long)]
    pub json: bool,
}

/// When a key ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Expiry {
    /// So long after it was made.
    After(TimeDelta),
    /// At this moment.
    At(DateTime<Utc>),
}

impl FromStr for Expiry {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        const WRONG: &str =
            "must be days (90d), hours (12h), a day (2027-01-31) or a moment (2027-01-31T18:00:00Z)";
        if let Ok(at) = DateTime::parse_from_rfc3339(text) {
            return Ok(Self::At(at.to_utc()));
        }
        if let Ok(day) = text.parse::<NaiveDate>() {
            return Ok(Self::At(day.and_time(NaiveTime::MIN).and_utc()));
        }
        let (number, unit) = text.split_at_checked(text.len().saturating_sub(1)).ok_or(WRONG)?;
        let number = i64::from(number.parse::<u16>().map_err(|_| WRONG)?);
        match unit {
            _ if number == 0 => Err(WRONG),
            "d" => Ok(Self::After(TimeDelta::days(number))),
            "h" => Ok(Self::After(TimeDelta::hours(number))),
            _ => Err(WRONG),
        }
    }
}

impl Expiry {
    pub(super) fn moment(self, now: DateTime<Utc>) -> Option<DateTime<Utc>> {
        let at = match self {
            Self::After(time) => now.checked_add_signed(time)?,
            Self::At(at) => at,
        };
        (at > now).then_some(at)
    }
}

/// Why the command failed.
#[derive(Debug, thiserror::Error)]
pub enum PrincipalError {
    /// The policy has no such role.
    #[error("the policy has no role {0}; see roles.csv")]
    Role(Role),
    /// The group has no such property.
    #[error("there is no [[property]] {0} in the configuration; there are {known}", known = .1.join(", "))]
    Property(PropertyCode, Vec<String>),
    /// A name that cannot be shown in a list.
    #[error("a name is 1 to {LONGEST_NAME} characters without control characters")]
    Name,
    /// The key would never open anything.
    #[error("it would be over before it begins; give a later moment")]
    Past,
    /// A kind of attestation that cannot be one.
    #[error("a kind is 1 to 60 characters of a-z, 0-9, _ and :, such as training or recipient:spa_partner")]
    Kind,
    /// Nothing to revoke.
    #[error("there is no principal {0}; see `guest-vault principal list`")]
    Unknown(PrincipalId),
    /// The database said no.
    #[error(transparent)]
    Access(#[from] AccessError),
    /// A word of this program is not one of its own alphabet.
    #[error(transparent)]
    Word(#[from] InvalidName),
    /// The new key cannot be shown.
    #[error("the key could not be written out, and was revoked; make another")]
    Unseen(#[source] std::io::Error),
    /// The answer cannot be printed.
    #[error("the answer cannot be written")]
    Output(#[from] std::io::Error),
}

impl PrincipalError {
    /// Whether the arguments were wrong (exit status 2) rather than that something failed (1).
    #[must_use]
    pub const fn is_usage(&self) -> bool {
        matches!(
            self,
            Self::Role(_) | Self::Property(..) | Self::Name | Self::Past | Self::Kind
        )
    }
}

/// What the command works on.
pub struct Vault<'v> {
    /// The principals.
    pub principals: &'v Principals,
    /// What was attested.
    pub attestations: &'v Attestations,
    /// The group's tree.
    pub properties: &'v PropertyTree,
    /// Whether the policy has a role.
    pub has_role: &'v dyn Fn(&Role) -> bool,
    /// Now.
    pub clock: &'v Clock,
}

/// Runs a command and prints its answer.
///
/// # Errors
/// When an argument names what is not there, the database refuses, or the answer cannot be written.
pub async fn run(command: &Command, vault: &Vault<'_>, out: &mut dyn Write) -> Result<(), PrincipalError> {
    match command {
        Command::Create(arguments) => create(arguments, vault, out).await,
        Command::List(arguments) => list(arguments, vault, out).await,
        Command::Attest(arguments) => {
            if let Some(id) = arguments.id
                && !vault.principals.list().await?.iter().any(|one| one.id == id)
            {
                return Err(PrincipalError::Unknown(id));
            }
            attest::attest(arguments, (vault.attestations, vault.clock), out).await
        }
        Command::Attestations(arguments) => attest::list(arguments, vault.attestations, out).await,
        Command::Revoke(arguments) => revoke(arguments, vault, out).await,
    }
}

async fn create(arguments: &Create, vault: &Vault<'_>, out: &mut dyn Write) -> Result<(), PrincipalError> {
    let new = checked(arguments, vault)?;
    let key = vault
        .principals
        .create(&new, &operator()?, RequestId::random())
        .await?;
    let (id, text) = (key.principal(), key.text());
    #[expect(
        clippy::disallowed_methods,
        reason = "the one time that a key is shown to who asked for it"
    )]
    let text = text.expose_secret();
    let shown = if arguments.json {
        writeln!(out, "{}", json!({"id": id, "key": text}))
    } else {
        writeln!(
            out,
            "id   {id}\nkey  {text}\n\nThe key is shown this once; the vault keeps only its hash."
        )
    };
    if let Err(error) = shown.and_then(|()| out.flush()) {
        // Nobody has it, or who knows who.
        vault
            .principals
            .revoke(id, &operator()?, RequestId::random())
            .await?;
        return Err(PrincipalError::Unseen(error));
    }
    Ok(())
}

fn checked(arguments: &Create, vault: &Vault<'_>) -> Result<NewPrincipal, PrincipalError> {
    if !(vault.has_role)(&arguments.role) {
        return Err(PrincipalError::Role(arguments.role.clone()));
    }
    if let Some(unknown) = arguments
        .properties
        .iter()
        .find(|code| vault.properties.get(code).is_none())
    {
        let known = vault.properties.iter().map(|node| node.code.to_string());
        return Err(PrincipalError::Property(unknown.clone(), known.collect()));
    }
    let name = arguments
        .name
        .clone()
        .unwrap_or_else(|| arguments.role.to_string());
    if name.trim().is_empty() || name.chars().count() > LONGEST_NAME || name.chars().any(char::is_control) {
        return Err(PrincipalError::Name);
    }
    let now = vault.clock.now();
    let expires_at = arguments
        .expires
        .map(|e| e.moment(now).ok_or(PrincipalError::Past))
        .transpose()?;
    let mut scope = arguments.properties.clone();
    scope.sort();
    scope.dedup();
    Ok(NewPrincipal {
        name,
        role: arguments.role.clone(),
        scope,
        expires_at,
    })
}

/// A line of the list.
#[derive(Serialize)]
struct Line {
    id: PrincipalId,
    name: String,
    role: Role,
    properties: Vec<PropertyCode>,
    status: &'static str,
    created_at: String,
    created_by: Option<PrincipalId>,
    expires_at: Option<String>,
    revoked_at: Option<String>,
}

impl Line {
    fn new(of: Principal, now: DateTime<Utc>) -> Self {
        let moment = |at: DateTime<Utc>| at.to_rfc3339_opts(SecondsFormat::Secs, true);
        Self {
            status: of.standing(now).as_str(),
            id: of.id,
            name: of.name,
            role: of.role,
            properties: of.scope,
            created_at: moment(of.created_at),
            created_by: of.created_by,
            expires_at: of.expires_at.map(moment),
            revoked_at: of.revoked_at.map(moment),
        }
    }
}

async fn list(arguments: &List, vault: &Vault<'_>, out: &mut dyn Write) -> Result<(), PrincipalError> {
    let now = vault.clock.now();
    let lines: Vec<Line> = vault
        .principals
        .list()
        .await?
        .into_iter()
        .map(|p| Line::new(p, now))
        .collect();
    if arguments.json {
        writeln!(out, "{}", json!({ "items": lines }))?;
        return Ok(());
    }
    writeln!(
        out,
        "{:36}  {:8}  {:20}  {:20}  {:24}  NAME",
        "ID", "STATUS", "EXPIRES", "ROLE", "PROPERTIES"
    )?;
    for line in lines {
        let properties: Vec<&str> = line.properties.iter().map(PropertyCode::as_str).collect();
        writeln!(
            out,
            "{:36}  {:8}  {:20}  {:20}  {:24}  {}",
            line.id.to_string(),
            line.status,
            line.expires_at.as_deref().unwrap_or("never"),
            line.role.as_str(),
            properties.join(","),
            line.name
        )?;
    }
    Ok(())
}

async fn revoke(arguments: &Revoke, vault: &Vault<'_>, out: &mut dyn Write) -> Result<(), PrincipalError> {
    let outcome = match vault
        .principals
        .revoke(arguments.id, &operator()?, RequestId::random())
        .await?
    {
        Revocation::Done => "revoked",
        Revocation::Before => "was revoked before",
        Revocation::Unknown => return Err(PrincipalError::Unknown(arguments.id)),
    };
    if arguments.json {
        writeln!(
            out,
            "{}",
            json!({"id": arguments.id, "outcome": outcome.replace(' ', "_")})
        )?;
    } else {
        writeln!(out, "{} {outcome}", arguments.id)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use clap::Parser;
    use serde_json::Value;
    use tempfile::TempDir;

    use super::*;
    use crate::{
        access::ApiKey,
        audit::Log,
        base::{PropertyKind, PropertyNode},
        config::AttestationsConfig,
        crypto::{KeyMaterial, MacKey},
        store::{Store, StoreUrl, Which},
    };

    #[derive(Parser)]
    struct Line {
        #[command(subcommand)]
        command: Command,
    }

    struct House {
        _folder: TempDir,
        principals: Principals,
        attestations: Attestations,
        properties: PropertyTree,
        clock: Clock,
    }

    impl House {
        async fn new() -> Self {
            let folder = TempDir::new().unwrap();
            let url = StoreUrl::Sqlite(folder.path().join("vault.db"));
            let store = Store::open(&url, 2).await.unwrap();
            store.migrate(Which::Data).await.unwrap();
            let clock = Clock::fixed("2026-03-04T12:00:00Z".parse().unwrap());
            let hash_key = Arc::new(MacKey::new(KeyMaterial::random()));
            let log = Log::start(store.clone());
            let register = (store.clone(), log.clone(), clock.clone());
            let attestations = Attestations::new(AttestationsConfig::default(), true, register);
            let principals = Principals::new(store, log, hash_key, clock.clone());
            let node = PropertyNode {
                code: "LIS01".parse().unwrap(),
                kind: PropertyKind::Property,
                parent: None,
                name: String::new(),
                region: None,
                province: None,
                timezone: chrono_tz::UTC,
            };
            let properties = PropertyTree::new(vec![node]).unwrap();
            Self {
                _folder: folder,
                principals,
                attestations,
                properties,
                clock,
            }
        }

        async fn run(&self, line: &str) -> Result<String, PrincipalError> {
            let line = Line::try_parse_from(std::iter::once("principal").chain(line.split(' '))).unwrap();
            let has_role = |role: &Role| matches!(role.as_str(), "front_desk" | "admin");
            let vault = Vault {
                principals: &self.principals,
                attestations: &self.attestations,
                properties: &self.properties,
                has_role: &has_role,
                clock: &self.clock,
            };
            let mut out = Vec::new();
            run(&line.command, &vault, &mut out).await?;
            Ok(String::from_utf8(out).unwrap())
        }
    }

    #[tokio::test]
    async fn what_is_attested_is_listed_until_it_ends() {
        let house = House::new().await;
        let line = "attest --staff s-17 --kind training --until 365d --json";
        let made: Value = serde_json::from_str(&house.run(line).await.unwrap()).unwrap();
        assert_eq!(made["holder"], "staff:s-17");
        let out = house.run("attestations --json").await.unwrap();
        let listed: Value = serde_json::from_str(&out).unwrap();
        assert_eq!(listed["items"][0], made);
        house
            .run("attest --staff s-17 --kind training --end")
            .await
            .unwrap();
        let out = house.run("attestations").await.unwrap();
        assert!(out.contains("2026-03-04T12:00:00Z"), "{out}");
        let wrong = house.run("attest --staff s-17 --kind Training! --until 1d").await;
        assert!(matches!(wrong, Err(PrincipalError::Kind)));
    }

    #[tokio::test]
    async fn a_created_key_works_until_it_is_revoked() {
        let house = House::new().await;
        let out = house
            .run("create --role front_desk --property LIS01,LIS01 --expires 90d --json")
            .await
            .unwrap();
        let made: Value = serde_json::from_str(&out).unwrap();
        assert_eq!(made.as_object().unwrap().len(), 2);
        let key = ApiKey::parse(made["key"].as_str().unwrap()).unwrap();
        let caller = house.principals.authenticate(&key).await.unwrap();
        assert_eq!(caller.principal.to_string(), made["id"]);
        assert_eq!(caller.scope.len(), 1);

        let list: Value = serde_json::from_str(&house.run("list --json").await.unwrap()).unwrap();
        assert_eq!(list["items"][0]["status"], "active");
        assert_eq!(list["items"][0]["expires_at"], "2026-06-02T12:00:00Z");
        let table = house.run("list").await.unwrap();
        assert!(table.contains(&caller.principal.to_string()) && table.contains("front_desk"));
        assert!(!table.contains(made["key"].as_str().unwrap()) && !list.to_string().contains("gv_"));

        let id = caller.principal;
        assert_eq!(
            house.run(&format!("revoke {id}")).await.unwrap(),
            format!("{id} revoked\n")
        );
        let again = house.run(&format!("revoke {id} --json")).await.unwrap();
        assert_eq!(
            serde_json::from_str::<Value>(&again).unwrap()["outcome"],
            "was_revoked_before"
        );
        assert!(house.principals.authenticate(&key).await.is_err());
    }

    #[tokio::test]
    async fn what_cannot_work_is_wrong_usage_and_makes_nothing() {
        let house = House::new().await;
        for (line, told) in [
            ("create --role chef --property LIS01", "role chef"),
            ("create --role admin --property OPO01", "[[property]] OPO01"),
            (
                "create --role admin --property LIS01 --expires 2026-03-04T12:00:00Z",
                "later moment",
            ),
            ("create --role admin --property LIS01 --name \u{7}", "a name"),
        ] {
            let error = house.run(line).await.unwrap_err();
            assert!(
                error.is_usage() && error.to_string().contains(told),
                "{line}: {error}"
            );
        }
        let error = house
            .run(&format!("revoke {}", PrincipalId::random()))
            .await
            .unwrap_err();
        assert!(!error.is_usage(), "{error}");
        let nobody = format!("attest {} --kind training --until 30d", PrincipalId::random());
        let error = house.run(&nobody).await.unwrap_err();
        assert!(error.to_string().contains("no principal"), "{error}");
        assert_eq!(house.run("list --json").await.unwrap(), "{\"items\":[]}\n");
    }

    #[test]
    fn expiries_are_days_hours_or_a_moment() {
        assert_eq!("90d".parse(), Ok(Expiry::After(TimeDelta::days(90))));
        assert_eq!("12h".parse(), Ok(Expiry::After(TimeDelta::hours(12))));
        assert_eq!(
            "2027-01-31".parse(),
            Ok(Expiry::At("2027-01-31T00:00:00Z".parse().unwrap()))
        );
        assert!(matches!("2027-01-31T00:00:00+08:00".parse(), Ok(Expiry::At(_))));
        for wrong in [
            "",
            "d",
            "0d",
            "-1d",
            "1.5d",
            "90",
            "90m",
            "99999d",
            "tomorrow",
            "2027-02-30",
            "31.1.2027",
            "é",
        ] {
            assert!(wrong.parse::<Expiry>().is_err(), "{wrong}");
        }
    }
}
