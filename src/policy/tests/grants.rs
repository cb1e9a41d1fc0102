//! What a grant says before and after it meets a guest, and the rules no folder can override.

use super::{SHIPPED, consented, files, tree, with_rules};
use crate::{
    base::{Action, Class, FieldIndex, FieldSet, StayState, View, Withheld},
    policy::{ConsentAnswer, Facts, Grant, Right, Snapshot},
};

fn field(path: &str) -> FieldIndex {
    SHIPPED.catalogue().find(path).unwrap().0
}

fn all() -> FieldSet {
    SHIPPED.catalogue().iter().map(|(at, _)| at).collect()
}

fn decide_in(
    policy: &Snapshot,
    role: &str,
    purpose: &str,
    action: Action,
    fields: &FieldSet,
) -> Option<Grant> {
    policy.decide(
        &role.parse().unwrap(),
        &"LIS01".parse().unwrap(),
        &purpose.parse().unwrap(),
        action,
        fields,
    )
}

fn decide(role: &str, purpose: &str, fields: &FieldSet) -> Option<Grant> {
    decide_in(&SHIPPED, role, purpose, Action::Read, fields)
}

#[test]
fn before_a_guest_is_known_only_columns_are() {
    let wanted = [field("name.surname"), field("phones"), field("diet")]
        .into_iter()
        .collect();
    let grant = decide("front_desk", "check_in", &wanted).unwrap();
    let columns: Vec<FieldIndex> = grant.columns().iter().collect();
    assert_eq!(columns, [field("name.surname"), field("phones")]);
    assert_eq!(grant.view(field("name.surname")), View::None);
    assert_eq!(grant.withheld(field("name.surname")), Some(Withheld::Policy));
    assert!(!grant.visible() && grant.rule(field("name.surname")).is_none());
}

#[test]
fn the_stay_narrows() {
    let grant = decide("front_desk", "check_in", &all()).unwrap();
    let past = grant.clone().narrow(&consented(StayState::Past, false));
    assert_eq!(past.view(field("name.surname")), View::Plain);
    assert_eq!(past.withheld(field("phones")), Some(Withheld::StayWindow));
    assert_eq!(past.withheld(field("diet")), Some(Withheld::Policy));
    assert_eq!(past.withheld(field("name.surname")), None);
    assert!(past.visible());
    let here = grant.narrow(&consented(StayState::InHouse, false));
    assert_eq!(here.view(field("phones")), View::Reveal);
    assert_eq!(here.view(field("id_documents")), View::Reveal);
    let rule = here.rule(field("phones")).unwrap().to_string();
    assert!(rule.starts_with("rules.csv:"), "{rule}");
    assert!(here.columns().contains(field("phones")) && !past.columns().contains(field("phones")));
    assert_eq!(
        (here.policy_version(), here.policy_version().len()),
        (SHIPPED.version(), 16)
    );
}

#[test]
fn a_field_that_was_not_asked_for_has_no_view() {
    let grant = decide("front_desk", "check_in", &[field("gender")].into_iter().collect()).unwrap();
    let grant = grant.narrow(&consented(StayState::InHouse, false));
    assert_eq!(grant.view(field("gender")), View::Plain);
    assert_eq!(grant.view(field("name.surname")), View::None);
    assert!(
        grant.visible(),
        "but other fields count for whether the guest may be known"
    );
}

#[test]
fn the_own_portfolio_widens_and_strangers_are_told_so() {
    let grant = decide("account_manager", "loyalty", &all()).unwrap();
    assert!(grant.columns().contains(field("name.surname")));
    let stranger = grant.clone().narrow(&consented(StayState::None, false));
    assert_eq!(
        stranger.withheld(field("name.surname")),
        Some(Withheld::Portfolio)
    );
    assert_eq!(stranger.view(field("memberships")), View::Plain);
    let own = grant.narrow(&consented(StayState::None, true));
    assert_eq!(own.view(field("name.surname")), View::Plain);
    assert_eq!(own.view(field("memberships")), View::Plain);
    assert!(own.portfolio() && !stranger.portfolio());
    let guest = decide("guest", "subject_request", &all()).unwrap();
    assert!(
        !guest
            .clone()
            .narrow(&consented(StayState::InHouse, false))
            .visible()
    );
    assert!(guest.narrow(&consented(StayState::None, true)).visible());
}

#[test]
fn without_consent_nothing_and_a_consent_never_widens() {
    let grant = decide("marketing", "marketing_direct", &all()).unwrap();
    assert!(grant.needs_consent());
    for missing in [ConsentAnswer::Missing, ConsentAnswer::NotNeeded] {
        let facts = Facts {
            stay: StayState::None,
            portfolio: false,
            consent: missing,
        };
        let narrowed = grant.clone().narrow(&facts);
        assert!(all().iter().all(|at| narrowed.view(at) == View::None));
        assert!(narrowed.columns().is_empty() && narrowed.consent_id().is_none());
        assert_eq!(narrowed.withheld(field("phones")), Some(Withheld::Consent));
        assert_eq!(narrowed.withheld(field("id_documents")), Some(Withheld::Policy));
        assert!(narrowed.visible());
    }
    let given = grant.narrow(&consented(StayState::None, false));
    assert_eq!(given.view(field("phones")), View::Token);
    assert!(given.consent_id().is_some());

    let needless = decide("front_desk", "check_in", &all()).unwrap();
    let facts = |consent| Facts {
        stay: StayState::InHouse,
        portfolio: false,
        consent,
    };
    let (without, with) = (
        needless.clone().narrow(&facts(ConsentAnswer::Missing)),
        needless.narrow(&consented(StayState::InHouse, false)),
    );
    assert!(all().iter().all(|at| without.view(at) == with.view(at)));
    assert!(
        with.consent_id().is_none(),
        "a consent that was not asked for is not named"
    );
}

#[test]
fn what_no_rule_speaks_of_is_no_grant() {
    for (role, purpose) in [
        ("admin", "administration"),
        ("auditor", "audit"),
        ("front_desk", "marketing_direct"),
        ("front_desk", "nonsense"),
        ("nobody", "check_in"),
        ("account_manager_own", "loyalty"),
        ("statistics", "check_in"),
    ] {
        assert!(decide(role, purpose, &all()).is_none(), "{role} {purpose}");
        assert!(!SHIPPED.may(
            &role.parse().unwrap(),
            &"LIS01".parse().unwrap(),
            &purpose.parse().unwrap(),
            Action::Read
        ));
    }
    let elsewhere = "PAR01".parse().unwrap();
    let (role, purpose) = ("front_desk".parse().unwrap(), "check_in".parse().unwrap());
    assert!(
        SHIPPED
            .decide(&role, &elsewhere, &purpose, Action::Read, &all())
            .is_none()
    );
}

#[test]
fn no_folder_gives_guests_to_those_who_run_or_check_the_vault() {
    let generous = "allow, *, *, *, *, read|export, *, plain\nallow, *, *, *, *, write|search, *, -\n";
    let mut files = with_rules(generous);
    files
        .roles
        .push_str("\nrole, superuser, XX, everything\ng, superuser, admin, *\ng, superuser, front_desk, *\n");
    let policy = Snapshot::compile(files, &tree()).unwrap();
    for purpose in policy.purposes().map(|rule| rule.code.to_string()) {
        for (role, action) in ["admin", "auditor", "superuser"]
            .into_iter()
            .flat_map(|role| Action::ALL.map(|action| (role, action)))
        {
            let Some(grant) = decide_in(&policy, role, &purpose, action, &all()) else {
                continue;
            };
            assert!(grant.columns().is_empty(), "{role} {purpose}");
            for stay in StayState::ALL {
                assert!(!grant.clone().narrow(&consented(stay, true)).visible());
            }
        }
        for (at, kept) in policy.catalogue().iter() {
            let rank = kept.class;
            for role in ["ticketing", "survey", "assistant"] {
                let shown = decide_in(&policy, role, &purpose, Action::Read, &all())
                    .map_or(View::None, |grant| {
                        grant.narrow(&consented(StayState::InHouse, true)).view(at)
                    });
                assert!(rank < Class::C2 || shown < View::Reveal, "{role} {}", kept.path);
            }
            let out = decide_in(&policy, "crm", &purpose, Action::Export, &all())
                .map_or(View::None, |grant| {
                    grant.narrow(&consented(StayState::InHouse, true)).view(at)
                });
            assert!(rank < Class::C4 || out == View::None, "{}", kept.path);
        }
        let ceiling = policy
            .purpose(&purpose.parse().unwrap())
            .unwrap()
            .categories
            .clone();
        let grant = decide_in(&policy, "front_desk", &purpose, Action::Read, &all()).unwrap();
        for at in grant.columns().iter() {
            let category = policy.catalogue().get(at).unwrap().category;
            assert!(
                ceiling.contains(&category),
                "{purpose} touches {}",
                category.as_str()
            );
        }
    }
}

#[test]
fn the_shipped_policy_gives_administrators_rights_and_no_guest() {
    let admin = "admin".parse().unwrap();
    assert!(SHIPPED.allows(&admin, Right::ManagePrincipals) && SHIPPED.allows(&admin, Right::ReadPolicy));
    assert!(!SHIPPED.allows(&admin, Right::ReadAudit) && !SHIPPED.allows(&admin, Right::ReadConsent));
    assert!(!SHIPPED.allows(&"nobody".parse().unwrap(), Right::ReadPolicy));
    assert!(!SHIPPED.allows(&"guest_own".parse().unwrap(), Right::ReadConsent));
    for purpose in SHIPPED.purposes() {
        for action in Action::ALL {
            assert!(decide_in(&SHIPPED, "admin", purpose.code.as_str(), action, &all()).is_none());
        }
    }
}

#[test]
fn rights_are_inherited_where_inheritance_holds_everywhere() {
    let mut files = files();
    files
        .roles
        .push_str("\nrole, lead, LE, x\nrole, local, LO, x\ng, lead, auditor, *\ng, local, auditor, LIS01\n");
    let policy = Snapshot::compile(files, &tree()).unwrap();
    assert!(policy.allows(&"lead".parse().unwrap(), Right::ReadAudit));
    assert!(
        !policy.allows(&"local".parse().unwrap(), Right::ReadAudit),
        "rights know no property"
    );
}
