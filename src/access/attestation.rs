//! A role is usable only while its holder's confidentiality agreement and training are current; a third party only for
//! the recipient its contract names. Off unless configured; a lapse holds from the next request on.

use std::{
    collections::{BTreeMap, HashMap},
    fmt,
};

use actix_web::http::header::HeaderMap;
use chrono::{DateTime, Utc};

use super::{AccessError, StaffId};
use crate::{
    audit::{Act, Event, Log},
    base::{Caller, Clock, Credential, PrincipalId, RequestId, from_micros, micros},
    config::AttestationsConfig,
    store::{AsyncAsk, Conn, Gather, Store, StoreError, Unanswered},
};

/// What stands before the recipient that a third party's contract names.
const RECIPIENT: &str = "recipient:";
const THIRD_PARTY: &str = "third_party:";
/// The most holders of one look-up.
const MOST: usize = 32;

/// Who holds an attestation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Holder {
    /// A member of staff, whatever credential it uses.
    Staff(StaffId),
    /// A principal: a service, a post, a partner.
    Principal(PrincipalId),
}

impl fmt::Display for Holder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Staff(staff) => write!(f, "staff:{}", String::from(staff.clone())),
            Self::Principal(principal) => write!(f, "principal:{principal}"),
        }
    }
}

/// A line of the register.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Attested {
    /// `staff:<id>` or `principal:<id>`.
    pub holder: String,
    /// What: `confidentiality`, `training`, `recipient:<name>` …
    pub kind: String,
    /// Until when.
    pub valid_until: DateTime<Utc>,
}

/// The register of attestations, and what is asked of it.
pub struct Attestations {
    config: AttestationsConfig,
    /// Tokens that say themselves until when their holder is attested are checked where they are read.
    for_tokens: bool,
    store: Store,
    log: Log,
    clock: Clock,
    lookup: Gather<String, BTreeMap<String, i64>, Register>,
}

impl Attestations {
    /// The register of a database. `for_tokens`: whether tokens are held against the register too.
    #[must_use]
    pub fn new(
        config: AttestationsConfig,
        for_tokens: bool,
        (store, log, clock): (Store, Log, Clock),
    ) -> Self {
        let lookup = Gather::new(&store, MOST, Register(store.clone()));
        Self {
            config,
            for_tokens,
            store,
            log,
            clock,
            lookup,
        }
    }

    /// Whether the caller may use its role now, for the purpose its headers name.
    ///
    /// # Errors
    /// [`AccessError::NotAttested`], recorded; [`AccessError::Unavailable`].
    pub async fn check(
        &self,
        caller: &Caller,
        headers: &HeaderMap,
        request: RequestId,
    ) -> Result<(), AccessError> {
        let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
        if self.config.partners.contains(&caller.role)
            && let Some(recipient) =
                text("Vault-Purpose").and_then(|purpose| purpose.strip_prefix(THIRD_PARTY))
        {
            let kind = format!("{RECIPIENT}{recipient}");
            self.hold(caller, &Holder::Principal(caller.principal), &[kind], request)
                .await?;
        }
        let by_token = caller.credential == Credential::Jwt && !self.for_tokens;
        if by_token || !self.config.roles.contains(&caller.role) {
            return Ok(());
        }
        // A name that is no staff id is refused where the errand is read.
        let named = text("Vault-Actor").filter(|_| caller.credential == Credential::ApiKey);
        let named = named
            .or(caller.actor.as_deref())
            .and_then(|name| name.parse().ok());
        let holder = named.map_or(Holder::Principal(caller.principal), Holder::Staff);
        self.hold(caller, &holder, &self.config.kinds, request).await
    }

    async fn hold(
        &self,
        caller: &Caller,
        holder: &Holder,
        kinds: &[String],
        request: RequestId,
    ) -> Result<(), AccessError> {
        let now = self.clock.now();
        let known = self
            .lookup
            .find(holder.to_string())
            .await
            .map_err(|_| AccessError::Unavailable)?;
        let current = |kind: &&String| {
            let until = known.as_ref().and_then(|known| known.get(*kind)).copied();
            until.is_some_and(|until| micros(now) < until)
        };
        let Some(lapsed) = kinds.iter().find(|kind| !current(kind)) else {
            return Ok(());
        };
        self.refuse(caller, lapsed.clone(), request).await
    }

    /// Records that an attestation of this kind has lapsed, and says so.
    pub(super) async fn refuse<T>(
        &self,
        caller: &Caller,
        lapsed: String,
        request: RequestId,
    ) -> Result<T, AccessError> {
        let mut event = Event::by(caller, Act::Call, request, self.clock.now()).denied("attestation");
        event.basis = Some(format!("attestation:{lapsed}"));
        let recorded = self.log.record(event, ()).await;
        recorded.map_err(|_| AccessError::Unavailable)?;
        Err(AccessError::NotAttested(lapsed))
    }

    /// Writes that a holder's attestation is good until then; a moment that has passed ends it.
    ///
    /// # Errors
    /// When the database refuses; then nothing was written.
    pub async fn attest(
        &self,
        holder: &Holder,
        kind: &str,
        until: DateTime<Utc>,
        by: &Caller,
    ) -> Result<(), AccessError> {
        let now = self.clock.now();
        let mut change = self.log.begin(&self.store).await?;
        change
            .tx
            .put_attestation((&holder.to_string(), kind), (micros(until), micros(now)))
            .await?;
        let mut event = Event::by(by, Act::Attest, RequestId::random(), now);
        event.basis = Some(format!("attestation:{kind}"));
        event.rules = vec![holder.to_string()];
        change.record(event);
        Ok(change.commit().await?)
    }

    /// The whole register.
    ///
    /// # Errors
    /// What the database says.
    pub async fn list(&self) -> Result<Vec<Attested>, AccessError> {
        let rows = self.store.read().await?.all_attestations().await?;
        let line = |(holder, kind, until)| Attested {
            holder,
            kind,
            valid_until: from_micros(until),
        };
        Ok(rows.into_iter().map(line).collect())
    }
}

#[derive(Clone)]
struct Register(Store);

impl AsyncAsk<String, BTreeMap<String, i64>> for Register {
    async fn ask(
        &self,
        kept: &mut Option<Conn>,
        holders: Vec<String>,
    ) -> Result<HashMap<String, BTreeMap<String, i64>>, Unanswered> {
        let found = async {
            let mut conn = self.0.own(kept).await?;
            let rows = conn.attestations(&holders).await?;
            *kept = conn.kept();
            Ok::<_, StoreError>(rows)
        };
        let rows = found.await.map_err(|error| {
            tracing::error!(%error, "attestations cannot be read");
            Unanswered
        })?;
        let mut found: HashMap<String, BTreeMap<String, i64>> = HashMap::new();
        for (holder, kind, until) in rows {
            found.entry(holder).or_default().insert(kind, until);
        }
        Ok(found)
    }
}
