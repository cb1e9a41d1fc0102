//! Principals with an API key: making, listing, revoking, and recognising them.

use std::sync::Arc;

use uuid::Uuid;

use super::{
    AccessError, ApiKey, NewPrincipal, Principal, Revocation, SecretHashKey, Standing, lookup::Lookup,
    sql::Row,
};
use crate::{
    audit::{Act, Change, Event, Log},
    base::{Caller, Clock, Credential, InvalidName, PrincipalId, RequestId, from_micros, micros},
    store::{Store, StoreError},
};

/// The principals of one vault.
pub struct Principals {
    store: Store,
    log: Log,
    hash_key: Arc<dyn SecretHashKey>,
    clock: Clock,
    lookup: Lookup,
}

/// The operator at the command line, as the log names it; what the vault does by itself is done in its name.
pub const OPERATOR: PrincipalId = PrincipalId(Uuid::nil());

/// The operator at the command line as a caller.
///
/// # Errors
/// Never with the role's name as it is.
pub fn operator() -> Result<Caller, InvalidName> {
    Ok(Caller {
        principal: OPERATOR,
        credential: Credential::Operator,
        role: "operator".parse()?,
        scope: Vec::new(),
        actor: None,
    })
}

impl Principals {
    /// The principals of this store.
    #[must_use]
    pub fn new(store: Store, log: Log, hash_key: Arc<dyn SecretHashKey>, clock: Clock) -> Self {
        let lookup = Lookup::new(&store);
        Self {
            store,
            log,
            hash_key,
            clock,
            lookup,
        }
    }

    /// The caller of an API key, as it stands in the database now.
    ///
    /// # Errors
    /// [`AccessError::Unauthenticated`] when it is unknown, tampered with, expired or revoked;
    /// [`AccessError::Unavailable`] when the database does not answer.
    pub async fn authenticate(&self, key: &ApiKey) -> Result<Caller, AccessError> {
        let hash = key.hash(self.hash_key.secret_hash_key());
        let row = self
            .lookup
            .find(key.principal())
            .await?
            .ok_or(AccessError::Unauthenticated)?;
        if !hash.is(&row.secret_hash) {
            return Err(AccessError::Unauthenticated);
        }
        let principal = read(&row).map_err(|error| {
            tracing::error!(%error, principal = %key.principal(), "a principal cannot be read");
            AccessError::Unavailable
        })?;
        if principal.standing(self.clock.now()) != Standing::Active {
            return Err(AccessError::Unauthenticated);
        }
        Ok(Caller {
            principal: principal.id,
            credential: Credential::ApiKey,
            role: principal.role,
            scope: principal.scope,
            actor: None,
        })
    }

    /// Makes a principal; its key is in the answer and nowhere else.
    ///
    /// # Errors
    /// When the database refuses; then there is no principal.
    pub async fn create(
        &self,
        new: &NewPrincipal,
        by: &Caller,
        request: RequestId,
    ) -> Result<ApiKey, AccessError> {
        let mut change = self.log.begin(&self.store).await?;
        let key = self.add(&mut change, new, by, request).await?;
        change.commit().await?;
        Ok(key)
    }

    /// Makes the first principal of a new vault; `None` when there is or ever was one.
    ///
    /// # Errors
    /// As [`Principals::create`].
    pub async fn create_first(
        &self,
        new: &NewPrincipal,
        by: &Caller,
        request: RequestId,
    ) -> Result<Option<ApiKey>, AccessError> {
        let mut change = self.log.begin(&self.store).await?;
        if change.tx.principal_count().await? > 0 {
            return Ok(None);
        }
        let key = self.add(&mut change, new, by, request).await?;
        change.commit().await?;
        Ok(Some(key))
    }

    async fn add(
        &self,
        change: &mut Change,
        new: &NewPrincipal,
        by: &Caller,
        request: RequestId,
    ) -> Result<ApiKey, AccessError> {
        let key = ApiKey::random(PrincipalId::random());
        let now = self.clock.now();
        let row = Row {
            principal_id: key.principal().0,
            name: new.name.clone(),
            role: new.role.to_string(),
            scope: new
                .scope
                .iter()
                .map(ToString::to_string)
                .collect::<Vec<_>>()
                .join(" "),
            secret_hash: key.hash(self.hash_key.secret_hash_key()).as_bytes().to_vec(),
            created_at: micros(now),
            created_by: (by.credential != Credential::Operator).then_some(by.principal.0),
            expires_at: new.expires_at.map(micros),
            revoked_at: None,
        };
        change.tx.insert_principal(&row).await?;
        change.record(about(
            key.principal(),
            Event::by(by, Act::CreatePrincipal, request, now),
        ));
        Ok(key)
    }

    /// Revokes a principal: its key opens nothing from the next request on.
    ///
    /// # Errors
    /// When the database refuses; then nothing was revoked.
    pub async fn revoke(
        &self,
        principal: PrincipalId,
        by: &Caller,
        request: RequestId,
    ) -> Result<Revocation, AccessError> {
        let mut change = self.log.begin(&self.store).await?;
        let now = self.clock.now();
        if change.tx.revoke_principal(principal.0, micros(now)).await? == 0 {
            let known = change.tx.has_principal(principal.0).await?;
            return Ok(if known {
                Revocation::Before
            } else {
                Revocation::Unknown
            });
        }
        change.record(about(
            principal,
            Event::by(by, Act::RevokePrincipal, request, now),
        ));
        change.commit().await?;
        Ok(Revocation::Done)
    }

    /// All principals, oldest first; revoked ones stay in the list.
    ///
    /// # Errors
    /// What the database says.
    pub async fn list(&self) -> Result<Vec<Principal>, AccessError> {
        let rows = self.store.read().await?.all_principals().await?;
        Ok(rows.iter().map(read).collect::<Result<_, _>>()?)
    }
}

/// Names the principal that an act of administration was about.
fn about(principal: PrincipalId, mut event: Event) -> Event {
    event.basis = Some(format!("principal:{principal}"));
    event
}

fn read(row: &Row) -> Result<Principal, StoreError> {
    let scope = row
        .scope
        .split_ascii_whitespace()
        .map(str::parse)
        .collect::<Result<_, _>>();
    Ok(Principal {
        id: PrincipalId(row.principal_id),
        name: row.name.clone(),
        role: row
            .role
            .parse()
            .map_err(|_| StoreError::Damaged("the role of a principal"))?,
        scope: scope.map_err(|_| StoreError::Damaged("the scope of a principal"))?,
        created_at: from_micros(row.created_at),
        created_by: row.created_by.map(PrincipalId),
        expires_at: row.expires_at.map(from_micros),
        revoked_at: row.revoked_at.map(from_micros),
    })
}
