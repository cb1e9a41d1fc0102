//! The real routes over a real database, in this process.

use std::{collections::BTreeMap, pin::Pin, sync::Arc};

use actix_http::Request;
use actix_web::{
    App as Actix, Error,
    body::{BoxBody, MessageBody, to_bytes},
    dev::{Service, ServiceResponse},
    http::Method,
    middleware::from_fn,
    test::{TestRequest, init_service},
};
use chrono::{DateTime, Utc};
use guest_vault::{
    access::{NewPrincipal, operator},
    app::App,
    base::{Clock, PropertyKind, PropertyNode, PropertyTree, RequestId},
    config::{Config, ConfigFlags},
    on,
    policy::{Policies, PolicySource},
    routes,
    store::{Store, Which},
    web::{Door, RateLimits, refusals, request},
};
use secrecy::ExposeSecret;
use serde_json::{Value, json};

use super::{database::Database, promised};

/// When tests happen, unless they say otherwise.
pub(crate) const NOW: &str = "2026-03-05T10:00:00Z";

/// What a call answered.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) headers: BTreeMap<String, String>,
    pub(crate) body: Value,
    /// Each `Set-Cookie`.
    pub(crate) cookies: Vec<String>,
    /// The body as it came.
    pub(crate) bytes: Vec<u8>,
}

impl Answer {
    /// The page.
    pub(crate) fn text(&self) -> String {
        String::from_utf8_lossy(&self.bytes).into_owned()
    }

    /// The problem's last word, such as `not-found`.
    pub(crate) fn problem(&self) -> &str {
        self.body["type"]
            .as_str()
            .and_then(|t| t.strip_prefix("/problems/"))
            .unwrap_or_default()
    }

    /// How a field is shown.
    pub(crate) fn view(&self, field: &str) -> &str {
        self.body["fields"][field]["view"].as_str().unwrap_or("absent")
    }

    /// What of a field is shown.
    pub(crate) fn value(&self, field: &str) -> &Value {
        &self.body["fields"][field]["value"]
    }
}

/// Who calls, about what.
#[derive(Clone)]
pub(crate) struct Errand {
    key: String,
    property: &'static str,
    purpose: String,
    extra: Vec<(&'static str, String)>,
}

impl Errand {
    pub(crate) fn at(mut self, property: &'static str) -> Self {
        self.property = property;
        self
    }

    pub(crate) fn about(mut self, purpose: &str) -> Self {
        self.purpose = purpose.to_owned();
        self
    }

    pub(crate) fn with(mut self, header: &'static str, value: impl Into<String>) -> Self {
        self.extra.push((header, value.into()));
        self
    }
}

/// A vault of its own, on one of the databases.
pub(crate) struct TestApp {
    pub(crate) app: App,
    pub(crate) clock: Clock,
    keys: tokio::sync::Mutex<BTreeMap<String, String>>,
}

fn policies() -> Arc<Policies> {
    use std::sync::OnceLock;
    // Compiled once for all tests: casbin decides some hundred thousand times.
    static BUILT_IN: OnceLock<Arc<Policies>> = OnceLock::new();
    Arc::clone(BUILT_IN.get_or_init(|| {
        let tree = PropertyTree::new(tree()).expect("the tree is one");
        Arc::new(Policies::load(PolicySource::BuiltIn, &tree).expect("the built-in policy loads"))
    }))
}

pub(crate) fn tree() -> Vec<PropertyNode> {
    let node = |code: &str, kind, parent: Option<&str>, region: &str, timezone| PropertyNode {
        code: code.parse().unwrap(),
        kind,
        parent: parent.map(|p| p.parse().unwrap()),
        name: String::new(),
        region: Some(region.to_owned()),
        province: None,
        timezone,
    };
    vec![
        node("GROUP", PropertyKind::Group, None, "PT", chrono_tz::UTC),
        node(
            "LIS01",
            PropertyKind::Property,
            Some("GROUP"),
            "PT",
            chrono_tz::Europe::Lisbon,
        ),
        node(
            "SHA01",
            PropertyKind::Property,
            Some("GROUP"),
            "CN",
            chrono_tz::Asia::Shanghai,
        ),
    ]
}

impl TestApp {
    pub(crate) async fn start(database: &Database) -> Self {
        Self::start_in(database, tree()).await
    }

    /// In a house of another tree; its codes are among those of [`tree`].
    pub(crate) async fn start_in(database: &Database, tree: Vec<PropertyNode>) -> Self {
        let stores = (database.open(Which::Data).await, database.open(Which::Keys).await);
        Self::assemble(database, stores, tree).await
    }

    /// On stores opened otherwise: data and keys.
    pub(crate) async fn start_on(database: &Database, stores: (Store, Store)) -> Self {
        Self::assemble(database, stores, tree()).await
    }

    async fn assemble(database: &Database, stores: (Store, Store), tree: Vec<PropertyNode>) -> Self {
        let flags = ConfigFlags {
            data_dir: Some(database.dir().join("vault")),
            ..ConfigFlags::default()
        };
        let mut config = Config::load(&flags).expect("the configuration loads");
        config.property = tree;
        config.portal.outbox = true;
        // Most tests are about something else than what a yes has to show.
        config.consent.bare_yes = true;
        // The console's sign-in of a demonstration, so that its pages can be looked at.
        config.console.anybody = true;
        std::fs::create_dir_all(database.dir().join("vault")).unwrap();
        let clock = Clock::fixed(NOW.parse().unwrap());
        let policies = policies();
        let app = App::assemble(&config, clock.clone(), stores, policies)
            .await
            .expect("the app starts");
        Self {
            app,
            clock,
            keys: tokio::sync::Mutex::default(),
        }
    }

    /// Over a vault that is open already.
    pub(crate) fn over(app: App, clock: Clock) -> Self {
        Self {
            app,
            clock,
            keys: tokio::sync::Mutex::default(),
        }
    }

    pub(crate) fn set_clock(&self, at: &str) {
        self.clock.set(at.parse::<DateTime<Utc>>().unwrap());
    }

    /// An errand of a principal of this role: group-wide, `stay_service`, at LIS01.
    pub(crate) async fn role(&self, role: &str) -> Errand {
        self.role_in(role, &["GROUP"]).await
    }

    /// The same of a principal with this scope.
    pub(crate) async fn role_in(&self, role: &str, scope: &[&str]) -> Errand {
        Errand {
            key: self.key(role, scope).await,
            property: "LIS01",
            purpose: "stay_service".to_owned(),
            extra: Vec::new(),
        }
    }

    /// The same for another purpose.
    pub(crate) async fn errand(&self, role: &str, purpose: &str) -> Errand {
        self.role(role).await.about(purpose)
    }

    /// The API key of this role and scope.
    pub(crate) async fn key(&self, role: &str, scope: &[&str]) -> String {
        let mut keys = self.keys.lock().await;
        let name = format!("{role} {scope:?}");
        if let Some(key) = keys.get(&name) {
            return key.clone();
        }
        let new = NewPrincipal {
            name: "test".to_owned(),
            role: role.parse().unwrap(),
            scope: scope.iter().map(|s| s.parse().unwrap()).collect(),
            expires_at: None,
        };
        let by = operator().unwrap();
        let key = self
            .app
            .access
            .principals
            .create(&new, &by, RequestId::random())
            .await
            .unwrap();
        #[expect(clippy::disallowed_methods, reason = "a test shows its own key to the vault")]
        let text = key.text().expose_secret().to_owned();
        keys.insert(name, text.clone());
        text
    }

    pub(crate) async fn call(
        &self,
        errand: &Errand,
        method: Method,
        path: &str,
        body: Option<Value>,
    ) -> Answer {
        let mut request = Self::request(errand, method, path);
        if let Some(body) = body {
            request = request
                .insert_header(("content-type", "application/json"))
                .set_payload(body.to_string());
        }
        self.send(request).await
    }

    /// A call of this errand, for what no client would send to be put in.
    pub(crate) fn request(errand: &Errand, method: Method, path: &str) -> TestRequest {
        let mut request = TestRequest::default()
            .method(method)
            .uri(path)
            .insert_header(("authorization", format!("Bearer {}", errand.key)))
            .insert_header(("vault-property", errand.property))
            .insert_header(("vault-purpose", errand.purpose.as_str()));
        for (name, value) in &errand.extra {
            request = request.insert_header((*name, value.as_str()));
        }
        request
    }

    pub(crate) async fn send(&self, request: TestRequest) -> Answer {
        let request = request.to_request();
        let (method, uri) = (request.method().to_string(), request.uri().to_string());
        let answer = answer(&self.service().await, request).await;
        let media = answer.headers.get("content-type").map_or("", String::as_str);
        promised::hold(&method, &uri, answer.status, media, &answer.body);
        answer
    }

    /// The status of an answer, and its body, of which nothing was asked for yet.
    pub(crate) async fn begin(&self, request: TestRequest) -> (u16, Pin<Box<BoxBody>>) {
        let answer = actix_web::test::call_service(&self.service().await, request.to_request()).await;
        (answer.status().as_u16(), Box::pin(answer.into_body().boxed()))
    }

    async fn service(
        &self,
    ) -> impl Service<Request, Response = ServiceResponse<impl MessageBody + use<>>, Error = Error> + use<>
    {
        let door = Door {
            timeout: std::time::Duration::from_secs(30),
            tls: false,
            trusted_proxies: Arc::from([]),
            rates: Arc::new(RateLimits::new(0, 0)),
        };
        let actix = Actix::new()
            .configure(refusals)
            .configure(routes::configure(&self.app))
            .wrap(from_fn(move |r, next| request::through(door.clone(), r, next)));
        init_service(actix).await
    }

    pub(crate) async fn get(&self, errand: &Errand, path: &str) -> Answer {
        self.call(errand, Method::GET, path, None).await
    }

    pub(crate) async fn post(&self, errand: &Errand, path: &str, body: Value) -> Answer {
        self.call(errand, Method::POST, path, Some(body)).await
    }

    pub(crate) async fn put(&self, errand: &Errand, path: &str, body: Value) -> Answer {
        self.call(errand, Method::PUT, path, Some(body)).await
    }

    pub(crate) async fn patch(&self, errand: &Errand, path: &str, body: Value) -> Answer {
        self.call(errand, Method::PATCH, path, Some(body)).await
    }

    /// Puts a record by the integration role; gives the guest's id.
    pub(crate) async fn guest(&self, source: &str, record: Value) -> String {
        let errand = self.errand("integration", "booking").await;
        let answer = self.put(&errand, &format!("/v1/records/{source}"), record).await;
        assert!(answer.status == 200 || answer.status == 201, "{answer:?}");
        assert_eq!(answer.body["rejected"], json!([]), "a fixture is valid");
        answer.body["guest_id"].as_str().unwrap().to_owned()
    }

    /// What must hold after every test: no gap in the log, no key without a guest, every value opens.
    pub(crate) async fn finish(self) {
        let mut conn = self.app.vault.store.read().await.unwrap();
        for (writer, first, last, count) in conn.audit_writers().await.unwrap() {
            assert_eq!((first, last), (1, count), "writer {writer} has a gap");
        }
        let guests = conn.guests_count().await.unwrap();
        let unproven = "SELECT count(*) FROM consent WHERE entry_id IS NULL";
        let unproven: i64 = on!(&mut conn, c => sqlx::query_scalar(unproven).fetch_one(c).await.unwrap());
        assert_eq!(unproven, 0, "lines of the ledger that no entry commits to");
        drop(conn);
        let inspection = self.app.vault.inspect().await.unwrap();
        assert_eq!(inspection.damaged, 0, "{:?}", inspection.places);
        let keyed = self.app.vault.keys.guests_with_keys(None, 100_000).await.unwrap();
        assert_eq!(
            i64::try_from(keyed.len()).unwrap(),
            guests,
            "keys without a guest, or guests without keys"
        );
        self.app.close().await;
    }
}

async fn answer<B>(
    service: &impl Service<Request, Response = ServiceResponse<B>, Error = Error>,
    request: Request,
) -> Answer
where
    B: actix_web::body::MessageBody + 'static,
{
    let response = match service.call(request).await {
        Ok(response) => response.map_into_boxed_body(),
        Err(error) => panic!("an error instead of an answer: {error}"),
    };
    let headers = response
        .headers()
        .iter()
        .map(|(name, value)| (name.to_string(), value.to_str().unwrap_or_default().to_owned()))
        .collect();
    let cookies = response.headers().get_all("set-cookie");
    let cookies = cookies.map(|value| value.to_str().unwrap().to_owned()).collect();
    let status = response.status().as_u16();
    let bytes = to_bytes(response.into_body())
        .await
        .unwrap_or_else(|_| panic!("the body"));
    let is_json = |headers: &BTreeMap<String, String>| {
        headers
            .get("content-type")
            .is_some_and(|kind| kind.contains("json") && !kind.contains("ndjson"))
    };
    let body = if is_json(&headers) {
        serde_json::from_slice(&bytes).expect("JSON")
    } else {
        Value::Null
    };
    Answer {
        status,
        headers,
        body,
        cookies,
        bytes: bytes.to_vec(),
    }
}
