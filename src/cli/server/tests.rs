use std::{path::Path, sync::Mutex};

use actix_web::{HttpResponse, web};
use rcgen::{CertifiedKey, generate_simple_self_signed};
use reqwest::Client;
use rustls::{
    ClientConfig, RootCertStore, SupportedProtocolVersion, crypto::ring::default_provider, version,
};
use tokio::sync::oneshot;
use utoipa::openapi::OpenApi;

use super::*;

fn shared() -> Shared {
    Shared {
        readiness: Readiness::new(Vec::new()),
        contract: Contract::new(&OpenApi::default()).unwrap(),
        clock: Clock::system(),
    }
}

fn routes(config: &mut ServiceConfig) {
    config
        .route(
            "/v1/hello",
            web::get().to(async || HttpResponse::Ok().body("hello")),
        )
        .route(
            "/v1/slow",
            web::get().to(async || {
                tokio::time::sleep(Duration::from_millis(300)).await;
                HttpResponse::Ok().body("late but whole")
            }),
        );
}

/// Nobody is told of an address that is not had.
async fn never(_: SocketAddr) -> Result<(), ServerError> {
    panic!("it is not ready")
}

/// A running server.
struct Running {
    address: SocketAddr,
    stop: oneshot::Sender<()>,
    ended: tokio::task::JoinHandle<Result<(), ServerError>>,
}

async fn start(config: ServerConfig) -> Running {
    let (ready, address) = oneshot::channel();
    let (stop, stopped) = oneshot::channel::<()>();
    let ready = Mutex::new(Some(ready));
    let on_ready = async move |at| {
        ready.lock().unwrap().take().unwrap().send(at).unwrap();
        Ok::<_, ServerError>(())
    };
    let stopped = async { drop(stopped.await) };
    let ended =
        actix_web::rt::spawn(async move { serve_until(&config, shared(), routes, on_ready, stopped).await });
    Running {
        address: address.await.unwrap(),
        stop,
        ended,
    }
}

fn config() -> ServerConfig {
    ServerConfig {
        port: 0,
        workers: Some(1),
        ..ServerConfig::default()
    }
}

fn client(
    root: Option<&CertifiedKey<rcgen::KeyPair>>,
    versions: &[&'static SupportedProtocolVersion],
) -> Client {
    let mut roots = RootCertStore::empty();
    if let Some(certified) = root {
        roots.add(certified.cert.der().clone()).unwrap();
    }
    let tls = ClientConfig::builder_with_provider(Arc::new(default_provider()))
        .with_protocol_versions(versions)
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    Client::builder().tls_backend_preconfigured(tls).build().unwrap()
}

fn write(folder: &Path, certified: &CertifiedKey<rcgen::KeyPair>) -> ServerConfig {
    let (cert, key) = (folder.join("cert.pem"), folder.join("key.pem"));
    std::fs::write(&cert, certified.cert.pem()).unwrap();
    std::fs::write(&key, certified.signing_key.serialize_pem()).unwrap();
    ServerConfig {
        tls_cert: Some(cert),
        tls_key: Some(key),
        ..config()
    }
}

#[actix_web::test]
async fn it_serves_on_the_port_that_it_tells_and_stops_when_told() {
    let server = start(config()).await;
    assert_ne!(server.address.port(), 0);
    let client = client(None, rustls::ALL_VERSIONS);
    let url = |path: &str| format!("http://{}{path}", server.address);
    let answer = client.get(url("/v1/hello")).send().await.unwrap();
    assert_eq!(answer.headers()["cache-control"], "no-store");
    assert!(!answer.headers().contains_key("strict-transport-security"));
    assert_eq!(answer.text().await.unwrap(), "hello");
    for (path, status) in [
        ("/healthz", 200),
        ("/readyz", 200),
        ("/docs", 200),
        ("/openapi.json", 200),
        ("/metrics", 404),
        ("/nowhere", 404),
    ] {
        assert_eq!(
            client.get(url(path)).send().await.unwrap().status(),
            status,
            "{path}"
        );
    }
    server.stop.send(()).unwrap();
    server.ended.await.unwrap().unwrap();
    assert!(client.get(url("/healthz")).send().await.is_err());
}

#[actix_web::test]
async fn a_running_request_is_finished_after_a_stop() {
    let server = start(config()).await;
    let request = client(None, rustls::ALL_VERSIONS)
        .get(format!("http://{}/v1/slow", server.address))
        .send();
    let request = actix_web::rt::spawn(request);
    tokio::time::sleep(Duration::from_millis(100)).await;
    server.stop.send(()).unwrap();
    let answer = request.await.unwrap().unwrap();
    assert_eq!(answer.text().await.unwrap(), "late but whole");
    server.ended.await.unwrap().unwrap();
}

#[actix_web::test]
async fn tls_1_2_and_1_3_are_spoken_and_nothing_in_clear() {
    let folder = tempfile::tempdir().unwrap();
    let certified = generate_simple_self_signed(vec!["127.0.0.1".to_owned()]).unwrap();
    let server = start(write(folder.path(), &certified)).await;
    let url = |scheme: &str| format!("{scheme}://{}/v1/hello", server.address);
    for version in [&version::TLS12, &version::TLS13] {
        let answer = client(Some(&certified), &[version])
            .get(url("https"))
            .send()
            .await
            .unwrap();
        assert_eq!(answer.status(), 200);
        assert!(answer.headers().contains_key("strict-transport-security"));
    }
    assert!(
        client(None, rustls::ALL_VERSIONS)
            .get(url("https"))
            .send()
            .await
            .is_err(),
        "an unknown issuer"
    );
    assert!(
        client(None, rustls::ALL_VERSIONS)
            .get(url("http"))
            .send()
            .await
            .is_err(),
        "in clear"
    );
    server.stop.send(()).unwrap();
    server.ended.await.unwrap().unwrap();
}

#[actix_web::test]
async fn what_hinders_the_start_is_told() {
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let busy = ServerConfig {
        port: taken.local_addr().unwrap().port(),
        ..config()
    };
    let told = serve(&busy, shared(), routes, never).await.unwrap_err();
    assert!(told.to_string().contains("try --port 0"), "{told}");
    let missing = ServerConfig {
        tls_cert: Some("/no/cert".into()),
        tls_key: Some("/no/key".into()),
        ..config()
    };
    let told = serve(&missing, shared(), routes, never).await.unwrap_err();
    assert!(matches!(told, ServerError::Tls(_)), "{told}");
}
