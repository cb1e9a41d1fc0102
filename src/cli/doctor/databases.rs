//! What lies in the databases: tables, keys, values; and what lies between.

use std::sync::Arc;

use chrono::TimeDelta;

use super::Findings;
use crate::{
    access::Budgets,
    app::{AppError, examine_guests, examine_log, is_fresh, root_key, thresholds},
    audit::{
        Log,
        tlog::{Stored, mirror::Mirror, note::Verifier},
    },
    base::{ASTRAY, Clock},
    config::BudgetsConfig,
    config::Config,
    consent::Rules,
    erasure::{OLDER_DATA, holds_mark},
    guest::{Matcher, Parts, Vault},
    keys::{Keyring, KeysError},
    policy::Policies,
    store::{Pooler, Store, StoreError, StoreUrl, Tables, Which},
};

/// Events get their place in the log within a second.
const WAITING: TimeDelta = TimeDelta::seconds(10);

/// So many events are named.
const NAMED: usize = 5;

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
        (Some(data), None) => {
            if absent(&keys_url) && !matches!(is_fresh(&data).await, Ok(true)) {
                no_keys(&data, findings).await;
            }
            data.close().await;
        }
        (None, Some(keys)) => {
            if absent(&url) {
                no_data(config, &keys, clock, findings).await;
            }
            keys.close().await;
        }
        (None, None) => {}
    }
}

/// Whether it is a file that is not there.
fn absent(url: &StoreUrl) -> bool {
    matches!(url, StoreUrl::Sqlite(path) if !path.exists())
}

/// Keys of guests without a database are no new vault.
async fn no_data(config: &Config, keys: &Store, clock: &Clock, findings: &mut Findings) {
    let keyring = Keyring::open(&root_key(config), keys.clone(), false, clock.clone()).await;
    let Ok(keyring) = keyring else { return };
    if matches!(keyring.has_data_keys().await, Ok(true)) {
        findings.fail(
            "keys",
            AppError::NoData,
            "a vault is never begun over another's keys",
        );
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
                error.told(),
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
        Ok(Tables::Changed(version)) => {
            let told = format!("migration {version} was run in another form than this program has it");
            findings.fail(
                check,
                told,
                "start the guest-vault that made the tables, or restore a backup",
            );
        }
        Err(error) => findings.fail(
            check,
            error.told(),
            "check that the server runs and may be reached",
        ),
    }
    matches!(store.tables(which).await, Ok(Tables::Current))
}

async fn integrity(check: &'static str, store: &Store, findings: &mut Findings) -> bool {
    let wrong = match store.integrity().await {
        Ok(wrong) if wrong.is_empty() => return true,
        Ok(wrong) => wrong.join("; "),
        Err(error) => error.told().to_string(),
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
            error.told(),
            "check that the server takes more connections",
        ),
    }
    false
}

async fn clock_of_database(store: &Store, clock: &Clock, findings: &mut Findings) {
    const ADVICE: &str = "set the clocks, best by NTP: records, expiry and stay windows depend on them";
    let now = clock.now();
    if let Ok(Some(server)) = store.server_time().await
        && (server - now).abs() > ASTRAY
    {
        findings.fail(
            "clock",
            format!("this machine says {now}, PostgreSQL says {server}"),
            ADVICE,
        );
    }
    if let Ok(Some(newest)) = store.newest_entry().await
        && newest - now > ASTRAY
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
    match examine_log(config, data, &keyring).await {
        Err(AppError::Log(error)) => {
            return findings.fail("log", error, "nothing is served until that is done");
        }
        Err(error) => {
            return findings.fail("keys", error, "nothing is served until they belong together");
        }
        Ok(Some(verifier)) => {
            one_time(data, &keyring, &verifier, findings).await;
            mirror(config, data, verifier, findings).await;
        }
        Ok(None) => {}
    }
    quarantine(data, findings).await;
    if matches!(keyring.has_data_keys().await, Ok(true)) && matches!(is_fresh(data).await, Ok(true)) {
        return findings.fail(
            "keys",
            AppError::NoData,
            "a vault is never begun over another's keys",
        );
    }
    match examine_guests(data, &keyring).await {
        Err(error) if config.keys.accept_loss => {
            findings.warn(
                "keys",
                error,
                "keys.accept_loss is set: the start does not refuse",
            );
        }
        Err(error) => findings.fail("keys", error, "the start refuses until that is done"),
        Ok(()) => findings.ok("keys", "the root key opens every vault key"),
    }
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
        waiting(data, clock, findings).await;
        notices(&vault, findings).await;
    }
}

/// Whether the mirror holds nothing that the database has not: else the start refuses.
async fn mirror(config: &Config, data: &Store, verifier: Verifier, findings: &mut Findings) {
    const CHECK: &str = "mirror";
    let Some(folder) = &config.audit.mirror else {
        return;
    };
    match Mirror::new(folder.clone(), verifier)
        .check(&Stored::new(data.clone()))
        .await
    {
        Ok(()) => findings.ok(CHECK, "the database has all that it holds"),
        Err(error) if error.is_alarm() => {
            findings.fail(CHECK, error, "the start refuses until they agree");
        }
        Err(error) => findings.fail(CHECK, error, "the vault serves, but the log has no sound copy"),
    }
}

/// Whether a restored database waits to be held against the log: else the start refuses.
async fn quarantine(data: &Store, findings: &mut Findings) {
    let state = async { data.read().await?.quarantined_at().await };
    if matches!(state.await, Ok(Some(_))) {
        findings.fail(
            "restore",
            AppError::Quarantine,
            "nothing is served until that is done",
        );
    }
}

/// Whether the data is as new as its keys.
async fn one_time(data: &Store, keys: &Keyring, verifier: &Verifier, findings: &mut Findings) {
    match holds_mark(keys, &Stored::new(data.clone()), verifier).await {
        Ok(true) => {}
        Ok(false) => findings.fail(
            "restore",
            OLDER_DATA,
            "stop, and put the newest database back, or run `guest-vault restore --in-place --log DIR` with the mirror of the \
             log; until then keys that seem to belong to nobody are kept",
        ),
        Err(error) => findings.fail("restore", error, "see the databases"),
    }
}

async fn no_keys(data: &Store, findings: &mut Findings) {
    if matches!(is_fresh(data).await, Ok(true)) {
        findings.warn(
            "keys",
            "the key store holds no keys yet",
            "the first `guest-vault serve` makes them",
        );
    } else {
        let told = "the key store holds no keys, but there is data that only its keys open";
        findings.fail(
            "keys",
            told,
            "restore the key store's backup; without it nothing can be read",
        );
    }
}

/// Whether the log grows: what happened a while ago has its place in it.
async fn waiting(data: &Store, clock: &Clock, findings: &mut Findings) {
    const CHECK: &str = "log";
    let (since, ahead) = match Stored::new(data.clone()).waiting().await {
        Ok(found) => found,
        Err(error) => return findings.fail(CHECK, error, "see the log"),
    };
    if ahead {
        let told = "a writer's next number is beyond its events: some would never be logged";
        let advice = "the database was changed by hand; run `guest-vault audit verify`";
        return findings.fail(CHECK, told, advice);
    }
    match Stored::new(data.clone()).all_passed_over(NAMED).await {
        Err(error) => return findings.fail(CHECK, error, "see the log"),
        Ok(passed) if !passed.is_empty() => {
            let named: Vec<String> = passed.iter().map(ToString::to_string).collect();
            let told = format!(
                "events have no entry and would never get one: {}",
                named.join(", ")
            );
            let advice = "their rows were made or changed by hand; run `guest-vault audit verify`";
            return findings.fail(CHECK, told, advice);
        }
        Ok(_) => {}
    }
    match since {
        Some(since) if clock.now() - since > WAITING => findings.warn(
            CHECK,
            format!("events since {since} have no place in it yet"),
            "they get it while the vault runs; if it does, its log says why they did not",
        ),
        _ => findings.ok(CHECK, "every event has its place"),
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
