//! Fetching guests for disclosures: requests that wait at the same moment, for the same fields and purpose, share one
//! statement. What is not granted is not fetched: requests with other fields go in a statement of their own.

use std::{collections::HashMap, sync::Arc};

use crate::{
    base::{FieldSet, GuestId, Purpose},
    policy::Snapshot,
    store::{AsyncAsk, Conn, Gather, Store, StoreError, Unanswered},
};

use super::sql::Line;

/// Guests of one statement at most.
const MOST: usize = 16;

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
pub(super) type Guests = Gather<Asked, Vec<Line>, Fetch>;

/// Readers of this store.
pub(super) fn readers(store: Store) -> Guests {
    Gather::new(&store.clone(), MOST, Fetch(store))
}

#[derive(Clone)]
pub(super) struct Fetch(Store);

impl AsyncAsk<Asked, Vec<Line>> for Fetch {
    async fn ask(
        &self,
        kept: &mut Option<Conn>,
        asked: Vec<Asked>,
    ) -> Result<HashMap<Asked, Vec<Line>>, Unanswered> {
        let mut alike: HashMap<(FieldSet, Purpose, ByVersion), Vec<GuestId>> = HashMap::new();
        for one in asked {
            alike
                .entry((one.fields, one.purpose, one.policy))
                .or_default()
                .push(one.guest);
        }
        let mut found = HashMap::new();
        for ((fields, purpose, policy), guests) in alike {
            let of = self.fetch(kept, &fields, &purpose, &policy.0, &guests).await?;
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
        kept: &mut Option<Conn>,
        fields: &FieldSet,
        purpose: &Purpose,
        policy: &Snapshot,
        guests: &[GuestId],
    ) -> Result<Vec<(GuestId, Vec<Line>)>, Unanswered> {
        let catalogue = policy.catalogue();
        let paths: Vec<&str> = fields
            .iter()
            .filter_map(|at| catalogue.get(at))
            .map(|f| f.path.as_str())
            .collect();
        let lines = async {
            let mut conn = self.0.own(kept).await?;
            let lines = conn
                .guests_for_disclosure(guests, &paths, purpose.as_str())
                .await?;
            *kept = conn.kept();
            Ok::<_, StoreError>(lines)
        };
        lines.await.map_err(|error| {
            tracing::error!(%error, "guests cannot be read");
            Unanswered
        })
    }
}
