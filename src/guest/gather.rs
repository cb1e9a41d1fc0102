//! Fetching guests for disclosures: requests that wait at the same moment, for the same fields and purpose, share one
//! statement. What is not granted is not fetched: requests with other fields go in a statement of their own.

use std::{collections::HashMap, sync::Arc};

use crate::{
    base::{FieldSet, GuestId, Purpose},
    policy::Snapshot,
    store::{AsyncAsk, Gather, Store, Unanswered},
};

use super::sql::Line;

/// Guests of one statement at most.
const MOST: usize = 16;
/// Statements under way at most: one is prepared while another waits for the database.
const READERS: usize = 2;

/// What one request asks for.
#[derive(Clone, PartialEq, Eq, Hash)]
pub(super) struct Asked {
    pub(super) fields: FieldSet,
    pub(super) purpose: Purpose,
    pub(super) guest: GuestId,
    /// The policy whose catalogue the fields are positions of.
    pub(super) policy: ByVersion,
}

/// A policy, compared by its version.
#[derive(Clone)]
pub(super) struct ByVersion(pub(super) Arc<Snapshot>);

impl PartialEq for ByVersion {
    fn eq(&self, other: &Self) -> bool {
        self.0.version() == other.0.version()
    }
}

impl Eq for ByVersion {}

impl std::hash::Hash for ByVersion {
    fn hash<H: std::hash::Hasher>(&self, state: &mut H) {
        self.0.version().hash(state);
    }
}

/// Lines of a guest, by what was asked.
pub(super) type Guests = Gather<Asked, Vec<Line>>;

/// Starts the readers on the current runtime.
pub(super) fn start(store: Store) -> Guests {
    Gather::start(READERS, MOST, &Fetch(store))
}

#[derive(Clone)]
struct Fetch(Store);

impl AsyncAsk<Asked, Vec<Line>> for Fetch {
    async fn ask(&self, asked: Vec<Asked>) -> Result<HashMap<Asked, Vec<Line>>, Unanswered> {
        let mut alike: HashMap<(FieldSet, Purpose, ByVersion), Vec<GuestId>> = HashMap::new();
        for one in asked {
            alike
                .entry((one.fields, one.purpose, one.policy))
                .or_default()
                .push(one.guest);
        }
        let mut found = HashMap::new();
        for ((fields, purpose, policy), guests) in alike {
            let lines = self.fetch(&fields, &purpose, &policy.0, &guests).await?;
            let mut of: HashMap<GuestId, Vec<Line>> = HashMap::with_capacity(guests.len());
            for line in lines {
                of.entry(GuestId(line.guest_id)).or_default().push(line);
            }
            found.extend(of.into_iter().map(|(guest, lines)| {
                let asked = Asked {
                    fields,
                    purpose: purpose.clone(),
                    guest,
                    policy: policy.clone(),
                };
                (asked, lines)
            }));
        }
        Ok(found)
    }
}

impl Fetch {
    async fn fetch(
        &self,
        fields: &FieldSet,
        purpose: &Purpose,
        policy: &Snapshot,
        guests: &[GuestId],
    ) -> Result<Vec<Line>, Unanswered> {
        let catalogue = policy.catalogue();
        let paths: Vec<&str> = fields
            .iter()
            .filter_map(|at| catalogue.get(at))
            .map(|f| f.path.as_str())
            .collect();
        let lines = async {
            self.0
                .read()
                .await?
                .guests_for_disclosure(guests, &paths, purpose.as_str())
                .await
        };
        lines.await.map_err(|error| {
            tracing::error!(%error, "guests cannot be read");
            Unanswered
        })
    }
}
