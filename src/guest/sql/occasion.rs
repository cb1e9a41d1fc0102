//! The statements of occasions.

use uuid::Uuid;

use crate::{
    on, statements,
    store::{Conn, StoreError},
};

statements! {
    GUESTS = "SELECT DISTINCT b.guest_id FROM blind_index b JOIN guest g ON g.guest_id = b.guest_id
              WHERE b.token = $1 AND g.status = 'active' AND b.guest_id > $2 ORDER BY b.guest_id LIMIT $3";
}

impl Conn {
    /// Guests with this occasion, after one.
    ///
    /// # Errors
    /// What the database says.
    pub async fn occasion_guests(
        &mut self,
        token: &[u8; 16],
        after: Uuid,
        most: i64,
    ) -> Result<Vec<Uuid>, StoreError> {
        Ok(on!(self, c => {
            sqlx::query_scalar(GUESTS).bind(&token[..]).bind(after).bind(most).fetch_all(c).await?
        }))
    }
}
