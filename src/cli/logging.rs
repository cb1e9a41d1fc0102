//! What the process writes about itself: one line per event, on standard error, without personal data.

use std::panic;

use tracing_subscriber::{EnvFilter, fmt, layer::SubscriberExt as _, util::SubscriberInitExt as _};

use crate::config::{LogConfig, LogFormat};

/// Starts the log, and makes panics tell their place but not their message, which may quote a value.
///
/// Later calls change nothing.
pub fn start(config: &LogConfig) {
    let lines = fmt::layer().with_writer(std::io::stderr).with_target(true);
    let registry = tracing_subscriber::registry().with(filter(config));
    // An error means that a log runs already.
    let _ = match config.format {
        LogFormat::Json => registry
            .with(lines.json().flatten_event(true).with_current_span(false))
            .try_init(),
        LogFormat::Text => registry.with(lines.compact()).try_init(),
    };
    panic::set_hook(Box::new(|info| {
        let place = info.location().map(ToString::to_string).unwrap_or_default();
        tracing::error!(place, "a part of the vault failed; please report this place");
    }));
}

/// Our own lines from the configured level on; of libraries only warnings, and none of those that may show
/// statements, headers or bodies.
fn filter(config: &LogConfig) -> EnvFilter {
    let own = config.level.as_str();
    EnvFilter::new(format!(
        "warn,guest_vault={own},sqlx::query=off,h2=error,hyper=error,actix_http=error,actix_web=error,rustls=error,\
         reqwest=error"
    ))
}

#[cfg(test)]
mod tests {
    use std::{
        io,
        sync::{Arc, Mutex},
    };

    use super::*;
    use crate::config::LogLevel;

    #[derive(Clone, Default)]
    struct Written(Arc<Mutex<Vec<u8>>>);

    impl io::Write for Written {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().unwrap().extend_from_slice(bytes);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn libraries_may_not_write_what_passes_through_them_even_when_we_debug() {
        let written = Written::default();
        let into = written.clone();
        let config = LogConfig {
            level: LogLevel::Debug,
            format: LogFormat::Json,
        };
        let lines = fmt::layer()
            .with_writer(move || into.clone())
            .json()
            .flatten_event(true);
        tracing::subscriber::with_default(
            tracing_subscriber::registry().with(filter(&config)).with(lines),
            || {
                tracing::warn!(target: "sqlx::query", "SELECT SECRET");
                tracing::warn!(target: "h2::codec", "SECRET");
                tracing::info!(target: "hyper::client", "SECRET");
                tracing::debug!(target: "sqlx_core::pool", "SECRET");
                tracing::debug!(target: "guest_vault::web::request", status = 200, "answered");
            },
        );
        let text = String::from_utf8(written.0.lock().unwrap().clone()).unwrap();
        assert!(!text.contains("SECRET"), "{text}");
        let line: serde_json::Value = serde_json::from_str(text.trim()).unwrap();
        assert_eq!(line["status"], 200);
        assert_eq!(line["target"], "guest_vault::web::request");
    }
}
