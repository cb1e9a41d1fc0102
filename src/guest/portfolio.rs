//! Whose portfolio a guest is in: the account manager that its sources amount to decides what that manager sees.

use std::collections::BTreeMap;

use crate::{
    base::{FieldPath, GuestId, View},
    store::Tx,
};

use super::{
    GuestError, Vault, places,
    prepare::Prepared,
    sql::{Line, Rows},
    survivor,
    writing::Writing,
};

const FIELD: &str = "account_manager_id";

impl Vault {
    /// Follows the value that survives this record.
    pub(super) async fn keep_portfolio(
        &self,
        (writing, rows): (&mut Writing<'_, '_>, &mut Rows),
        prepared: &Prepared,
        guest: GuestId,
        written: &BTreeMap<FieldPath, View>,
    ) -> Result<(), GuestError> {
        if !written.keys().any(|path| path.as_str() == FIELD) {
            return Ok(());
        }
        let own = prepared.values.iter().find(|v| v.field == FIELD);
        let own = own
            .and_then(|v| v.value.as_str())
            .map(|id| self.manager_token(id));
        if rows.manager(guest, own) {
            return Ok(());
        }
        let change = writing.change().await?;
        // What this transaction writes at its end stands for what is stored of the same record.
        let mut lines = rows.values_of(guest, FIELD);
        let stored = change.tx.values_of(guest, FIELD).await?;
        let newer: Vec<_> = lines.iter().map(|line| line.id).collect();
        lines.extend(stored.into_iter().filter(|line| !newer.contains(&line.id)));
        self.enter_portfolio(&mut change.tx, guest, &lines).await
    }

    /// Follows the value that survives now, where records came or went.
    pub(crate) async fn follow_portfolio(&self, tx: &mut Tx, guest: GuestId) -> Result<(), GuestError> {
        let lines = tx.values_of(guest, FIELD).await?;
        self.enter_portfolio(tx, guest, &lines).await
    }

    async fn enter_portfolio(&self, tx: &mut Tx, guest: GuestId, lines: &[Line]) -> Result<(), GuestError> {
        let ranked = survivor::ranked(lines);
        let best = ranked.get(FIELD).and_then(|values| values.first());
        let token = match best {
            Some(best) => self.manager_named(guest, best).await?,
            None => None,
        };
        Ok(tx.set_manager(guest, token).await?)
    }

    /// Whom a value names. One that does not open names nobody; the doctor tells of it.
    async fn manager_named(&self, guest: GuestId, line: &Line) -> Result<Option<[u8; 16]>, GuestError> {
        let policy = self.policies.current();
        let Some((_, field)) = policy.catalogue().find(FIELD) else {
            return Ok(None);
        };
        let mut keys = self.keys.guest_keys(guest, &[field.category]).await?;
        if !keys.has(field.category) {
            keys = self.keys.fresh_guest_keys(guest, &[field.category]).await?;
        }
        let place = places::value(guest, line.id.unwrap_or_default(), FIELD, line.version);
        let sealed = line.sealed.as_deref().unwrap_or_default();
        let plain = keys.open_internal(field.category, sealed, &place).ok();
        let staff: Option<String> = plain.and_then(|plain| serde_json::from_slice(&plain).ok());
        Ok(staff.map(|id| self.manager_token(&id)))
    }

    /// The keyed token of an account manager's staff id.
    pub(crate) fn manager_token(&self, staff: &str) -> [u8; 16] {
        self.keys.index_key().token("account_manager", staff.as_bytes())
    }
}
