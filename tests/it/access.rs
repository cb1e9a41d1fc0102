//! Principals: the same on both databases.

use std::sync::Arc;

use chrono::{DateTime, TimeDelta, Utc};
use futures_util::future::join_all;
use guest_vault::{
    access::{AccessError, NewPrincipal, Principals, Revocation, Standing, operator},
    audit::Log,
    base::{Clock, PrincipalId, RequestId},
    crypto::{KeyMaterial, MacKey},
    store::Which,
};

use crate::support::database::{Database, both};

fn noon() -> DateTime<Utc> {
    "2026-03-04T12:00:00Z".parse().unwrap()
}

async fn program(database: &Database, key: &Arc<MacKey>, clock: &Clock) -> Principals {
    let store = database.open(Which::Data).await;
    let log = Log::start(store.clone());
    Principals::new(store, log, key.clone(), clock.clone())
}

both!(what_one_program_changes_holds_in_the_other, async |database| {
    let (key, clock) = (Arc::new(MacKey::new(KeyMaterial::random())), Clock::fixed(noon()));
    let (here, there) = (
        program(database, &key, &clock).await,
        program(database, &key, &clock).await,
    );
    let (by, id) = (operator().unwrap(), RequestId::random());
    let mut new = NewPrincipal {
        name: "Empfang Lissabon · 里斯本前台".to_owned(),
        role: "front_desk".parse().unwrap(),
        scope: vec!["LIS01".parse().unwrap(), "OPO01".parse().unwrap()],
        expires_at: None,
    };
    let first = here.create_first(&new, &by, id).await.unwrap().unwrap();
    assert!(there.create_first(&new, &by, id).await.unwrap().is_none());
    new.expires_at = Some(noon() + TimeDelta::hours(1));
    let second = there.create(&new, &by, id).await.unwrap();

    let many = join_all((0..200).map(|n| here.authenticate(if n % 2 == 0 { &first } else { &second }))).await;
    for (n, caller) in many.into_iter().enumerate() {
        let caller = caller.unwrap();
        let expected = if n % 2 == 0 { &first } else { &second };
        assert_eq!(
            (caller.principal, &caller.scope),
            (expected.principal(), &new.scope)
        );
    }
    assert_eq!(
        there.revoke(first.principal(), &by, id).await.unwrap(),
        Revocation::Done
    );
    assert!(matches!(
        here.authenticate(&first).await,
        Err(AccessError::Unauthenticated)
    ));
    assert!(here.authenticate(&second).await.is_ok());
    clock.set(noon() + TimeDelta::hours(1));
    assert!(matches!(
        here.authenticate(&second).await,
        Err(AccessError::Unauthenticated)
    ));
    assert_eq!(
        there.revoke(first.principal(), &by, id).await.unwrap(),
        Revocation::Before
    );
    let nobody = PrincipalId::random();
    assert_eq!(there.revoke(nobody, &by, id).await.unwrap(), Revocation::Unknown);

    let list = here.list().await.unwrap();
    let standings: Vec<Standing> = list.iter().map(|p| p.standing(clock.now())).collect();
    assert_eq!(standings, [Standing::Revoked, Standing::Expired]);
    assert_eq!(
        (&list[0].name, list[0].created_at, list[0].created_by),
        (&new.name, noon(), None)
    );
});
