//! Policies that are refused, and policies that change while the program runs.

use std::{fs, path::Path, sync::Arc, time::Duration};

use serde_json::Value;

use super::{SHIPPED, files, tree, with_rules};
use crate::{
    audit::{
        Log,
        search::{self, Filter},
    },
    base::{Caller, Clock, Credential, PrincipalId, RequestId},
    policy::{Desk, DeskError, LegalBasis, Policies, PolicySource, Snapshot, cases, load::Files},
    store::{Store, StoreUrl, Which},
};

fn refusal(files: Files) -> String {
    Snapshot::compile(files, &tree())
        .and_then(|policy| cases::run(&policy).map(|()| policy))
        .expect_err("refused")
        .to_string()
}

/// The line that a text appended to the shipped rules stands on.
fn last_line() -> usize {
    files().rules.lines().count() + 1
}

#[test]
fn a_wrong_rule_is_refused_with_its_line_and_what_to_do() {
    for (line, says) in [
        (
            "allow, frontdesk, *, check_in, phones, read, *, plain",
            "no role `frontdesk`; did you mean `front_desk`?",
        ),
        (
            "allow, front_desk, PAR01, check_in, phones, read, *, plain",
            "no property `PAR01`",
        ),
        (
            "allow, front_desk, *, checkin, phones, read, *, plain",
            "no purpose `checkin`; did you mean `check_in`?",
        ),
        (
            "allow, front_desk, *, check_in, phone, read, *, plain",
            "no field `phone` in fields.toml; did you mean `phones`?",
        ),
        (
            "allow, front_desk, *, check_in, @contacts, read, *, plain",
            "no category `contacts`; did you mean `contact`?",
        ),
        (
            "allow, front_desk, *, check_in, @statutory, read, *, plain",
            "no field of fields.toml is in `@statutory`",
        ),
        (
            "allow, front_desk, *, check_in, phones|!phones, read, *, plain",
            "leaves no field",
        ),
        (
            "allow, front_desk, *, check_in, phones, reed, *, plain",
            "no action `reed`; did you mean `read`?",
        ),
        (
            "allow, front_desk, *, check_in, phones, read, inhouse, plain",
            "no stay `inhouse`; did you mean `in_house`?",
        ),
        (
            "allow, front_desk, *, check_in, phones, read, *, clear",
            "no view `clear`",
        ),
        (
            "allow, front_desk, *, check_in, phones, read, *, -",
            "read and export need views",
        ),
        (
            "allow, front_desk, *, check_in, phones, read, *, *",
            "read and export need views",
        ),
        (
            "allow, front_desk, *, check_in, phones, write, *, plain",
            "write and search need `-`",
        ),
        (
            "allow, front_desk, *, check_in, phones, *, *, plain",
            "write two lines",
        ),
        (
            "allow, front_desk, *, check_in, phones, read, $nosuch, plain",
            "no set `$nosuch` above",
        ),
        (
            "allow, front_desk, *, check_in, phones, read, , plain",
            "empty column or word",
        ),
        (
            "allow, front_desk, *, check_in, phones||emails, read, *, plain",
            "empty column or word",
        ),
        (
            "allow, front_desk, *, check_in, phones, read, *",
            "is none of `allow|deny",
        ),
        (
            "allow, front_desk, *, check_in, phones, read, *, plain, more",
            "is none of `allow|deny",
        ),
        (
            "permit, front_desk, *, check_in, phones, read, *, plain",
            "is none of `allow|deny",
        ),
        ("right, admin, everything", "no right `everything`"),
        ("right, admin", "is none of `allow|deny"),
        ("set, name, a|b", "a set is written"),
        ("set, $in, booked", "set `$in` is given twice"),
    ] {
        let said = refusal(with_rules(line));
        assert!(
            said.starts_with(&format!("rules.csv:{}: ", last_line())),
            "{line}: {said}"
        );
        assert!(said.contains(says), "{line}: {said}");
    }
}

#[test]
fn a_wrong_role_is_refused_with_its_line() {
    let line = files().roles.lines().count() + 1;
    for (text, says) in [
        ("role, front_desk, FD, again", "given twice"),
        ("role, Front, FD, capital", "`Front`"),
        ("role, x", "is none of"),
        ("own, nobody, nobody_own", "no role `nobody`"),
        ("own, guest, guest_mine", "has an own role already"),
        ("g, front_desk, nobody, *", "no role `nobody`"),
        (
            "g, front_desk, kiosk, PAR01",
            "property `PAR01` is not configured",
        ),
    ] {
        let mut files = files();
        files.roles.push_str(text);
        let said = refusal(files);
        assert!(
            said.starts_with(&format!("roles.csv:{line}: ")) && said.contains(says),
            "{text}: {said}"
        );
    }
    let mut files = files();
    files.roles = "# none".into();
    assert!(refusal(files).contains("has no role"));
}

#[test]
fn a_wrong_purpose_is_refused_with_its_line() {
    let line = files().purposes.lines().count() + 1;
    let entry = "description = \"x\"\nlegal_basis = \"contract\"\nneeds_consent = false\ncategories = []";
    for (text, says) in [
        (format!("[x]\n{entry}\nsecret = 1"), "unknown field `secret`"),
        (format!("[X]\n{entry}"), "purpose `X`"),
        (
            format!("[\"third_party:x\"]\n{entry}"),
            "a third party's purpose names it",
        ),
        (
            format!("[\"third_party:x\"]\n{entry}\nrecipient = \"y\""),
            "a third party's purpose names it",
        ),
        (
            format!("[x]\n{entry}\nrecipient = \"y\""),
            "only `third_party:<name>`",
        ),
        (format!("[x]\n{}", entry.replace("false", "true")), "go together"),
        (
            format!("[x]\n{}", entry.replace("contract", "because")),
            "unknown variant `because`",
        ),
        (
            format!("[x]\n{}", entry.replace("[]", "[\"colour\"]")),
            "unknown variant `colour`",
        ),
        ("[booking]".to_owned(), "duplicate key"),
        ("nonsense".to_owned(), "see the shipped file"),
    ] {
        let mut files = files();
        files.purposes.push_str(&text);
        let said = refusal(files);
        let at = said
            .strip_prefix("purposes.toml:")
            .and_then(|rest| rest.split(':').next())
            .map(str::parse::<usize>);
        assert!(
            at.is_some_and(|at| at.is_ok_and(|at| (line..line + 8).contains(&at))),
            "{text}: {said}"
        );
        assert!(said.contains(says), "{text}: {said}");
    }
    let mut files = files();
    files.purposes = String::new();
    assert!(refusal(files).contains("has no purpose"));
}

#[test]
fn purposes_keep_what_the_file_says() {
    let purpose = SHIPPED
        .purpose(&"third_party:spa_partner".parse().unwrap())
        .unwrap();
    assert_eq!(
        (purpose.legal_basis, purpose.needs_consent),
        (LegalBasis::Consent, true)
    );
    assert_eq!(purpose.recipient.as_deref(), Some("spa_partner"));
    let line = usize::try_from(purpose.rule.line).unwrap();
    assert_eq!(
        files().purposes.lines().nth(line - 1),
        Some("[\"third_party:spa_partner\"]")
    );
}

#[test]
fn a_failing_or_unknown_case_refuses_the_policy() {
    let case = |text: &str| {
        let mut files = files();
        files.cases.push_str(text);
        files
    };
    let base = "[[case]]\nrole = [\"front_desk\"]\npurpose = [\"check_in\"]\nstay = [\"in_house\"]\nfield = [\"phones\"]\n";
    let said = refusal(case(&format!("{base}view = \"plain\"")));
    assert!(
        said.contains(
            "front_desk read phones at LIS01 for check_in, stay in_house: expected plain, decided reveal"
        ),
        "{said}"
    );
    assert!(said.contains("cases.toml:"), "{said}");
    assert!(
        Snapshot::compile(case(&format!("{base}view = \"reveal\"")), &tree())
            .is_ok_and(|policy| cases::run(&policy).is_ok())
    );
    for (text, says) in [
        (format!("{base}view = \"clear\""), "no view `clear`"),
        (
            format!("{base}view = \"reveal\"\nproperty = \"PAR01\""),
            "property `PAR01`",
        ),
        (
            format!("{base}view = \"reveal\"\ncolour = 1"),
            "unknown field `colour`",
        ),
        (
            base.replace("front_desk", "nobody") + "view = \"withheld\"",
            "`nobody`",
        ),
        (
            base.replace("check_in", "nothing") + "view = \"withheld\"",
            "`nothing`",
        ),
        (
            base.replace("phones", "phone") + "view = \"withheld\"",
            "no field `phone`",
        ),
        (
            "[[right]]\nrole = [\"admin\"]\nright = [\"read_audit\"]\nallowed = true".to_owned(),
            "admin lacks the right read_audit",
        ),
        (
            "[[right]]\nrole = [\"nobody\"]\nright = [\"read_audit\"]\nallowed = false".to_owned(),
            "no role `nobody`",
        ),
    ] {
        let said = refusal(case(&text));
        assert!(said.contains(says), "{text}: {said}");
    }
}

#[test]
fn the_shipped_cases_are_many() {
    let report = cases::report(&SHIPPED).unwrap();
    assert!(
        report.failures.is_empty() && report.decisions > 1_000,
        "{}",
        report.decisions
    );
}

#[test]
fn a_policy_needs_a_property() {
    let nowhere = crate::base::PropertyTree::new(Vec::new()).unwrap();
    let refused = Snapshot::load(&PolicySource::BuiltIn, &nowhere)
        .unwrap_err()
        .to_string();
    assert!(refused.contains("none is configured"), "{refused}");
}

#[test]
fn a_folder_overrides_file_by_file_and_strangers_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let source = PolicySource::Folder(folder.path().to_owned());
    assert_eq!(Files::read(&source).unwrap(), files());
    let more = "allow, housekeeping, *, check_in, preferences.room, read, *, plain\n";
    write(folder.path(), "rules.csv", &with_rules(more).rules);
    write(folder.path(), "README.md", "ours");
    let own = Files::read(&source).unwrap();
    assert!(own.rules.ends_with(more) && own.roles == files().roles && own.version() != files().version());
    write(folder.path(), "rule.csv", "");
    let refused = Files::read(&source).unwrap_err().to_string();
    assert!(refused.contains("rule.csv: is no file of a policy"), "{refused}");
    let nowhere = PolicySource::Folder(folder.path().join("missing"));
    assert!(
        Files::read(&nowhere)
            .unwrap_err()
            .to_string()
            .contains("cannot be read")
    );
}

#[test]
fn a_copy_of_the_whole_folder_loads() {
    let folder = tempfile::tempdir().unwrap();
    let shipped = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("policies");
    for entry in std::fs::read_dir(shipped).unwrap() {
        let path = entry.unwrap().path();
        let copy = folder.path().join(path.file_name().unwrap());
        if path.is_dir() {
            std::fs::create_dir(copy).unwrap();
        } else {
            std::fs::copy(path, copy).unwrap();
        }
    }
    let copied = Files::read(&PolicySource::Folder(folder.path().to_owned())).unwrap();
    assert_eq!(copied, files());
}

#[test]
fn the_version_is_of_the_text() {
    let mut moved = files();
    assert_eq!(moved.version(), SHIPPED.version());
    moved.rules.push('\n');
    assert_ne!(moved.version(), SHIPPED.version());
}

#[test]
fn a_hostile_file_is_an_error_and_no_panic() {
    let folder = tempfile::tempdir().unwrap();
    let source = PolicySource::Folder(folder.path().to_owned());
    let deep = "[".repeat(100_000);
    for bytes in [
        &b"\xff\xfe\x00"[..],
        b"\0\0\0",
        deep.as_bytes(),
        b",,,,,,,,,,",
        "ü|ü,ü".as_bytes(),
    ] {
        for name in [
            "model.conf",
            "roles.csv",
            "rules.csv",
            "purposes.toml",
            "fields.toml",
            "cases.toml",
        ] {
            fs::write(folder.path().join(name), bytes).unwrap();
            let refused = Snapshot::load(&source, &tree()).unwrap_err().to_string();
            assert!(
                refused.contains(name) || refused.contains("fields.toml"),
                "{name}: {refused}"
            );
            fs::remove_file(folder.path().join(name)).unwrap();
        }
    }
    let large = vec![b'#'; (4 << 20) + 1];
    fs::write(folder.path().join("rules.csv"), large).unwrap();
    assert!(
        Snapshot::load(&source, &tree())
            .unwrap_err()
            .to_string()
            .contains("is larger than")
    );
}

#[test]
fn a_changed_policy_replaces_the_old_one_whole_or_not_at_all() {
    let folder = tempfile::tempdir().unwrap();
    let policies = Policies::load(PolicySource::Folder(folder.path().to_owned()), &tree()).unwrap();
    let first = policies.current();
    assert!(policies.candidate().unwrap().is_none());

    write(folder.path(), "rules.csv", &with_rules("allow, front_desk").rules);
    assert!(policies.candidate().is_err());
    assert_eq!(policies.current().version(), first.version());
    assert!(
        policies.candidate().unwrap().is_none(),
        "one mistake is told once"
    );

    let good = with_rules(HARMLESS);
    write(folder.path(), "rules.csv", &good.rules);
    let new = policies.candidate().unwrap().unwrap();
    assert_eq!(policies.current().version(), first.version(), "not yet in force");
    policies.install(new);
    assert_eq!(policies.current().version(), good.version());

    // A rule that breaks one of the shipped cases.
    write(
        folder.path(),
        "rules.csv",
        &with_rules("deny, *, *, *, *, read, *, *").rules,
    );
    let refused = policies.candidate().unwrap_err().to_string();
    assert!(refused.contains("cases failed"), "{refused}");
    assert_eq!(policies.current().version(), good.version());
    fs::remove_file(folder.path().join("rules.csv")).unwrap();
    policies.install(policies.candidate().unwrap().unwrap());
    assert_eq!(policies.current().version(), first.version());
}

#[tokio::test]
async fn a_change_is_recorded_and_then_in_force() {
    let (folder, data) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let source = PolicySource::Folder(folder.path().to_owned());
    let policies = Arc::new(Policies::load(source, &tree()).unwrap());
    let url: StoreUrl = format!("sqlite://{}", data.path().join("vault.db").display())
        .parse()
        .unwrap();
    let store = Store::open(&url, 2).await.unwrap();
    store.migrate(Which::Data).await.unwrap();
    let (log, clock) = (Log::start(store.clone()), Clock::system());
    let desk = Desk {
        policies: Arc::clone(&policies),
        log,
        store: store.clone(),
        clock,
    };
    let operator = caller("admin");
    let follow = tokio::spawn(desk.clone().follow(operator, Duration::from_millis(20)));

    let good = with_rules(HARMLESS);
    write(folder.path(), "rules.csv", &good.rules);
    until(|| policies.current().version() == good.version()).await;
    write(folder.path(), "rules.csv", "nonsense");
    let mut acts = Vec::new();
    while acts.len() < 2 {
        tokio::time::sleep(Duration::from_millis(20)).await;
        let found = search::entries(&store, &Filter::default(), None, 10)
            .await
            .unwrap();
        acts = found
            .into_iter()
            .map(|row| serde_json::from_slice::<Value>(&row.leaf).unwrap())
            .collect();
    }
    follow.abort();
    assert_eq!(
        (&acts[1]["act"], &acts[1]["policy"]),
        (&"load_policy".into(), &good.version().into())
    );
    assert_eq!(acts[1]["decision"], "permitted");
    assert_eq!(
        (&acts[0]["act"], &acts[0]["outcome"]),
        (&"load_policy".into(), &"policy_refused".into())
    );
    assert_eq!(policies.current().version(), good.version());

    // Reading the policy is for those who may, and recorded either way.
    let request = RequestId::random();
    let shown = desk.show(&caller("auditor"), request).await.unwrap();
    let shown = serde_json::to_value(&shown).unwrap();
    assert_eq!(
        (&shown["version"], &shown["overrides"]["rules.csv"]),
        (&good.version().into(), &true.into())
    );
    assert!(
        shown["rules"]
            .as_array()
            .unwrap()
            .iter()
            .any(|rule| rule["text"] == HARMLESS)
    );
    assert!(matches!(
        desk.show(&caller("front_desk"), request).await,
        Err(DeskError::Forbidden)
    ));
    let after = search::entries(&store, &Filter::default(), None, 10)
        .await
        .unwrap();
    assert_eq!(after.len(), 4);
}

/// A rule that changes nothing that the cases look at.
const HARMLESS: &str = "deny, front_desk, *, marketing_direct, phones, read, *, *";

fn caller(role: &str) -> Caller {
    Caller {
        principal: PrincipalId::random(),
        credential: Credential::Operator,
        role: role.parse().unwrap(),
        scope: Vec::new(),
        actor: None,
    }
}

async fn until(holds: impl Fn() -> bool) {
    while !holds() {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

fn write(folder: &Path, name: &str, text: &str) {
    fs::write(folder.join(name), text).unwrap();
}
