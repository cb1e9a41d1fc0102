//! By which channels a guest agreed to be reached: a consent is for a purpose, and the channels that were agreed to are a
//! value beside it.

use std::collections::{BTreeMap, BTreeSet};

use serde::Deserialize;

use uuid::Uuid;

use crate::{
    base::{Category, GuestId},
    keys::GuestKeys,
    store::Conn,
};

use super::{GuestError, Vault, approach::Channel, places, sql::Line, survivor};

const FIELD: &str = "contact_preference";

/// What a guest chose, as far as it is asked here.
#[derive(Deserialize)]
struct Preference {
    #[serde(default)]
    channels: Vec<String>,
}

impl Preference {
    /// Nothing chosen is no choice.
    fn leaves_out(&self, channel: Channel) -> bool {
        let is_meant = |word: &String| words(channel).contains(&word.trim().to_ascii_lowercase().as_str());
        !self.channels.is_empty() && !self.channels.iter().any(is_meant)
    }
}

/// What sources call a channel.
const fn words(channel: Channel) -> &'static [&'static str] {
    match channel {
        Channel::Email => &["email", "e-mail", "mail"],
        Channel::Phone => &["phone", "call", "telephone", "voice"],
        Channel::Sms => &["sms", "text"],
    }
}

impl Vault {
    /// Those of the guests who chose channels, and not this one. Of whom it cannot be told are among them: a value that does
    /// not open may be a no.
    pub(super) async fn reached_otherwise(
        &self,
        conn: &mut Conn,
        channel: Channel,
        guests: &[GuestId],
    ) -> Result<BTreeSet<Uuid>, GuestError> {
        let policy = self.policies.current();
        let Some((_, field)) = policy.catalogue().find(FIELD) else {
            return Ok(BTreeSet::new());
        };
        let mut of: BTreeMap<GuestId, Vec<Line>> = BTreeMap::new();
        for (guest, line) in conn.field_of_many(FIELD, guests).await? {
            of.entry(guest).or_default().push(line);
        }
        let those: Vec<GuestId> = of.keys().copied().collect();
        let keys = self.keys.many_guest_keys(&those, &[field.category]).await?;
        let leaves_out = |guest: GuestId, lines: &[Line]| {
            let ranked = survivor::ranked(lines);
            let best = ranked.get(FIELD).and_then(|values| values.first());
            let chosen = best.and_then(|line| opened(keys.get(&guest)?, field.category, guest, line));
            chosen.is_none_or(|chosen| chosen.leaves_out(channel))
        };
        let otherwise = of.iter().filter(|(guest, lines)| leaves_out(**guest, lines));
        Ok(otherwise.map(|(guest, _)| guest.0).collect())
    }
}

fn opened(keys: &GuestKeys, category: Category, guest: GuestId, line: &Line) -> Option<Preference> {
    let place = places::value(guest, line.id?, FIELD, line.version);
    let plain = keys
        .open_internal(category, line.sealed.as_deref()?, &place)
        .ok()?;
    serde_json::from_slice(&plain).ok()
}
