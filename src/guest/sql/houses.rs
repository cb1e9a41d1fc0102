//! Statements about whose guests they are.

use crate::{
    base::{GuestId, Reach},
    on, statements,
    store::{Conn, StoreError},
};

statements! {
    OF_HOUSES = "SELECT count(*) FROM (
                     SELECT property FROM stay WHERE guest_id = $1
                     UNION ALL SELECT property FROM record WHERE guest_id = $1
                 ) AS p WHERE replace($2, ',' || p.property || ',', '') <> $2";
}

impl Conn {
    /// Whether one of these houses has told of a guest, or has it stay.
    ///
    /// # Errors
    /// What the database says.
    pub async fn is_of_houses(&mut self, guest: GuestId, reach: &Reach) -> Result<bool, StoreError> {
        let count: i64 = on!(self, c => {
            sqlx::query_scalar(OF_HOUSES).bind(guest.0).bind(reach.as_str()).fetch_one(c).await?
        });
        Ok(count > 0)
    }
}
