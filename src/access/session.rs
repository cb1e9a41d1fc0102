//! Browsers that are signed in: a row a session, found by the hash of the browser's secret, so that a stolen database
//! opens none. A session ends when nobody used it for a while, at its last hour, and when its holder signs out.

use chrono::{DateTime, Duration, Utc};

use super::sql::session::SessionRow;
use crate::{
    base::{Caller, Clock, Credential, GuestId, PrincipalId, from_micros, latest_end, micros},
    store::{Store, StoreError, Tx},
    web::pages::SessionKey,
};

/// How often the time of the last use is written down: not at every look.
const NOTED_EVERY: Duration = Duration::minutes(1);

/// How long sessions last.
#[derive(Debug, Clone, Copy)]
pub struct Lifetime {
    /// After so long without use a session is over.
    pub idle: Duration,
    /// After so long it is over in any case.
    pub whole: Duration,
}

impl Lifetime {
    /// For guests: 20 minutes without use, four hours in all.
    pub const GUEST: Self = Self {
        idle: Duration::minutes(20),
        whole: Duration::hours(4),
    };
    /// For staff: 30 minutes without use, ten hours in all.
    pub const STAFF: Self = Self {
        idle: Duration::minutes(30),
        whole: Duration::hours(10),
    };
}

/// Who is signed in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SignedIn {
    /// A guest.
    Guest(GuestId),
    /// A member of the staff, as whom the log shall name it.
    Staff(Caller),
}

/// A session that is on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Session {
    /// Who.
    pub who: SignedIn,
    /// Since when.
    pub since: DateTime<Utc>,
    /// When its holder last proved who it is, beyond having the cookie.
    pub proved_at: Option<DateTime<Utc>>,
}

impl Session {
    /// Whether its holder proved who it is less than this long ago.
    #[must_use]
    pub fn fresh(&self, now: DateTime<Utc>, within: Duration) -> bool {
        self.proved_at
            .is_some_and(|at| at <= now && now.signed_duration_since(at) < within)
    }
}

/// The sessions of one kind of pages. Cheap to clone.
#[derive(Clone)]
pub struct Sessions {
    store: Store,
    clock: Clock,
    lifetime: Lifetime,
}

impl Sessions {
    /// The sessions in this store.
    #[must_use]
    pub const fn new(store: Store, clock: Clock, lifetime: Lifetime) -> Self {
        Self {
            store,
            clock,
            lifetime,
        }
    }

    /// Begins a session of a browser; give the key of a [renewed](crate::web::pages::Browser::renewed) one. `proved`
    /// says whether its holder has just proved who it is, rather than followed a link.
    ///
    /// # Errors
    /// What the database says.
    pub async fn begin(&self, key: SessionKey, who: &SignedIn, proved: bool) -> Result<(), StoreError> {
        let mut tx = self.store.begin().await?;
        self.begin_within(&mut tx, key, who, proved).await?;
        tx.commit().await
    }

    /// The same within a change: with it, or not at all.
    ///
    /// # Errors
    /// What the database says.
    pub async fn begin_within(
        &self,
        tx: &mut Tx,
        key: SessionKey,
        who: &SignedIn,
        proved: bool,
    ) -> Result<(), StoreError> {
        let now = self.clock.now();
        let row = row(key, who, now, now + self.lifetime.whole, proved);
        tx.begin_session(&row).await
    }

    /// The session of a browser, when it has one that is on. It counts as used.
    ///
    /// # Errors
    /// What the database says.
    pub async fn find(&self, key: SessionKey) -> Result<Option<Session>, StoreError> {
        let Some(row) = self.store.read().await?.browser_session(&key.0).await? else {
            return Ok(None);
        };
        let (now, seen) = (self.clock.now(), from_micros(row.seen_at));
        let Lifetime { idle, whole } = self.lifetime;
        let is_on = |end: DateTime<Utc>, longest| end > now && end <= latest_end(now, longest);
        if !is_on(from_micros(row.ends_at), whole) || !is_on(seen + idle, idle) {
            return Ok(None);
        }
        if now - seen >= NOTED_EVERY {
            let mut tx = self.store.begin().await?;
            tx.touch_session(&key.0, micros(now)).await?;
            tx.commit().await?;
        }
        read(&row).map(Some)
    }

    /// Notes that the holder of a session has just proved again who it is.
    ///
    /// # Errors
    /// What the database says.
    pub async fn prove(&self, key: SessionKey) -> Result<(), StoreError> {
        let mut tx = self.store.begin().await?;
        tx.prove_session(&key.0, micros(self.clock.now())).await?;
        tx.commit().await
    }

    /// Ends a session.
    ///
    /// # Errors
    /// What the database says.
    pub async fn end(&self, key: SessionKey) -> Result<(), StoreError> {
        let mut tx = self.store.begin().await?;
        tx.end_session(&key.0).await?;
        tx.commit().await
    }

    /// Ends every session of somebody.
    ///
    /// # Errors
    /// What the database says.
    pub async fn end_all(&self, who: &SignedIn) -> Result<(), StoreError> {
        let mut tx = self.store.begin().await?;
        match who {
            SignedIn::Guest(guest) => tx.end_sessions_of_guest(guest.0).await?,
            SignedIn::Staff(caller) => tx.end_sessions_of_staff(caller.principal.0).await?,
        }
        tx.commit().await
    }
}

fn row(key: SessionKey, who: &SignedIn, now: DateTime<Utc>, end: DateTime<Utc>, proved: bool) -> SessionRow {
    let (guest, staff) = match who {
        SignedIn::Guest(guest) => (Some(guest.0), None),
        SignedIn::Staff(caller) => (None, Some(caller)),
    };
    let scope = |caller: &Caller| {
        let codes: Vec<&str> = caller.scope.iter().map(|code| code.as_str()).collect();
        codes.join(" ")
    };
    SessionRow {
        token: key.0.to_vec(),
        guest_id: guest,
        principal: staff.map(|caller| caller.principal.0),
        role: staff.map(|caller| caller.role.to_string()),
        scope: staff.map(scope),
        actor: staff.and_then(|caller| caller.actor.clone()),
        created_at: micros(now),
        seen_at: micros(now),
        ends_at: micros(end),
        proved_at: proved.then(|| micros(now)),
    }
}

fn read(row: &SessionRow) -> Result<Session, StoreError> {
    let damaged = || StoreError::Damaged("a browser's session");
    let who = match (row.guest_id, row.principal) {
        (Some(guest), None) => SignedIn::Guest(GuestId(guest)),
        (None, Some(principal)) => {
            let scope = row.scope.as_deref().unwrap_or_default().split_ascii_whitespace();
            SignedIn::Staff(Caller {
                principal: PrincipalId(principal),
                credential: Credential::Session,
                role: row
                    .role
                    .as_deref()
                    .unwrap_or_default()
                    .parse()
                    .map_err(|_| damaged())?,
                scope: scope
                    .map(str::parse)
                    .collect::<Result<_, _>>()
                    .map_err(|_| damaged())?,
                actor: row.actor.clone(),
            })
        }
        _ => return Err(damaged()),
    };
    Ok(Session {
        who,
        since: from_micros(row.created_at),
        proved_at: row.proved_at.map(from_micros),
    })
}
