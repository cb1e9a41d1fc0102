//! Statements about ways into the portal.

use uuid::Uuid;

use crate::{
    base::GuestId,
    on, statements,
    store::{Conn, StoreError, Tx},
};

statements! {
    TICKET_INSERT = "INSERT INTO portal_ticket (token, kind, guest_id, browser, contact, network, code, tries,
                         created_at, ends_at)
                     VALUES ($1, $2, $3, $4, $5, $6, $7, 0, $8, $9)";
    TICKETS_SWEEP = "DELETE FROM portal_ticket WHERE created_at < $1 AND ends_at < $2";
    TICKETS_OF_CONTACT = "SELECT count(*) FROM portal_ticket WHERE contact = $1 AND created_at > $2 AND created_at <= $3";
    TICKETS_OF_NETWORK = "SELECT count(*) FROM portal_ticket WHERE network = $1 AND created_at > $2 AND created_at <= $3";
    /// Of the codes of a browser only the newest counts.
    CODES_OVER = "UPDATE portal_ticket SET ends_at = 0 WHERE browser = $1 AND kind = 'code' AND ends_at > $2";
    /// All tickets of the newest code; first the one at which tries are counted.
    CODES_OF_BROWSER = "SELECT token, guest_id, code FROM portal_ticket
                        WHERE browser = $1 AND kind = 'code' AND ends_at > $2 AND ends_at <= $3
                        ORDER BY created_at DESC, CASE WHEN contact IS NULL THEN 1 ELSE 0 END, token LIMIT 3";
    /// Counted before it is compared, so that guesses at the same moment do not share a try.
    TICKET_TRY = "UPDATE portal_ticket SET tries = tries + 1 WHERE token = $1 AND tries < $2 AND ends_at > $3";
    /// What the contacts of a guest, and of whom it goes on under, are looked up by, and whether staff fixed them.
    CONTACTS = "SELECT b.token, v.pinned FROM blind_index b
                JOIN field_value v ON v.guest_id = b.guest_id AND v.record_id = b.record_id AND v.field = b.field
                WHERE b.guest_id IN ($1, $2) AND b.field IN ('emails', 'phones')";
    LINK = "SELECT guest_id FROM portal_ticket
            WHERE token = $1 AND kind = 'link' AND ends_at > $2 AND ends_at <= $3";
    /// Kept for the count of an hour, but over.
    TICKET_USED = "UPDATE portal_ticket SET ends_at = 0 WHERE token = $1 AND ends_at > $2";
}

/// A way in, as it is stored.
pub(super) struct Ticket {
    pub(super) token: [u8; 32],
    pub(super) kind: &'static str,
    pub(super) guest: Option<Uuid>,
    pub(super) browser: Option<[u8; 32]>,
    pub(super) contact: Option<[u8; 32]>,
    pub(super) network: Option<[u8; 32]>,
    pub(super) code: Option<[u8; 32]>,
    pub(super) created_at: i64,
    pub(super) ends_at: i64,
}

/// A code that was sent: token, guest, keyed hash.
pub(super) type CodeRow = (Vec<u8>, Option<Uuid>, Option<Vec<u8>>);

impl Conn {
    /// How many codes were sent to a contact, or asked for from a network, between two moments.
    pub(super) async fn tickets_since(
        &mut self,
        contact: &[u8],
        network: &[u8],
        (since, latest): (i64, i64),
    ) -> Result<(i64, i64), StoreError> {
        let of_contact: i64 = on!(self, c => {
            sqlx::query_scalar(TICKETS_OF_CONTACT).bind(contact).bind(since).bind(latest).fetch_one(c).await?
        });
        let of_network: i64 = on!(self, c => {
            sqlx::query_scalar(TICKETS_OF_NETWORK).bind(network).bind(since).bind(latest).fetch_one(c).await?
        });
        Ok((of_contact, of_network))
    }

    /// The code that a browser waits for, once for each guest that it may be: one that is over between two moments.
    pub(super) async fn codes_of_browser(
        &mut self,
        browser: &[u8],
        (now, latest): (i64, i64),
    ) -> Result<Vec<CodeRow>, StoreError> {
        Ok(
            on!(self, c => sqlx::query_as(CODES_OF_BROWSER).bind(browser).bind(now).bind(latest).fetch_all(c).await?),
        )
    }

    /// What a guest's contacts are looked up by, its own and those of whom it goes on under, each with whether it is
    /// staff's word.
    pub(super) async fn contacts_said(
        &mut self,
        guest: GuestId,
        holder: GuestId,
    ) -> Result<Vec<(Vec<u8>, bool)>, StoreError> {
        Ok(on!(self, c => sqlx::query_as(CONTACTS).bind(guest.0).bind(holder.0).fetch_all(c).await?))
    }

    /// The guest of a link that was not used yet, and is over between two moments.
    pub(super) async fn link_of_portal(
        &mut self,
        token: &[u8],
        (now, latest): (i64, i64),
    ) -> Result<Option<Uuid>, StoreError> {
        let found: Option<(Option<Uuid>,)> =
            on!(self, c => sqlx::query_as(LINK).bind(token).bind(now).bind(latest).fetch_optional(c).await?);
        Ok(found.and_then(|(guest,)| guest))
    }
}

impl Tx {
    /// Gives out a way in, one ticket for each guest that it may lead to, and sweeps out old ones.
    pub(super) async fn add_tickets(&mut self, tickets: &[Ticket], forget: i64) -> Result<(), StoreError> {
        let Some(first) = tickets.first() else {
            return Ok(());
        };
        on!(self, c => { sqlx::query(TICKETS_SWEEP).bind(forget).bind(first.created_at).execute(c).await?; });
        if let Some(browser) = &first.browser {
            self.end_codes(browser, first.created_at).await?;
        }
        for ticket in tickets {
            on!(self, c => {
                sqlx::query(TICKET_INSERT)
                    .bind(ticket.token.as_slice())
                    .bind(ticket.kind)
                    .bind(ticket.guest)
                    .bind(ticket.browser.as_ref().map(<[u8; 32]>::as_slice))
                    .bind(ticket.contact.as_ref().map(<[u8; 32]>::as_slice))
                    .bind(ticket.network.as_ref().map(<[u8; 32]>::as_slice))
                    .bind(ticket.code.as_ref().map(<[u8; 32]>::as_slice))
                    .bind(ticket.created_at)
                    .bind(ticket.ends_at)
                    .execute(c)
                    .await?;
            });
        }
        Ok(())
    }

    /// Ends the codes that a browser waits for.
    pub(super) async fn end_codes(&mut self, browser: &[u8], now: i64) -> Result<(), StoreError> {
        on!(self, c => { sqlx::query(CODES_OVER).bind(browser).bind(now).execute(c).await?; });
        Ok(())
    }

    /// Counts a try; whether there was one left.
    pub(super) async fn try_ticket(&mut self, token: &[u8], most: i64, now: i64) -> Result<bool, StoreError> {
        let rows = on!(self, c => {
            sqlx::query(TICKET_TRY).bind(token).bind(most).bind(now).execute(c).await?.rows_affected()
        });
        Ok(rows == 1)
    }

    /// Uses a way in up; whether it was still there.
    pub(super) async fn use_ticket(&mut self, token: &[u8], now: i64) -> Result<bool, StoreError> {
        let rows = on!(self, c => {
            sqlx::query(TICKET_USED).bind(token).bind(now).execute(c).await?.rows_affected()
        });
        Ok(rows == 1)
    }
}
