//! Where casbin would say yes by itself.

use casbin::{CoreApi, DefaultModel, EnforceContext, Enforcer, MemoryAdapter, MgmtApi};

use super::{SHIPPED, files, tree};
use crate::policy::{
    PolicyError, Right, Snapshot,
    engine::{Engine, Question},
    purposes,
    roles::Roles,
    rules::{Rules, Vocabulary},
};

const FRONT_DESK: Question<'static> = Question {
    role: "front_desk",
    property: "LIS01",
    purpose: "check_in",
    field: "name.surname",
    action: "read",
    stay: "in_house",
    view: "plain",
};

fn engine(model: &str) -> Result<Engine, PolicyError> {
    let (files, tree) = (files(), tree());
    let roles = Roles::parse(&files.roles, &tree)?;
    let purposes = purposes::parse(&files.purposes, SHIPPED.catalogue())?;
    let words = Vocabulary {
        roles: &roles,
        tree: &tree,
        purposes: &purposes,
        catalogue: SHIPPED.catalogue(),
    };
    let rules = Rules::parse(&files.rules, &words)?;
    Engine::new(model, &roles, &rules, &tree, tree.iter().map(|node| &node.code))
}

#[test]
fn a_disabled_enforcer_answers_nothing() {
    let mut engine = engine(&files().model).unwrap();
    let denied = Question {
        role: "admin",
        ..FRONT_DESK
    };
    assert!(engine.ask(FRONT_DESK).unwrap().allowed);
    assert!(!engine.ask(denied).unwrap().allowed);
    engine.disable();
    assert!(engine.ask(denied).is_err(), "casbin itself would allow it");
    assert!(engine.ask(FRONT_DESK).is_err());
    assert!(
        engine
            .allows(&"admin".parse().unwrap(), Right::ReadAudit)
            .is_err()
    );
}

#[test]
fn an_empty_policy_allows_nothing() {
    // Even where the matcher, evaluated against empty words, says yes.
    let model = files().model.replace(
        "m = among(r.action, p.action)",
        "m = p.rule == \"\" || among(r.action, p.action)",
    );
    let mut engine = engine(&model).unwrap();
    assert!(engine.ask(FRONT_DESK).unwrap().allowed);
    engine.hold(std::iter::empty()).unwrap();
    assert!(!engine.ask(FRONT_DESK).unwrap().allowed);
}

#[test]
fn an_empty_rules_file_is_refused() {
    for rules in [
        "",
        "# nothing\n",
        "right, admin, read_policy\n",
        "deny, *, *, *, *, *, *, *\n",
    ] {
        let mut files = files();
        files.rules = rules.into();
        let refused = Snapshot::compile(files, &tree()).unwrap_err().to_string();
        assert!(refused.contains("allows nothing"), "{refused}");
    }
}

#[test]
fn a_matcher_that_fails_stops_the_load() {
    for matcher in ["nosuch(r.role)", "among(r.action)", "r.role"] {
        let model = files()
            .model
            .replace("m = among(r.action, p.action)", &format!("m = {matcher}"));
        let mut broken = files();
        broken.model = model;
        let refused = Snapshot::compile(broken, &tree()).unwrap_err().to_string();
        assert!(refused.starts_with("model.conf"), "{refused}");
    }
}

#[test]
fn a_model_with_another_effect_or_shape_is_refused() {
    let shipped = files().model;
    for (from, to) in [
        (" && !some(where (p.eft == deny))", ""),
        (
            "e = some(where (p.eft == allow)) && !some(where (p.eft == deny))",
            "e = !some(where (p.eft == deny))",
        ),
        (
            "e = some(where (p.eft == allow)) && !some(where (p.eft == deny))",
            "e = nonsense",
        ),
        (
            "r = role, property, purpose, field, action, stay, view",
            "r = role, field",
        ),
        (
            "p = role, property, purpose, field, action, stay, view, eft, rule",
            "p = role, field, eft",
        ),
        ("g = _, _, _", "g = _, _"),
        ("[matchers]", "[nothing]"),
        ("[policy_effect]", ""),
    ] {
        assert!(shipped.contains(from), "{from}");
        let mut broken = files();
        broken.model = shipped.replacen(from, to, 1);
        let refused = Snapshot::compile(broken, &tree()).unwrap_err().to_string();
        assert!(refused.starts_with("model.conf"), "{from}: {refused}");
    }
}

/// Why the relation of rights has no deny: casbin looks for `p_eft` by that very name.
#[tokio::test]
async fn casbin_takes_a_deny_of_a_second_relation_for_an_allow() {
    let model = "[request_definition]\nr = a\nr2 = a\n[policy_definition]\np = a, eft\np2 = a, eft\n\
                 [policy_effect]\ne = some(where (p.eft == allow))\ne2 = some(where (p.eft == allow))\n\
                 [matchers]\nm = r.a == p.a\nm2 = r2.a == p2.a\n";
    let model = DefaultModel::from_str(model).await.unwrap();
    let mut enforcer = Enforcer::new(model, MemoryAdapter::default()).await.unwrap();
    let deny = vec!["x".to_owned(), "deny".to_owned()];
    enforcer.add_named_policy("p", deny.clone()).await.unwrap();
    enforcer.add_named_policy("p2", deny).await.unwrap();
    assert!(!enforcer.enforce(("x",)).unwrap());
    assert!(
        enforcer
            .enforce_with_context(EnforceContext::new("2"), ("x",))
            .unwrap()
    );
}
