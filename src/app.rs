//! Floor 8: all that a request needs, built once from the configuration.

mod checks;
mod error;
mod pages;

use std::{sync::Arc, time::Duration};

use chrono::{Months, TimeDelta};

use crate::{
    access::{
        Access, Attestations, Budgets, Issuers, Known, Lifetime, OpenId, Principals, SecretHashKey, Sessions,
        operator,
    },
    audit::{
        Act, AuditError, Event, Log,
        tlog::{
            LogError, Sequencer, Step, Stored,
            ageing::{Ageing, Retention},
            cosignature::Cosigner,
            note::Signer,
            remote::Remote,
            witness::Witness,
        },
    },
    base::{Clock, RequestId},
    config::{AgentConfig, Config, ProviderKind, WebhookConfig, WitnessConfig},
    consent::Rules,
    console::{Console, Keepers, Standings, area},
    crypto::MacKey,
    erasure::{Eraser, Pace, Processor},
    guest::{KEPT_YEARS, Matcher, Parts, Thresholds, Vault, kinds},
    jobs::{Courier, EventDesk},
    keys::{Keyring, MacPurpose, RootKeySource},
    policy::{Desk, Policies, PolicySource},
    portal::Portal,
    requests::{
        Requests,
        agents::{Agent, AgentDesk, House},
    },
    retention,
    store::{Store, StoreError, StoreUrl, Which},
    web::{RateLimits, pages::Area},
};

pub use checks::{examine_guests, examine_log, strange_words};
pub use error::AppError;
pub use pages::Pages;

/// How long what stops waits for the log: whoever keeps the process running kills it soon after.
const SETTLING: Duration = Duration::from_secs(10);

/// Everything, opened. Cheap to clone.
#[derive(Clone)]
pub struct App {
    /// Guests: data, keys, policy, log, clock.
    pub vault: Vault,
    /// Who calls.
    pub access: Access,
    /// Where wrapped keys lie.
    pub key_store: Store,
    /// What numbers events and brings them to receivers; `serve` runs it.
    pub courier: Arc<Courier>,
    /// What gives events their index in the provable log; `serve` runs it.
    pub sequencer: Arc<Sequencer>,
    /// Who cosigns the log; `serve` asks them.
    pub witnesses: Arc<[Witness]>,
    /// Whether the log's beginning may be removed.
    pub ageing: Ageing,
    /// How long what is kept.
    pub retention: Arc<retention::Rules>,
    /// Who has to answer when a guest is erased.
    pub processors: Arc<[Processor]>,
    /// Whom agents speak to that bring requests.
    pub agents: Option<Arc<House>>,
    /// How retention runs are done.
    pub pace: Pace,
    /// For how many days a backup of the key store is kept.
    pub backup_days: u32,
    /// How guests and staff reach the pages.
    pub pages: Pages,
    /// The guests' pages, unless they are off.
    pub portal: Option<Portal>,
    /// How people sign in to the console; what its pages have around them.
    pub console: Arc<Door>,
}

/// How people sign in to the console.
pub struct Door {
    provider: Option<Arc<OpenId>>,
    anybody: bool,
    keepers: Arc<Keepers>,
    standings: Arc<Standings>,
    /// What its pages have in common.
    pub area: Area,
}

/// The door of the console, as it is configured.
fn door(config: &Config, clock: &Clock, witnesses: &[Witness], pages: &Pages) -> Result<Door, AppError> {
    let sign_in = config.console.sign_in.as_ref();
    let provider = sign_in.map(|sign_in| OpenId::new(sign_in.clone(), clock.clone()));
    let origin = sign_in.map(|sign_in| Arc::from(sign_in.address.trim_end_matches('/')));
    Ok(Door {
        provider: provider.transpose()?.map(Arc::new),
        anybody: config.console.anybody,
        standings: Arc::default(),
        keepers: Arc::new(Keepers {
            mirror: config.audit.mirror.clone(),
            witnesses: witnesses
                .iter()
                .map(|witness| witness.name().to_owned())
                .collect(),
            retention_days: config.audit.retention_days,
        }),
        area: area(Arc::clone(&pages.brand), pages.secure, origin),
    })
}

/// The configured root key.
#[must_use]
pub fn root_key(config: &Config) -> RootKeySource {
    match config.keys.provider {
        ProviderKind::File => RootKeySource::File(config.key_file()),
        ProviderKind::Passphrase => RootKeySource::Passphrase(
            config
                .keys
                .passphrase_file
                .clone()
                .unwrap_or_else(|| config.key_file()),
        ),
    }
}

/// The configured policy.
///
/// # Errors
/// What is wrong with it.
pub fn load_policies(config: &Config) -> Result<Arc<Policies>, AppError> {
    let source = config
        .policies
        .dir
        .clone()
        .map_or(PolicySource::BuiltIn, PolicySource::Folder);
    Ok(Arc::new(Policies::load(source, &config.properties()?)?))
}

/// From how many bits on two records are taken for one guest.
#[must_use]
pub fn thresholds(config: &Config) -> Thresholds {
    Thresholds {
        link: config.identity.link_bits(),
        ask: config.identity.ask_bits,
    }
}

/// Opens the two databases, their tables not yet touched.
///
/// # Errors
/// When one of them cannot be reached.
pub async fn open_stores(config: &Config) -> Result<(Store, Store), AppError> {
    let url: StoreUrl = config.database_url().parse().map_err(AppError::Data)?;
    let keys_url: StoreUrl = match config.keys_url() {
        Some(text) => text.parse().map_err(AppError::KeyStore)?,
        None => url.default_keys(),
    };
    let connections = config.database.max_connections;
    let data = Store::open(&url, connections).await.map_err(AppError::Data)?;
    let keys = Store::open(&keys_url, connections)
        .await
        .map_err(AppError::KeyStore)?;
    Ok((data, keys))
}

/// Whether nothing was ever stored: only then may keys be made.
///
/// # Errors
/// When the database cannot be read.
pub async fn is_fresh(store: &Store) -> Result<bool, StoreError> {
    let mut conn = store.read().await?;
    Ok(conn.guests_count().await? == 0 && conn.audit_count().await? == 0)
}

/// Opens the provable log, with the key that signs it.
async fn open_log(
    config: &Config,
    store: &Store,
    keys: &Keyring,
    clock: &Clock,
) -> Result<Sequencer, AppError> {
    let begun = Stored::new(store.clone()).origin().await?;
    let key = keys.log_key(begun.is_none()).await?;
    let origin = config.audit.origin.clone().or(begun);
    let signer = Signer::new(origin, key).map_err(LogError::from)?;
    Ok(Sequencer::open(store.clone(), Arc::new(signer), clock.clone()).await?)
}

/// Whether the log's beginning may be removed, by the configuration.
fn ageing(config: &Config, clock: &Clock) -> Ageing {
    match config.audit.retention_days {
        None => Ageing::Never,
        Some(days) => Ageing::After(Retention::new(clock.clone(), days, Months::new(12 * KEPT_YEARS))),
    }
}

/// Who cosigns the log.
///
/// # Errors
/// Which entry cannot be used, and why.
pub fn witnesses(config: &Config) -> Result<Arc<[Witness]>, AppError> {
    let witness = |entry: &WitnessConfig| {
        let failed = |error: &dyn std::error::Error| AppError::Witness(entry.url.clone(), error.to_string());
        let remote = Remote::new(&entry.url, None).map_err(|error| failed(&error))?;
        let cosigner = Cosigner::parse(&entry.vkey).map_err(|_| {
            let cause = "vkey is no verifier key of the type cosignature/v1 (NAME+ID+KEY)";
            AppError::Witness(entry.url.clone(), cause.to_owned())
        })?;
        Ok(Witness::new(remote, cosigner))
    };
    config.audit.witness.iter().map(witness).collect()
}

/// The webhooks that answer when a guest is erased.
fn processors(config: &Config) -> Arc<[Processor]> {
    let one = |hook: &WebhookConfig| {
        Some(Processor {
            name: hook.name.clone(),
            key: hook.key()?,
            within: TimeDelta::days(hook.acknowledges_within_days.into()),
        })
    };
    config.webhooks.iter().filter_map(one).collect()
}

/// The agents that bring requests.
fn agents(config: &Config) -> Option<Arc<House>> {
    let one = |agent: &AgentConfig| {
        Some(Agent {
            id: agent.id.clone(),
            key: agent.key()?,
            callbacks: agent.callbacks.clone(),
        })
    };
    Some(Arc::new(House {
        business: config.drp.business_id.clone(),
        property: config.drp.property.clone()?,
        agents: config.drp.agents.iter().filter_map(one).collect(),
    }))
}

/// The key under which secrets of API keys are hashed.
struct HashKey(Arc<Keyring>);

impl SecretHashKey for HashKey {
    fn secret_hash_key(&self) -> &MacKey {
        self.0.mac(MacPurpose::ApiKeyHash)
    }
}

impl App {
    /// Opens everything, brings tables up to date, makes keys for a new vault.
    ///
    /// # Errors
    /// With what to do about it.
    pub async fn open(config: &Config, clock: Clock) -> Result<Self, AppError> {
        let policies = load_policies(config)?;
        let strange = strange_words(config, &policies.current(), &config.properties()?);
        if !strange.is_empty() {
            return Err(AppError::Words(strange));
        }
        let (store, key_store) = open_stores(config).await?;
        store.refuse_unsafe_pooler().await.map_err(AppError::Data)?;
        key_store
            .refuse_unsafe_pooler()
            .await
            .map_err(AppError::KeyStore)?;
        let app = Self::assemble(config, clock, (store, key_store), policies).await?;
        let mut conn = app.vault.store.read().await.map_err(AppError::Data)?;
        let quarantined = conn.quarantined_at().await.map_err(AppError::Data)?;
        drop(conn);
        let refused = if quarantined.is_some() {
            Err(AppError::Quarantine)
        } else if config.keys.accept_loss {
            Ok(())
        } else {
            examine_guests(&app.vault.store, &app.vault.keys).await
        };
        if let Err(error) = refused {
            app.close().await;
            return Err(error);
        }
        Ok(app)
    }

    /// The same over databases and a policy that are open already.
    ///
    /// # Errors
    /// As [`App::open`].
    pub async fn assemble(
        config: &Config,
        clock: Clock,
        (store, key_store): (Store, Store),
        policies: Arc<Policies>,
    ) -> Result<Self, AppError> {
        store.migrate(Which::Data).await.map_err(AppError::Data)?;
        key_store.migrate(Which::Keys).await.map_err(AppError::KeyStore)?;
        let fresh = is_fresh(&store).await.map_err(AppError::Data)?;
        let keys = Arc::new(Keyring::open(&root_key(config), key_store.clone(), fresh, clock.clone()).await?);
        // Looked at again: another first start may have begun meanwhile.
        if fresh && keys.has_data_keys().await? && is_fresh(&store).await.map_err(AppError::Data)? {
            return Err(AppError::NoData);
        }
        examine_log(config, &store, &keys).await?;
        let sequencer = Arc::new(open_log(config, &store, &keys, &clock).await?);
        let witnesses = witnesses(config)?;
        let ageing = ageing(config, &clock);
        let log = Log::start(store.clone());
        let hash_key: Arc<dyn SecretHashKey> = Arc::new(HashKey(Arc::clone(&keys)));
        let principals = Principals::new(store.clone(), log.clone(), hash_key, clock.clone());
        let issuers = Issuers::open(&config.issuers, clock.clone()).await?;
        let properties = Arc::new(config.properties()?);
        let courier = Courier::open(
            store.clone(),
            clock.clone(),
            (&config.events, &config.webhooks),
            &properties,
        )?;
        let retention = Arc::new(retention::Rules::load(config.policies.dir.as_deref())?);
        let vault = Vault::new(Parts {
            store,
            log: log.clone(),
            keys,
            policies,
            clock: clock.clone(),
            properties,
            rules: Arc::new(Rules::load(config.policies.dir.as_deref())?),
            budgets: Arc::new(Budgets::new(config.budgets.clone(), clock.clone())),
            matcher: Arc::new(Matcher::new(thresholds(config), config.identity.merge_bridged)),
            bare_yes: config.consent.bare_yes,
            overdue: retention::overdue(&retention),
        });
        if let Err(error) = vault.load_weights().await {
            tracing::warn!(%error, "the learnt weights cannot be read; the shipped ones decide");
        }
        let server = &config.server;
        let rates = RateLimits::new(server.calls_per_second_principal, server.calls_per_second_address);
        // Tokens that say themselves until when their holder is attested are not asked about again.
        let for_tokens = !config
            .issuers
            .iter()
            .any(|issuer| issuer.attested_claim.is_some());
        let register = (vault.store.clone(), log.clone(), clock.clone());
        let attestations = Attestations::new(config.attestations.clone(), for_tokens, register);
        let access = Access {
            attestations: Arc::new(attestations),
            rates: Arc::new(rates),
            principals: Arc::new(principals),
            issuers: Arc::new(issuers),
            log,
            clock,
        };
        let pages = Pages::of(config, &vault.properties);
        let console = Arc::new(door(config, &vault.clock, &witnesses, &pages)?);
        // Loading the numbering plans of all countries takes a tenth of a second: now, not in the first request.
        kinds::warm_up();
        let mut app = Self {
            vault,
            access,
            key_store,
            courier: Arc::new(courier),
            sequencer,
            witnesses,
            ageing,
            retention,
            processors: processors(config),
            agents: agents(config),
            pace: Pace {
                approve_above: config.retention.approve_above.into(),
                every: TimeDelta::hours(config.retention.every_hours.into()),
                guests_per_second: config.retention.guests_per_second,
            },
            backup_days: config.backup.keep_days,
            pages,
            portal: None,
            console,
        };
        if config.portal.enabled {
            let brand = Arc::clone(&app.pages.brand);
            app.portal = Some(Portal::open(app.requests(), &config.portal, brand)?);
        }
        Ok(app)
    }

    /// What errands are checked against.
    #[must_use]
    pub fn known(&self) -> Known {
        let policies = Arc::clone(&self.vault.policies);
        Known {
            properties: Arc::clone(&self.vault.properties),
            purpose: Box::new(move |purpose| policies.current().purpose(purpose).is_some()),
            holds_card_number: kinds::holds_card_number,
        }
    }

    /// What shows the policy, and follows its folder.
    #[must_use]
    pub fn desk(&self) -> Desk {
        Desk {
            policies: Arc::clone(&self.vault.policies),
            log: self.vault.log.clone(),
            store: self.vault.store.clone(),
            clock: self.vault.clock.clone(),
        }
    }

    /// What shows events to listeners.
    #[must_use]
    pub fn event_desk(&self) -> EventDesk {
        EventDesk {
            store: self.vault.store.clone(),
            policies: Arc::clone(&self.vault.policies),
            log: self.vault.log.clone(),
            clock: self.vault.clock.clone(),
            properties: Arc::clone(&self.vault.properties),
            courier: Arc::clone(&self.courier),
        }
    }

    /// Puts on record that the log in the database was changed by hand.
    ///
    /// # Errors
    /// When it cannot be recorded.
    pub async fn report_altered_log(&self) -> Result<(), AuditError> {
        self.report(Act::DamageFound, "log_altered").await
    }

    /// Puts on record that a witness refused to cosign the log, and why.
    ///
    /// # Errors
    /// When it cannot be recorded.
    pub async fn report_refusal(&self, why: &'static str) -> Result<(), AuditError> {
        self.report(Act::WitnessRefused, why).await
    }

    /// Puts on record that the operator takes entries out of the log.
    ///
    /// # Errors
    /// When it cannot be recorded; then nothing may be shown.
    pub async fn report_export(&self) -> Result<(), AuditError> {
        let by = operator().map_err(|_| AuditError)?;
        let now = self.vault.clock.now();
        let event = Event::by(&by, Act::ExportAudit, RequestId::random(), now);
        self.vault.log.record(event, ()).await.map(drop)
    }

    async fn report(&self, act: Act, outcome: &'static str) -> Result<(), AuditError> {
        let by = operator().map_err(|_| AuditError)?;
        let now = self.vault.clock.now();
        let event = Event::by(&by, act, RequestId::random(), now).denied(outcome);
        self.vault.log.record(event, ()).await.map(drop)
    }

    /// The log as the database has it, that may begin late only as the configuration says.
    #[must_use]
    pub fn stored_log(&self) -> Stored {
        Stored::new(self.vault.store.clone()).ageing(self.ageing.clone())
    }

    /// What works on requests of guests.
    #[must_use]
    pub fn requests(&self) -> Requests {
        Requests {
            eraser: Eraser {
                vault: self.vault.clone(),
                sequencer: Arc::clone(&self.sequencer),
                rules: Arc::clone(&self.retention),
                processors: Arc::clone(&self.processors),
                pace: self.pace,
                backup_days: self.backup_days,
            },
        }
    }

    /// The desk of agents that bring requests.
    #[must_use]
    pub fn agent_desk(&self) -> AgentDesk {
        AgentDesk {
            requests: self.requests(),
            house: self.agents.clone(),
        }
    }

    /// What the pages of the console need.
    #[must_use]
    pub fn console(&self) -> Console {
        Console {
            vault: self.vault.clone(),
            requests: self.requests(),
            desk: self.desk(),
            sessions: Sessions::new(
                self.vault.store.clone(),
                self.vault.clock.clone(),
                Lifetime::STAFF,
            ),
            attestations: Arc::clone(&self.access.attestations),
            provider: self.console.provider.clone(),
            anybody: self.console.anybody,
            sequencer: Arc::clone(&self.sequencer),
            keepers: Arc::clone(&self.console.keepers),
            standings: Arc::clone(&self.console.standings),
            courier: Arc::clone(&self.courier),
        }
    }

    /// The same as [`App::settle_log`] as far as it is quickly done: a stop must not wait for what a long import left.
    pub async fn settle_log_soon(&self) {
        if tokio::time::timeout(SETTLING, self.settle_log()).await.is_err() {
            tracing::info!("the log is behind; the next start goes on with it");
        }
    }

    /// Gives what the last requests left an index, and lets another process grow the log at once.
    pub async fn settle_log(&self) {
        let settled = async {
            while matches!(self.sequencer.step().await?, Step::Grown(_)) {}
            self.sequencer.leave().await
        };
        if let Err(error) = settled.await {
            tracing::warn!(%error, "the log is behind; the next start goes on with it");
        }
    }

    /// Lets running statements finish and closes both databases.
    pub async fn close(&self) {
        self.vault.store.close().await;
        self.key_store.close().await;
    }
}
