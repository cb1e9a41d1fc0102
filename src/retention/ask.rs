//! Asking how long a guest is kept.

use uuid::Uuid;

use crate::{
    audit::{Act, Event},
    base::{Errand, GuestId},
    guest::{GuestError, Vault},
    policy::Right,
};

use super::{CategoryPlan, Rules, facts, plan, sql};

/// The plan of a guest and the holds on it; recorded.
///
/// # Errors
/// [`GuestError::Forbidden`], [`GuestError::NotFound`], [`GuestError::Moved`], [`GuestError::Gone`].
pub async fn how_long(
    (vault, rules): (&Vault, &Rules),
    errand: &Errand,
    guest: GuestId,
) -> Result<(Vec<CategoryPlan>, Vec<Uuid>), GuestError> {
    let policy = vault.policies.current();
    let mut event = Event::of(errand, Act::Retention, vault.clock.now());
    event.policy_version = Some(policy.version().to_owned());
    event.subject = Some(vault.subject(guest, None));
    if !policy.allows(&errand.caller.role, Right::ManageRetention) {
        return vault.refuse(event, GuestError::Forbidden).await;
    }
    let Some(house) = facts(vault, guest).await? else {
        return vault.refuse(event, GuestError::NotFound).await;
    };
    if let Some(survivor) = house.survivor {
        return vault.refuse(event, GuestError::Moved(survivor)).await;
    }
    vault.must_be_of(errand, guest, &event).await?;
    event.subject = Some(vault.subject(guest, Some(&house.keys)));
    event.outcome = Some("planned");
    let holds = sql::holds(&mut vault.store.read().await?, guest).await?;
    vault.log.record(event, ()).await?;
    Ok((
        plan(&house.facts, rules),
        holds.into_iter().map(|row| row.hold_id).collect(),
    ))
}
