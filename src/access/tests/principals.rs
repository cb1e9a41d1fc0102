//! API keys against a real database.

use std::sync::Arc;

use chrono::TimeDelta;
use futures_util::future::join_all;

use super::{House, front_desk, noon, shown};
use crate::{
    access::{AccessError, ApiKey, Revocation, Standing, operator},
    base::{Caller, Credential, PrincipalId, RequestId},
    crypto::{KeyMaterial, MacKey},
};

fn by() -> Caller {
    operator().unwrap()
}

fn refused(outcome: &Result<Caller, AccessError>) -> bool {
    matches!(outcome, Err(AccessError::Unauthenticated))
}

#[tokio::test]
async fn a_key_gives_the_caller_it_was_made_for() {
    let house = House::new().await;
    let principals = house.principals();
    let key = principals
        .create(&front_desk(), &by(), RequestId::random())
        .await
        .unwrap();
    let caller = principals
        .authenticate(&ApiKey::parse(&shown(&key)).unwrap())
        .await
        .unwrap();
    assert_eq!(
        (caller.principal, caller.credential),
        (key.principal(), Credential::ApiKey)
    );
    assert_eq!(
        (caller.role, caller.scope, caller.actor),
        (front_desk().role, front_desk().scope, None)
    );
    // The same as another instance sees it.
    assert!(house.another().await.authenticate(&key).await.is_ok());
}

#[tokio::test]
async fn a_wrong_secret_and_an_unknown_principal_are_refused() {
    let house = House::new().await;
    let principals = house.principals();
    let key = principals
        .create(&front_desk(), &by(), RequestId::random())
        .await
        .unwrap();
    assert!(refused(
        &principals.authenticate(&ApiKey::random(key.principal())).await
    ));
    assert!(refused(
        &principals
            .authenticate(&ApiKey::random(PrincipalId::random()))
            .await
    ));
    let shown = shown(&key);
    for at in 3..shown.len() {
        let other = if shown.as_bytes()[at] == b'a' { "b" } else { "a" };
        let mut changed = shown.clone();
        changed.replace_range(at..=at, other);
        if let Some(changed) = ApiKey::parse(&changed) {
            assert!(
                refused(&principals.authenticate(&changed).await),
                "character {at}"
            );
        }
    }
}

#[tokio::test]
async fn revocation_by_another_program_holds_on_the_next_request() {
    let house = House::new().await;
    let (here, there) = (house.principals(), house.another().await);
    let by = by();
    for _ in 0..20 {
        let key = here
            .create(&front_desk(), &by, RequestId::random())
            .await
            .unwrap();
        assert!(here.authenticate(&key).await.is_ok());
        let revoke = || there.revoke(key.principal(), &by, RequestId::random());
        assert_eq!(revoke().await.unwrap(), Revocation::Done);
        assert!(refused(&here.authenticate(&key).await));
        assert_eq!(revoke().await.unwrap(), Revocation::Before);
    }
    let nobody = PrincipalId::random();
    assert_eq!(
        there.revoke(nobody, &by, RequestId::random()).await.unwrap(),
        Revocation::Unknown
    );
}

#[tokio::test]
async fn no_request_that_starts_after_a_revocation_is_let_in_under_load() {
    let house = House::new().await;
    let principals = Arc::new(house.principals());
    let key = Arc::new(
        principals
            .create(&front_desk(), &by(), RequestId::random())
            .await
            .unwrap(),
    );
    let load: Vec<_> = (0..8)
        .map(|_| {
            let (principals, key) = (Arc::clone(&principals), Arc::clone(&key));
            tokio::spawn(async move { while principals.authenticate(&key).await.is_ok() {} })
        })
        .collect();
    tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    house
        .another()
        .await
        .revoke(key.principal(), &by(), RequestId::random())
        .await
        .unwrap();
    assert!(refused(&principals.authenticate(&key).await));
    // Each of the others ends, too: nobody keeps an older answer.
    for task in load {
        task.await.unwrap();
    }
}

#[tokio::test]
async fn expiry_is_to_the_moment() {
    let house = House::new().await;
    let principals = house.principals();
    let mut new = front_desk();
    new.expires_at = Some(noon() + TimeDelta::days(90));
    let key = principals.create(&new, &by(), RequestId::random()).await.unwrap();
    house
        .clock
        .set(noon() + TimeDelta::days(90) - TimeDelta::microseconds(1));
    assert!(principals.authenticate(&key).await.is_ok());
    house.clock.set(noon() + TimeDelta::days(90));
    assert!(refused(&principals.authenticate(&key).await));
    assert_eq!(
        principals.list().await.unwrap()[0].standing(house.clock.now()),
        Standing::Expired
    );
}

#[tokio::test]
async fn many_at_once_each_get_their_own_answer() {
    let house = House::new().await;
    let principals = house.principals();
    let mut keys = Vec::new();
    for _ in 0..75 {
        keys.push(
            principals
                .create(&front_desk(), &by(), RequestId::random())
                .await
                .unwrap(),
        );
    }
    let wrong: Vec<ApiKey> = keys.iter().map(|k| ApiKey::random(k.principal())).collect();
    let unknown: Vec<ApiKey> = keys
        .iter()
        .map(|_| ApiKey::random(PrincipalId::random()))
        .collect();
    let (right, wrong, unknown) = tokio::join!(
        join_all(keys.iter().chain(&keys).map(|k| principals.authenticate(k))),
        join_all(wrong.iter().map(|k| principals.authenticate(k))),
        join_all(unknown.iter().map(|k| principals.authenticate(k))),
    );
    for (key, caller) in keys.iter().chain(&keys).zip(right) {
        assert_eq!(caller.unwrap().principal, key.principal());
    }
    assert!(wrong.into_iter().chain(unknown).all(|outcome| refused(&outcome)));
}

#[tokio::test]
async fn a_stored_hash_fits_its_own_row_and_vault_only() {
    let mut house = House::new().await;
    let principals = house.principals();
    let mine = principals
        .create(&front_desk(), &by(), RequestId::random())
        .await
        .unwrap();
    let other = principals
        .create(&front_desk(), &by(), RequestId::random())
        .await
        .unwrap();
    let mut tx = house.store.begin().await.unwrap();
    let moved =
        "UPDATE principal SET secret_hash = (SELECT secret_hash FROM principal WHERE principal_id = $1)
                 WHERE principal_id = $2";
    crate::on!(&mut tx, c => sqlx::query(moved).bind(mine.principal().0).bind(other.principal().0).execute(c).await.map(drop))
        .unwrap();
    tx.commit().await.unwrap();
    let forged = shown(&mine).replace(&shown(&mine)[3..29], &shown(&other)[3..29]);
    assert!(refused(
        &principals.authenticate(&ApiKey::parse(&forged).unwrap()).await
    ));
    assert!(refused(&principals.authenticate(&other).await));
    assert!(principals.authenticate(&mine).await.is_ok());
    house.hash_key = Arc::new(MacKey::new(KeyMaterial::random()));
    assert!(refused(&house.principals().authenticate(&mine).await));
}

#[tokio::test]
async fn neither_key_nor_secret_lies_in_the_database() {
    let house = House::new().await;
    let key = house
        .principals()
        .create(&front_desk(), &by(), RequestId::random())
        .await
        .unwrap();
    let text = shown(&key);
    let secret = &text[30..];
    let raw = data_encoding::BASE32_NOPAD
        .decode(secret.to_ascii_uppercase().as_bytes())
        .unwrap();
    let mut bytes = 0;
    for file in std::fs::read_dir(house.folder.path()).unwrap() {
        let content = std::fs::read(file.unwrap().path()).unwrap();
        bytes += content.len();
        for needle in [text.as_bytes(), secret.as_bytes(), &raw] {
            assert!(!content.windows(needle.len()).any(|w| w == needle));
        }
    }
    assert!(bytes > 4096, "the files were there to be searched");
}

#[tokio::test]
async fn making_and_revoking_are_recorded_with_the_principal_they_were_about() {
    let house = House::new().await;
    let principals = house.principals();
    let key = principals
        .create(&front_desk(), &by(), RequestId::random())
        .await
        .unwrap();
    principals
        .revoke(key.principal(), &by(), RequestId::random())
        .await
        .unwrap();
    principals
        .revoke(key.principal(), &by(), RequestId::random())
        .await
        .unwrap();
    let mut conn = house.store.read().await.unwrap();
    let leaves: Vec<(String, Vec<u8>)> = crate::on!(&mut conn, c => {
        sqlx::query_as("SELECT action, leaf FROM audit_event ORDER BY entry_id").fetch_all(c).await
    })
    .unwrap();
    let acts: Vec<&str> = leaves.iter().map(|(act, _)| act.as_str()).collect();
    assert_eq!(acts, ["create_principal", "revoke_principal"]);
    for (_, leaf) in &leaves {
        let leaf: serde_json::Value = serde_json::from_slice(leaf).unwrap();
        assert_eq!(leaf["basis"], format!("principal:{}", key.principal()));
        assert_eq!(leaf["credential"], "operator");
    }
}

#[tokio::test]
async fn the_first_principal_is_made_once_even_if_it_was_revoked() {
    let house = House::new().await;
    let principals = house.principals();
    let first = principals
        .create_first(&front_desk(), &by(), RequestId::random())
        .await
        .unwrap()
        .unwrap();
    assert!(principals.authenticate(&first).await.is_ok());
    principals
        .revoke(first.principal(), &by(), RequestId::random())
        .await
        .unwrap();
    assert!(
        principals
            .create_first(&front_desk(), &by(), RequestId::random())
            .await
            .unwrap()
            .is_none()
    );
    assert_eq!(principals.list().await.unwrap().len(), 1);
}

#[tokio::test]
async fn without_a_database_nobody_is_let_in() {
    let house = House::new().await;
    let principals = house.principals();
    let key = principals
        .create(&front_desk(), &by(), RequestId::random())
        .await
        .unwrap();
    house.store.close().await;
    assert!(matches!(
        principals.authenticate(&key).await,
        Err(AccessError::Unavailable)
    ));
}
