//! How much of anything a caller may ask for.

use std::time::Duration;

use actix_web::HttpRequest;

/// The limits of every call; given to the application as `app_data`.
#[derive(Debug, Clone)]
pub struct Limits {
    /// The largest body, in bytes.
    pub body_bytes: usize,
    /// The longest time until an answer begins.
    pub timeout: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            body_bytes: 1024 * 1024,
            timeout: Duration::from_secs(30),
        }
    }
}

impl Limits {
    /// The limits that hold for a request.
    #[must_use]
    pub fn of(request: &HttpRequest) -> Self {
        request.app_data::<Self>().cloned().unwrap_or_default()
    }
}
