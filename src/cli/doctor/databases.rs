//! What lies in the databases: tables, keys, values; and what lies between.

use std::sync::Arc;

use super::{Findings, files::CLOCK_TOLERANCE};
use crate::{
    access::Budgets,
    app::root_key,
    app::thresholds,
    audit::Log,
    base::Clock,
    config::BudgetsConfig,
    config::Config,
    consent::Rules,
    guest::{Matcher, Parts, Vault},
    keys::{Keyring, KeysError},
    policy::Policies,
    store::{Pooler, Store, StoreError, StoreUrl, Tables, Which},
};

/// Looks at both databases, then at what they hold.
pub(super) async fn examine(
    config: &Config,
    policies: Option<Arc<Policies>>,
    clock: &Clock,
    findings: &mut Findings,
) {
    let url: StoreUrl = match config.database_url().parse() {
        Ok(url) => url,
        Err(error) => return findings.fail("database", error, "correct database.url"),
    };
    let keys_url: StoreUrl = match config
        .keys_url()
        .map_or_else(|| Ok(url.default_keys()), |text| text.parse())
    {
        Ok(url) => url,
        Err(error) => return findings.fail("key store", error, "correct keys.url"),
    };
    let data = database("database", &url, Which::Data, findings).await;
    let keys = database("key store", &keys_url, Which::Keys, findings).await;
    if let Some(data) = &data {
        clock_of_database(data, clock, findings).await;
    }
    match (data, keys) {
        (Some(data), Some(keys)) => {
            hold(config, policies, clock, (&data, &keys), findings).await;
            data.close().await;
            keys.close().await;
        }
        (Some(one), None) | (None, Some(one)) => one.close().await,
        (None, None) => {}
    }
}

/// One database; `None` when it cannot be worked with.
async fn database(
    check: &'static str,
    url: &StoreUrl,
    which: Which,
    findings: &mut Findings,
) -> Option<Store> {
    if let StoreUrl::Sqlite(path) = url
        && !path.exists()
    {
        findings.ok(
            check,
            format!("{} is not there yet; the first start makes it", path.display()),
        );
        return None;
    }
    let store = match Store::open(url, 2).await {
        Ok(store) => store,
        Err(error) => {
            findings.fail(
                check,
                Told(&error),
                "check that the server runs, the URL, the user and the network",
            );
            return None;
        }
    };
    // The pooler first: behind a bad one no other answer can be believed.
    let sound = pooler(check, &store, findings).await
        && tables(check, &store, which, findings).await
        && integrity(check, &store, findings).await;
    if sound {
        return Some(store);
    }
    store.close().await;
    None
}

async fn tables(check: &'static str, store: &Store, which: Which, findings: &mut Findings) -> bool {
    match store.tables(which).await {
        Ok(Tables::Current) => findings.ok(check, format!("{}: its tables are up to date", store.name())),
        Ok(Tables::Absent) => findings.warn(
            check,
            "has no tables yet",
            "the first `guest-vault serve` makes them",
        ),
        Ok(Tables::Behind(count)) => {
            let told = format!("{count} migrations were not run yet");
            findings.warn(check, told, "`guest-vault serve` runs them; make a backup first");
        }
        Ok(Tables::Newer) => {
            findings.fail(
                check,
                "was made by a newer guest-vault",
                "start that version, or restore a backup",
            );
        }
        Err(error) => findings.fail(
            check,
            Told(&error),
            "check that the server runs and may be reached",
        ),
    }
    matches!(store.tables(which).await, Ok(Tables::Current))
}

async fn integrity(check: &'static str, store: &Store, findings: &mut Findings) -> bool {
    let wrong = match store.integrity().await {
        Ok(wrong) if wrong.is_empty() => return true,
        Ok(wrong) => wrong.join("; "),
        Err(error) => Told(&error).to_string(),
    };
    findings.fail(
        check,
        format!("the file is damaged: {wrong}"),
        "stop the vault and restore the last backup",
    );
    false
}

async fn pooler(check: &'static str, store: &Store, findings: &mut Findings) -> bool {
    match store.pooler().await {
        Ok(Pooler::Absent) => return true,
        Ok(Pooler::Safe) => {
            findings.ok(
                check,
                "a pooler lies in front; it keeps prepared statements apart",
            );
            return true;
        }
        Ok(Pooler::Unsafe) => {
            let advice =
                "use PgBouncer 1.21 or later with max_prepared_statements = 200, or connect directly";
            findings.fail(check, StoreError::Pooler, advice);
        }
        Err(error) => findings.fail(
            check,
            Told(&error),
            "check that the server takes more connections",
        ),
    }
    false
}

async fn clock_of_database(store: &Store, clock: &Clock, findings: &mut Findings) {
    const ADVICE: &str = "set the clocks, best by NTP: records, expiry and stay windows depend on them";
    let now = clock.now();
    if let Ok(Some(server)) = store.server_time().await
        && (server - now).abs() > CLOCK_TOLERANCE
    {
        findings.fail(
            "clock",
            format!("this machine says {now}, PostgreSQL says {server}"),
            ADVICE,
        );
    }
    if let Ok(Some(newest)) = store.newest_entry().await
        && newest - now > CLOCK_TOLERANCE
    {
        findings.fail(
            "clock",
            format!("it says {now}, but the log has an entry of {newest}"),
            ADVICE,
        );
    }
}

/// Whether the keys open, and then, with the policies at hand, every value.
async fn hold(
    config: &Config,
    policies: Option<Arc<Policies>>,
    clock: &Clock,
    stores: (&Store, &Store),
    findings: &mut Findings,
) {
    let (data, key_store) = stores;
    let keyring = match Keyring::open(&root_key(config), key_store.clone(), false, clock.clone()).await {
        Ok(keyring) => keyring,
        Err(KeysError::EmptyKeyStore) => return no_keys(data, findings).await,
        Err(error) => {
            let advice = "put the right root key back; nothing is ever made anew over existing data";
            return findings.fail("keys", error, advice);
        }
    };
    findings.ok("keys", "the root key opens every vault key");
    let rules = Rules::load(config.policies.dir.as_deref());
    if let (Some(policies), Ok(properties), Ok(rules)) = (policies, config.properties(), rules) {
        let vault = Vault::new(Parts {
            store: data.clone(),
            log: Log::start(data.clone()),
            keys: Arc::new(keyring),
            policies,
            clock: clock.clone(),
            properties: Arc::new(properties),
            rules: Arc::new(rules),
            budgets: Arc::new(Budgets::new(BudgetsConfig::default(), clock.clone())),
            matcher: Arc::new(Matcher::new(thresholds(config), config.identity.merge_bridged)),
            bare_yes: config.consent.bare_yes,
            overdue: None,
        });
        values(&vault, findings).await;
        notices(&vault, findings).await;
    }
}

async fn no_keys(data: &Store, findings: &mut Findings) {
    let guests = match data.read().await {
        Ok(mut conn) => conn.guests_count().await,
        Err(error) => Err(error),
    };
    if matches!(guests, Ok(0)) {
        findings.warn(
            "keys",
            "the key store holds no keys yet",
            "the first `guest-vault serve` makes them",
        );
    } else {
        let told = "the key store holds no keys, but there are guests";
        findings.fail(
            "keys",
            told,
            "restore the key store's backup; without it nothing can be read",
        );
    }
}

/// Whether guests can agree to what rests on their consent.
async fn notices(vault: &Vault, findings: &mut Findings) {
    const CHECK: &str = "notices";
    let bare = match vault.purposes_without_notice().await {
        Ok(bare) => bare,
        Err(error) => return findings.fail(CHECK, error, "see the log"),
    };
    if bare.is_empty() {
        return findings.ok(CHECK, "every purpose that rests on consent has one");
    }
    let told = format!("none is published for {}", bare.join(", "));
    let advice = if vault.bare_yes {
        "publish them: what guests agree to now cannot be shown later, and ends with the first notice"
    } else {
        "publish them (POST /v1/notices); until then nobody can agree"
    };
    findings.warn(CHECK, told, advice);
}

async fn values(vault: &Vault, findings: &mut Findings) {
    match vault.inspect().await {
        Ok(found) if found.damaged == 0 => findings.ok("values", format!("all {} open", found.values)),
        Ok(found) => {
            let told = format!(
                "{} of {} do not open: {}",
                found.damaged,
                found.values,
                found.places.join("; ")
            );
            findings.fail(
                "values",
                told,
                "they were changed from outside; restore these rows from a backup",
            );
        }
        Err(error) => findings.fail("values", error, "see the log"),
    }
}

/// A store's error with its cause: the operator is told what the database said.
struct Told<'e>(&'e StoreError);

impl std::fmt::Display for Told<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}", self.0)?;
        match std::error::Error::source(self.0) {
            Some(cause) => write!(f, ": {cause}"),
            None => Ok(()),
        }
    }
}
