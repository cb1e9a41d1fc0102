//! Events as they are told: `CloudEvents` 1.0 in JSON, alike in the feed and in a webhook.

use chrono::{DateTime, Utc};
use serde::Serialize;
use utoipa::ToSchema;
use uuid::Uuid;

use super::{Details, Kind};
use crate::base::{GuestId, PropertyCode};

/// The version of `CloudEvents`.
const SPEC: &str = "1.0";
/// The media type of one event in a body of its own.
pub const MEDIA_TYPE: &str = "application/cloudevents+json";

/// One event.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct CloudEvent {
    /// `1.0`.
    #[schema(example = "1.0", max_length = 3)]
    pub specversion: &'static str,
    /// The event; the same each time it is told, so that a repeated one is known.
    pub id: Uuid,
    /// Which vault.
    #[schema(max_length = 200)]
    pub source: String,
    /// What happened.
    #[serde(rename = "type")]
    pub kind: Kind,
    /// The guest it is about.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub subject: Option<GuestId>,
    /// When.
    pub time: DateTime<Utc>,
    /// Its place in the feed: `after` of the next call.
    #[schema(max_length = 20)]
    pub sequence: String,
    /// `application/json`.
    #[schema(max_length = 40)]
    pub datacontenttype: &'static str,
    /// The rest.
    pub data: EventData,
}

/// What an event says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct EventData {
    /// The guest it is about.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub guest_id: Option<GuestId>,
    /// At which property.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub property: Option<PropertyCode>,
    /// The rest.
    #[serde(flatten)]
    pub details: Details,
}

/// An event with its place in the feed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Numbered {
    /// Its place, from 1, without a gap.
    pub position: i64,
    /// The event.
    pub event: super::Announcement,
}

impl Numbered {
    /// The event as it is told by the vault of this name.
    #[must_use]
    pub fn told(self, source: &str) -> CloudEvent {
        let event = self.event;
        CloudEvent {
            specversion: SPEC,
            id: event.id,
            source: source.to_owned(),
            kind: event.kind,
            subject: event.guest,
            time: event.at,
            sequence: self.position.to_string(),
            datacontenttype: "application/json",
            data: EventData {
                guest_id: event.guest,
                property: event.property,
                details: event.details,
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::events::Announcement;

    #[test]
    fn an_event_has_the_members_of_cloudevents_and_no_others() {
        let guest = GuestId::random();
        let at = "2026-03-05T10:00:00Z".parse().unwrap();
        let event = Announcement::guest_updated(at, guest, vec!["emails".parse().unwrap()])
            .at_property(&"LIS01".parse().unwrap());
        let id = event.id;
        let told = Numbered { position: 7, event }.told("/vault");
        assert_eq!(
            serde_json::to_value(told).unwrap(),
            json!({
                "specversion": "1.0", "id": id, "source": "/vault", "type": "guest.updated", "subject": guest,
                "time": "2026-03-05T10:00:00Z", "sequence": "7", "datacontenttype": "application/json",
                "data": {"guest_id": guest, "property": "LIS01", "fields": ["emails"]}
            })
        );
    }
}
