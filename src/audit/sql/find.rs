//! Finding entries: one index leads, the rest narrows.

use sqlx::{Database, Encode, QueryBuilder, Type};
use uuid::Uuid;

use crate::{
    audit::{
        Act, Decision,
        search::{Filter, Order, Place},
    },
    base::{GuestId, micros},
    on,
    store::{Conn, StoreError},
};

use super::Row;

const SELECT: &str = "SELECT e.entry_id, e.writer, e.writer_seq, e.guest_id, e.at, e.principal, e.actor, e.property,
                             e.purpose, e.action, e.decision, (e.detail IS NOT NULL) AS has_detail, e.leaf, e.detail,
                             l.log_index, l.subject_seq, l.previous
                      FROM audit_event e LEFT JOIN log_entry l ON l.entry_id = e.entry_id WHERE 1 = 1";
const INDEXED: &str = "SELECT e.entry_id, e.writer, e.writer_seq, e.guest_id, e.at, e.principal, e.actor, e.property,
                              e.purpose, e.action, e.decision, (e.detail IS NOT NULL) AS has_detail, e.leaf, e.detail,
                              l.log_index, l.subject_seq, l.previous
                       FROM log_entry l CROSS JOIN audit_event e WHERE e.entry_id = l.entry_id AND l.log_index >= ";
const RANGE: &str = "SELECT min(l.log_index), max(l.log_index), count(*) - count(l.log_index)
                     FROM audit_event e LEFT JOIN log_entry l ON l.entry_id = e.entry_id WHERE 1 = 1";

/// Whether an index leads to the rows, so that what comes later only narrows. A database without statistics may take
/// the index of the less telling word; `coalesce` keeps it from that.
struct Lead(bool);

impl Lead {
    fn text<'q, D: Database>(&mut self, q: &mut QueryBuilder<D>, column: &str, value: Option<String>)
    where
        String: Encode<'q, D> + Type<D>,
    {
        let Some(value) = value else { return };
        if std::mem::replace(&mut self.0, true) {
            q.push(format!(" AND coalesce(e.{column}, '') = "))
                .push_bind(value);
        } else {
            q.push(format!(" AND e.{column} = ")).push_bind(value);
        }
    }
}

fn narrow<'q, D: Database>(q: &mut QueryBuilder<D>, filter: &Filter)
where
    Uuid: Encode<'q, D> + Type<D>,
    String: Encode<'q, D> + Type<D>,
    i64: Encode<'q, D> + Type<D>,
{
    let mut lead = Lead(false);
    if let Some(GuestId(guest)) = filter.guest_id {
        q.push(" AND e.guest_id = ").push_bind(guest);
        lead.0 = true;
    }
    if filter.action == Some(Act::Reveal) && !lead.0 && filter.actor.is_none() && filter.principal.is_none() {
        // As text, so that the database sees that the index of reveals holds all of them.
        q.push(" AND e.action = 'reveal'");
        lead.0 = true;
    }
    lead.text(q, "actor", filter.actor.clone());
    if let Some(principal) = filter.principal {
        // Two ids never meet in a database's guess: either leads well.
        q.push(" AND e.principal = ").push_bind(principal.0);
        lead.0 = true;
    }
    match filter.decision {
        // As text, so that the database sees that the index of refusals holds all of them.
        Some(Decision::Denied) if !lead.0 => {
            q.push(" AND e.decision = 'denied'");
            lead.0 = true;
        }
        Some(decision) => {
            q.push(" AND coalesce(e.decision, '') = ")
                .push_bind(decision.as_str().to_owned());
        }
        None => {}
    }
    lead.text(q, "purpose", filter.purpose.as_ref().map(ToString::to_string));
    if let Some(property) = &filter.property {
        q.push(" AND e.property = ").push_bind(property.to_string());
    }
    if let Some(act) = filter.action {
        q.push(" AND e.action = ").push_bind(act.as_str().to_owned());
    }
    if let Some(from) = filter.from {
        q.push(" AND e.at >= ").push_bind(micros(from));
    }
    if let Some(to) = filter.to {
        q.push(" AND e.at < ").push_bind(micros(to));
    }
}

fn page<'q, D: Database>(q: &mut QueryBuilder<D>, (order, after, most): (Order, Option<Place>, i64))
where
    Uuid: Encode<'q, D> + Type<D>,
    i64: Encode<'q, D> + Type<D>,
{
    let (sign, direction) = match order {
        Order::NewestFirst => ("<", "DESC"),
        Order::OldestFirst => (">", "ASC"),
    };
    if let Some(Place { at, entry }) = after {
        q.push(format!(" AND (e.at, e.entry_id) {sign} ("))
            .push_bind(at)
            .push(", ")
            .push_bind(entry.0)
            .push(")");
    }
    q.push(format!(
        " ORDER BY e.at {direction}, e.entry_id {direction} LIMIT "
    ))
    .push_bind(most);
}

impl Conn {
    /// Entries that match, after a place.
    pub(in crate::audit) async fn audit_entries(
        &mut self,
        filter: &Filter,
        part: (Order, Option<Place>, i64),
    ) -> Result<Vec<Row>, StoreError> {
        Ok(on!(self, c => {
            let mut q = QueryBuilder::new(SELECT);
            narrow(&mut q, filter);
            page(&mut q, part);
            q.build_query_as().fetch_all(c).await?
        }))
    }

    /// Entries that match with an index from the first to before the second, in the order of the log.
    pub(in crate::audit) async fn audit_indexed(
        &mut self,
        filter: &Filter,
        (first, end): (i64, i64),
    ) -> Result<Vec<Row>, StoreError> {
        Ok(on!(self, c => {
            let mut q = QueryBuilder::new(INDEXED);
            q.push_bind(first).push(" AND l.log_index < ").push_bind(end);
            narrow(&mut q, filter);
            q.push(" ORDER BY l.log_index");
            q.build_query_as().fetch_all(c).await?
        }))
    }

    /// The first and last index of entries that match, and how many of them have none yet.
    pub(in crate::audit) async fn audit_range(
        &mut self,
        filter: &Filter,
    ) -> Result<(Option<i64>, Option<i64>, i64), StoreError> {
        Ok(on!(self, c => {
            let mut q = QueryBuilder::new(RANGE);
            narrow(&mut q, filter);
            q.build_query_as().fetch_one(c).await?
        }))
    }
}
