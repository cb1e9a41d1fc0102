//! Statements about whose guests they are.

use crate::{
    base::{GuestId, PropertyCode, Reach},
    on, statements,
    store::{Conn, StoreError},
};

statements! {
    HOUSES = "SELECT property FROM stay WHERE guest_id = $1 UNION SELECT property FROM record WHERE guest_id = $1";
    OF_HOUSES = "SELECT count(*) FROM (
                     SELECT property FROM stay WHERE guest_id = $1
                     UNION ALL SELECT property FROM record WHERE guest_id = $1
                 ) AS p WHERE replace($2, ',' || p.property || ',', '') <> $2";
}

impl Conn {
    /// The houses that have told of a guest, or have it stay.
    ///
    /// # Errors
    /// What the database says; damage.
    pub async fn houses_of(&mut self, guest: GuestId) -> Result<Vec<PropertyCode>, StoreError> {
        let codes: Vec<String> = on!(self, c => sqlx::query_scalar(HOUSES).bind(guest.0).fetch_all(c).await?);
        let codes: Result<_, _> = codes.iter().map(|code| code.parse()).collect();
        codes.map_err(|_| StoreError::Damaged("a property's code"))
    }

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
