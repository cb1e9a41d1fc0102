//! OCSF 1.3.0, a released schema: 6005 Datastore Activity for looks, 3004 Entity Management for changes.

use serde_json::{Map, Value, json};

use super::{Exported, Gravity};

/// The released schema that every event follows.
const VERSION: &str = "1.3.0";
const DATASTORE: u32 = 6005;
const ENTITY: u32 = 3004;

/// Class, activity and the activity's name.
fn kind(act: &str) -> (u32, u32, &'static str) {
    match act {
        "read" | "read_records" | "read_consents" | "access_report" | "read_policy" => (DATASTORE, 1, "Read"),
        "reveal" => (DATASTORE, 10, "Decrypt"),
        "search" | "read_audit" | "exposure" | "replay_policy" => (DATASTORE, 4, "Query"),
        "export" | "export_audit" => (DATASTORE, 8, "List"),
        "put_record" | "create_principal" | "import" => (ENTITY, 1, "Create"),
        "correct" | "put_stay" | "put_consent" | "load_policy" | "manage_keys" => (ENTITY, 3, "Update"),
        "revoke_principal" => (ENTITY, 4, "Delete"),
        _ => (DATASTORE, 99, "Other"),
    }
}

const fn severity(gravity: Gravity) -> (u32, &'static str) {
    match gravity {
        Gravity::Usual => (1, "Informational"),
        Gravity::Warning => (3, "Medium"),
        Gravity::Alarm => (5, "Critical"),
    }
}

/// What the schema has no attribute for, by the leaf's own words.
fn unmapped(event: &Exported<'_>) -> Value {
    let leaf = &event.leaf;
    let mut rest = Map::new();
    let texts = [
        ("property", &leaf.property),
        ("purpose", &leaf.purpose),
        ("basis", &leaf.basis),
        ("policy", &leaf.policy),
        ("outcome", &leaf.outcome),
    ];
    for (name, value) in texts {
        if let Some(value) = value {
            rest.insert(name.to_owned(), json!(value));
        }
    }
    rest.insert("log_index".to_owned(), json!(event.index));
    rest.insert("origin".to_owned(), json!(event.origin));
    rest.insert("fields".to_owned(), json!(leaf.fields));
    rest.insert("rules".to_owned(), json!(leaf.rules));
    if let Some(count) = leaf.count {
        rest.insert("count".to_owned(), json!(count));
    }
    Value::Object(rest)
}

fn actor(event: &Exported<'_>) -> Value {
    let leaf = &event.leaf;
    let mut user =
        json!({"uid": leaf.principal, "groups": [{"name": leaf.role}], "type_id": 3, "type": "System"});
    let mut actor = json!({"app_uid": leaf.principal});
    if let (Some(staff), Some(user)) = (&leaf.actor, user.as_object_mut()) {
        user.insert("uid".to_owned(), json!(staff));
        user.insert("type_id".to_owned(), json!(1));
        user.insert("type".to_owned(), json!("User"));
    }
    if let Some(actor) = actor.as_object_mut() {
        actor.insert("user".to_owned(), user);
    }
    actor
}

pub(super) fn line(event: &Exported<'_>) -> String {
    let leaf = &event.leaf;
    let (class, activity, name) = kind(&leaf.act);
    let (severity_id, severity) = severity(event.gravity());
    let denied = leaf.decision == "denied";
    let subject = leaf.subject.as_deref();
    let mut line = json!({
        "activity_id": activity,
        "activity_name": name,
        "category_uid": class / 1000,
        "category_name": if class == ENTITY { "Identity & Access Management" } else { "Application Activity" },
        "class_uid": class,
        "class_name": if class == ENTITY { "Entity Management" } else { "Datastore Activity" },
        "type_uid": class * 100 + activity,
        "severity_id": severity_id,
        "severity": severity,
        "status_id": if denied { 2 } else { 1 },
        "status": if denied { "Failure" } else { "Success" },
        "time": leaf.at / 1000,
        "actor": actor(event),
        "metadata": {
            "version": VERSION,
            "product": {"name": "guest-vault", "vendor_name": "guest-vault", "version": env!("CARGO_PKG_VERSION")},
            "uid": event.entry,
            "sequence": event.index,
            "log_name": event.origin,
            "event_code": leaf.act,
            "correlation_uid": leaf.request,
        },
        "unmapped": unmapped(event),
    });
    if let (true, Some(metadata)) = (
        class == ENTITY,
        line.get_mut("metadata").and_then(Value::as_object_mut),
    ) {
        // This class has no actor of its own: the profile brings it.
        metadata.insert("profiles".to_owned(), json!(["host"]));
    }
    if let Some(line) = line.as_object_mut() {
        if let Some(outcome) = &leaf.outcome {
            line.insert("status_detail".to_owned(), json!(outcome));
        }
        if class == ENTITY {
            let entity = json!({"name": leaf.act, "type": "guest record", "uid": subject.unwrap_or("vault")});
            line.insert("entity".to_owned(), entity);
        } else {
            line.insert(
                "src_endpoint".to_owned(),
                json!({"uid": leaf.principal, "svc_name": leaf.role}),
            );
            line.insert(
                "table".to_owned(),
                json!({"name": "guest", "uid": subject.unwrap_or("none")}),
            );
            line.insert("type_id".to_owned(), json!(3));
        }
    }
    line.to_string()
}
