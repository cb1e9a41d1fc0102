//! Promise P2 and P3 at their narrowest point: what opens is what the grant on record shows.

use crate::{
    audit::{Act, Event, Log, Receipt, Subject},
    base::{Action, Caller, Credential, Errand, FieldIndex, FieldSet, PropertyTree, RequestId, StayState},
    policy::{ConsentAnswer, Facts, Grant, Policies, PolicySource, Snapshot},
};

use super::*;

fn errand() -> Errand {
    Errand {
        caller: Caller {
            principal: Uuid::from_u128(1).into(),
            credential: Credential::ApiKey,
            role: "front_desk".parse().unwrap(),
            scope: vec!["LIS01".parse().unwrap()],
            actor: None,
        },
        property: "LIS01".parse().unwrap(),
        purpose: "stay_service".parse().unwrap(),
        reason: None,
        request: RequestId::random(),
    }
}

fn policy() -> std::sync::Arc<Snapshot> {
    let node =
        serde_json::from_str(r#"{"code":"LIS01","kind":"property","timezone":"Europe/Lisbon"}"#).unwrap();
    let tree = PropertyTree::new(vec![node]).unwrap();
    Policies::load(PolicySource::BuiltIn, &tree).unwrap().current()
}

fn grant(policy: &Snapshot, asked: &FieldSet) -> Grant {
    let errand = errand();
    let grant = policy.decide(
        &errand.caller.role,
        &errand.property,
        &errand.purpose,
        Action::Read,
        asked,
    );
    grant.unwrap()
}

async fn on_record(bench: &Bench, guest: GuestId, grant: Grant) -> Receipt<Grant> {
    let url = StoreUrl::Sqlite(bench.path("vault.db"));
    let store = Store::open(&url, 1).await.unwrap();
    store.migrate(Which::Data).await.unwrap();
    let mut event = Event::of(&errand(), Act::Read, Clock::system().now());
    event.subject = Some(Subject {
        guest,
        pseudonym: None,
    });
    Log::start(store).record(event, grant).await.unwrap()
}

#[tokio::test]
async fn a_receipt_opens_the_fields_its_grant_shows_and_no_others() {
    let bench = Bench::new().await;
    let ring = bench.open(true).await.unwrap();
    let guest = GuestId::random();
    let keys = ring
        .ensure_guest_keys(guest, &[Category::Identity])
        .await
        .unwrap();
    let at = place(guest, "name.surname");
    let sealed = keys.seal(Category::Identity, &at, b"Almeida").unwrap();

    let policy = policy();
    let field = |path| policy.catalogue().find(path).unwrap().0;
    let (shown, other) = (field("name.surname"), field("phones"));
    let open = |receipt: &Receipt<Grant>, field: FieldIndex| {
        let opened = keys.open(receipt, field, Category::Identity, sealed.as_bytes(), &at);
        opened.map(|plain| plain.bytes().to_vec())
    };
    let asked = FieldSet::from_iter([shown]);
    let facts = Facts {
        stay: StayState::InHouse,
        portfolio: false,
        consent: ConsentAnswer::NotNeeded,
    };
    let receipt = on_record(&bench, guest, grant(&policy, &asked).narrow(&facts)).await;
    assert_eq!(open(&receipt, shown), Ok(b"Almeida".to_vec()));
    assert_eq!(open(&receipt, other), Err(OpenError::NotGranted), "not asked for");
    assert_eq!(open(&receipt, FieldIndex(u16::MAX)), Err(OpenError::NotGranted));

    let anybody = on_record(&bench, guest, grant(&policy, &asked)).await;
    assert_eq!(
        open(&anybody, shown),
        Err(OpenError::NotGranted),
        "not narrowed to a guest"
    );

    let elsewhere = on_record(&bench, GuestId::random(), grant(&policy, &asked).narrow(&facts)).await;
    assert_eq!(
        open(&elsewhere, shown),
        Err(OpenError::NotGranted),
        "another guest's record"
    );
}
