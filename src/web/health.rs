//! `/healthz` and `/readyz`: is the process alive, may it serve.

use std::{
    collections::BTreeMap,
    sync::atomic::{AtomicBool, Ordering},
    time::Duration,
};

use actix_web::{HttpResponse, web};
use futures_util::future::{BoxFuture, join_all};
use serde::{Deserialize, Serialize};

/// How long one check may take before it counts as failed.
const PATIENCE: Duration = Duration::from_secs(3);

type Run = Box<dyn Fn() -> BoxFuture<'static, bool> + Send + Sync>;

/// One thing that must be in order before the vault serves.
pub struct Check {
    name: &'static str,
    run: Run,
}

impl Check {
    /// A check of this name; `run` answers whether all is well. It is run at each call of `/readyz`.
    pub fn new<F>(name: &'static str, run: impl Fn() -> F + Send + Sync + 'static) -> Self
    where
        F: Future<Output = bool> + Send + 'static,
    {
        Self {
            name,
            run: Box::new(move || Box::pin(run())),
        }
    }
}

/// What must be in order, and whether the process is about to stop.
pub struct Readiness {
    checks: Vec<Check>,
    patience: Duration,
    draining: AtomicBool,
}

impl Readiness {
    /// Ready when all of these are.
    #[must_use]
    pub fn new(checks: Vec<Check>) -> Self {
        Self {
            checks,
            patience: PATIENCE,
            draining: AtomicBool::new(false),
        }
    }

    /// From now on not ready: the process is stopping.
    pub fn drain(&self) {
        self.draining.store(true, Ordering::SeqCst);
    }

    async fn ask(&self) -> Health {
        let asked = self.checks.iter().map(|check| async {
            let well = tokio::time::timeout(self.patience, (check.run)())
                .await
                .unwrap_or(false);
            (
                check.name.to_owned(),
                if well { State::Ok } else { State::Failed },
            )
        });
        let mut checks: BTreeMap<_, _> = join_all(asked).await.into_iter().collect();
        if self.draining.load(Ordering::SeqCst) {
            checks.insert("serving".to_owned(), State::Failed);
        }
        let failed = checks.values().any(|state| *state == State::Failed);
        Health {
            status: if failed { State::Failed } else { State::Ok },
            checks,
        }
    }
}

/// How a check came out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(as = CheckState)]
pub enum State {
    /// In order.
    Ok,
    /// Not in order; the log and `guest-vault doctor` say why.
    Failed,
}

/// How the vault is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct Health {
    /// Whether it may serve.
    pub status: State,
    /// Each check by name.
    pub checks: BTreeMap<String, State>,
}

/// Whether the process is alive.
#[utoipa::path(get, path = "/healthz", tag = "operation", security(()), responses((status = 200, body = Health)))]
pub async fn healthz() -> web::Json<Health> {
    // A turn of the scheduler: a worker that is stuck does not answer.
    tokio::task::yield_now().await;
    web::Json(Health {
        status: State::Ok,
        checks: BTreeMap::new(),
    })
}

/// Whether the vault may serve: database, keys, policy and log are in order.
#[utoipa::path(
    get,
    path = "/readyz",
    tag = "operation",
    security(()),
    responses((status = 200, body = Health), (status = 503, body = Health))
)]
pub async fn readyz(readiness: web::Data<Readiness>) -> HttpResponse {
    let health = readiness.ask().await;
    match health.status {
        State::Ok => HttpResponse::Ok().json(health),
        State::Failed => HttpResponse::ServiceUnavailable().json(health),
    }
}

#[cfg(test)]
mod tests {
    use actix_web::{
        App,
        test::{TestRequest, call_service, init_service, read_body_json},
    };

    use super::*;

    async fn ready(readiness: Readiness) -> (u16, Health) {
        let data = web::Data::new(readiness);
        let app = init_service(App::new().app_data(data).route("/readyz", web::get().to(readyz))).await;
        let response = call_service(&app, TestRequest::with_uri("/readyz").to_request()).await;
        (response.status().as_u16(), read_body_json(response).await)
    }

    #[actix_web::test]
    async fn ready_when_every_check_is_well() {
        let (status, health) = ready(Readiness::new(vec![Check::new("database", || async { true })])).await;
        assert_eq!((status, health.status), (200, State::Ok));
        let checks = vec![
            Check::new("database", || async { true }),
            Check::new("keys", || async { false }),
        ];
        let (status, health) = ready(Readiness::new(checks)).await;
        assert_eq!(
            (status, health.checks["keys"], health.checks["database"]),
            (503, State::Failed, State::Ok)
        );
    }

    #[actix_web::test]
    async fn a_stopping_vault_is_not_ready() {
        let readiness = Readiness::new(Vec::new());
        readiness.drain();
        assert_eq!(ready(readiness).await.0, 503);
    }

    #[actix_web::test]
    async fn a_check_that_hangs_has_failed() {
        let hangs = Check::new("database", std::future::pending);
        let readiness = Readiness {
            patience: Duration::from_millis(5),
            ..Readiness::new(vec![hangs])
        };
        assert_eq!(ready(readiness).await.0, 503);
    }
}
