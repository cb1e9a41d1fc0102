//! Witnesses of the log: a small one, written from C2SP `tlog-witness` and `tlog-cosignature`, that the vault asks.

use std::{
    fs,
    net::TcpListener,
    sync::{Arc, Mutex},
    thread,
    time::{Duration, Instant},
};

use actix_web::{
    App, HttpResponse, HttpServer,
    http::{StatusCode, header},
    web::{self, Data},
};
use data_encoding::{BASE64, HEXLOWER};
use guest_vault::{
    audit::tlog::{
        Step, Stored,
        cosignature::Cosigner,
        mirror::Mirror,
        note::{Checkpoint, Signer, Verifier},
        remote::Remote,
        verify::{Expected, Source, verify},
        witness::{Witness, round},
    },
    crypto::{KeyMaterial, SigningKey, sha256},
};
use tlog_tiles::tlog as oracle;

use crate::support::{
    app::TestApp,
    database::{Database, both},
    process::Process,
};

/// What the witness does that a witness should not.
#[derive(Clone, Copy, PartialEq, Eq, Default)]
enum Fault {
    #[default]
    None,
    /// Signs the checkpoint as if it were the log.
    PlainSignature,
    /// Trusts no key of this log.
    NoTrust,
    /// Does not know the log.
    Unknown,
}

struct State {
    key: SigningKey,
    name: &'static str,
    /// The log that it knows; `None` before it is told, then it takes none.
    log: Mutex<Option<Verifier>>,
    seen: Mutex<Checkpoint>,
    fault: Mutex<Fault>,
}

/// A running witness.
struct Running {
    state: Arc<State>,
    url: String,
    vkey: String,
}

const EMPTY: [u8; 32] = [
    0xe3, 0xb0, 0xc4, 0x42, 0x98, 0xfc, 0x1c, 0x14, 0x9a, 0xfb, 0xf4, 0xc8, 0x99, 0x6f, 0xb9, 0x24, 0x27,
    0xae, 0x41, 0xe4, 0x64, 0x9b, 0x93, 0x4c, 0xa4, 0x95, 0x99, 0x1b, 0x78, 0x52, 0xb8, 0x55,
];

fn key_id(name: &str, kind: u8, public: &[u8; 32]) -> [u8; 4] {
    sha256(&[name.as_bytes(), b"\n", &[kind], public].concat())[..4]
        .try_into()
        .unwrap()
}

impl State {
    fn line(&self, text: &str) -> String {
        let public = self.key.public();
        let bytes = if *self.fault.lock().unwrap() == Fault::PlainSignature {
            [
                key_id(self.name, 1, &public).as_slice(),
                &self.key.sign(text.as_bytes()),
            ]
            .concat()
        } else {
            let time = 1_772_704_800_u64;
            let signed = self
                .key
                .sign(format!("cosignature/v1\ntime {time}\n{text}").as_bytes());
            [
                key_id(self.name, 4, &public).as_slice(),
                &time.to_be_bytes(),
                &signed,
            ]
            .concat()
        };
        format!("— {} {}\n", self.name, BASE64.encode(&bytes))
    }
}

fn conflict(size: u64) -> HttpResponse {
    HttpResponse::Conflict()
        .insert_header((header::CONTENT_TYPE, "text/x.tlog.size"))
        .body(format!("{size}\n"))
}

/// `add-checkpoint`, in the order of the specification.
async fn add_checkpoint(state: Data<Arc<State>>, body: String) -> HttpResponse {
    let answer = |status: StatusCode| HttpResponse::build(status).finish();
    let Some((head, checkpoint)) = body.split_once("\n\n") else {
        return answer(StatusCode::BAD_REQUEST);
    };
    let mut lines = head.split('\n');
    let old: u64 = lines
        .next()
        .unwrap()
        .strip_prefix("old ")
        .unwrap()
        .parse()
        .unwrap();
    let proof: Vec<_> = lines
        .map(|line| oracle::Hash(BASE64.decode(line.as_bytes()).unwrap().try_into().unwrap()))
        .collect();
    let fault = *state.fault.lock().unwrap();
    let verifier = state.log.lock().unwrap().clone();
    let Some(verifier) = verifier.filter(|_| fault != Fault::Unknown) else {
        return answer(StatusCode::NOT_FOUND);
    };
    let Ok(new) = verifier.open(checkpoint.as_bytes()) else {
        return answer(StatusCode::FORBIDDEN);
    };
    if fault == Fault::NoTrust {
        return answer(StatusCode::FORBIDDEN);
    }
    if old > new.size {
        return answer(StatusCode::BAD_REQUEST);
    }
    let mut seen = state.seen.lock().unwrap();
    if old != seen.size || (old == new.size && new.root != seen.root) {
        return conflict(seen.size);
    }
    let grown = old == 0 && proof.is_empty()
        || old == new.size
        || oracle::check_tree(
            &proof,
            new.size,
            oracle::Hash(new.root),
            old,
            oracle::Hash(seen.root),
        )
        .is_ok();
    if !grown {
        return answer(StatusCode::UNPROCESSABLE_ENTITY);
    }
    *seen = new;
    drop(seen);
    let text = &checkpoint[..=checkpoint.rfind("\n\n").unwrap()];
    // Lines of others come along.
    let stranger = "— witness.example/stranger AAAAAAAAAAAA\n".to_owned();
    HttpResponse::Ok().body(stranger + state.line(text).as_str())
}

/// Runs on a thread of its own until the test process ends.
fn start(name: &'static str, seed: u8) -> Running {
    let key = SigningKey::new(KeyMaterial::from_slice(&[seed; 32]).unwrap());
    let public = key.public();
    let material = BASE64.encode(&[&[4], public.as_slice()].concat());
    let vkey = format!("{name}+{}+{material}", HEXLOWER.encode(&key_id(name, 4, &public)));
    let state = Arc::new(State {
        key,
        name,
        log: Mutex::default(),
        seen: Mutex::new(Checkpoint { size: 0, root: EMPTY }),
        fault: Mutex::default(),
    });
    let (told, address) = std::sync::mpsc::channel();
    let shared = Data::new(Arc::clone(&state));
    thread::spawn(move || {
        actix_web::rt::System::new().block_on(async move {
            let server = HttpServer::new(move || {
                App::new()
                    .app_data(shared.clone())
                    .route("/w/add-checkpoint", web::post().to(add_checkpoint))
            })
            .workers(1)
            .disable_signals()
            .bind(("127.0.0.1", 0))
            .unwrap();
            told.send(server.addrs()[0]).unwrap();
            server.run().await.unwrap();
        });
    });
    let url = format!("http://{}/w", address.recv().unwrap());
    Running { state, url, vkey }
}

impl Running {
    fn know(&self, verifier: &Verifier) {
        *self.state.log.lock().unwrap() = Some(verifier.clone());
    }

    fn cosigner(&self) -> Cosigner {
        Cosigner::parse(&self.vkey).unwrap()
    }

    /// A client that remembers nothing yet.
    fn client(&self) -> Witness {
        Witness::new(Remote::new(&self.url, None).unwrap(), self.cosigner())
    }
}

async fn grow(app: &TestApp, looks: usize) -> Stored {
    let desk = app.role("front_desk").await;
    for n in 0..looks {
        let path = format!("/v1/guests/00000000-0000-7000-8000-{n:012}");
        assert_eq!(app.get(&desk, &path).await.status, 404);
    }
    while matches!(app.app.sequencer.step().await.unwrap(), Step::Grown(_)) {}
    Stored::new(app.app.vault.store.clone())
}

async fn two_witnesses_cosign(database: &Database) {
    let app = TestApp::start(database).await;
    let verifier = app.app.sequencer.signer().verifier().clone();
    let (one, two) = (start("witness.example/one", 11), start("witness.example/two", 22));
    one.know(&verifier);
    two.know(&verifier);
    let clients = [one.client(), two.client()];
    let (dir, auditor) = (
        database.dir().join("mirror"),
        app.errand("auditor", "internal_audit").await,
    );
    let mirror = Mirror::new(dir.clone(), verifier.clone());
    for looks in [3, 300, 1] {
        let log = grow(&app, looks).await;
        let done = round(&log, &verifier, &clients).await.unwrap();
        let (size, note) = log.checkpoint().await.unwrap().unwrap();
        assert!(done.missing.is_empty() && done.cosigned == Some(size));
        for witness in [&one, &two] {
            assert!(
                witness.cosigner().cosigned_note(note.as_bytes()).is_some(),
                "{note}"
            );
        }
        assert!(!note.contains("stranger"), "{note}");
        assert_eq!(verifier.open(note.as_bytes()).unwrap().size, size);
        assert!(
            round(&log, &verifier, &clients).await.unwrap().cosigned.is_none(),
            "nothing new"
        );
        let served = app.get(&auditor, "/v1/audit/log/cosigned").await;
        assert_eq!((served.status, served.bytes), (200, note.into_bytes()));
        mirror.update(&log).await.unwrap();
    }
    // The log grows on; what was cosigned is kept beside it, and still proven to be its beginning.
    let log = grow(&app, 20).await;
    mirror.update(&log).await.unwrap();
    let expect = async |witnesses: Vec<Cosigner>, enough| {
        let expected = Expected {
            since: None,
            witnesses: (witnesses, enough),
            whole: false,
        };
        verify(&Source::Folder(dir.clone()), &verifier, expected, |_, _| ())
            .await
            .unwrap()
    };
    let both = expect(vec![one.cosigner(), two.cosigner()], 2).await;
    assert!(
        both.is_good() && both.witnessed == Some(true) && both.witnesses.len() == 2,
        "{both:?}"
    );
    let stranger = start("witness.example/three", 33).cosigner();
    let lacking = expect(vec![one.cosigner(), stranger.clone()], 2).await;
    assert!(
        !lacking.is_good() && lacking.witnessed == Some(false),
        "{lacking:?}"
    );
    assert!(expect(vec![one.cosigner(), stranger], 1).await.is_good());

    // A client whose checkpoint another process's has overtaken is no case for an alarm: the witness is asked again.
    let (older, text) = log.checkpoint().await.unwrap().unwrap();
    let log = grow(&app, 1).await;
    round(&log, &verifier, &clients).await.unwrap();
    let overtaken = one.client().cosign(&log, older, &text).await.unwrap_err();
    assert!(overtaken.word().is_none(), "{overtaken}");

    // A client that was restarted learns from the witness where it stands.
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let silent = format!("http://{}", silent.local_addr().unwrap());
    let silent = Witness::new(Remote::new(&silent, None).unwrap(), two.cosigner());
    let fresh = [one.client(), silent];
    let mut took = Duration::ZERO;
    for _ in 0..2 {
        let log = grow(&app, 1).await;
        let (size, _) = log.checkpoint().await.unwrap().unwrap();
        let begun = Instant::now();
        assert_eq!(round(&log, &verifier, &fresh).await.unwrap().cosigned, Some(size));
        took = begun.elapsed();
    }
    assert!(
        took < Duration::from_secs(4),
        "one that hangs keeps the others waiting once: {took:?}"
    );
    app.finish().await;
}
both!(cosign, async |database| two_witnesses_cosign(database).await);

async fn refusals_say_why(database: &Database) {
    let app = TestApp::start(database).await;
    let verifier = app.app.sequencer.signer().verifier().clone();
    let witness = start("witness.example/w", 44);
    let log = grow(&app, 10).await;
    let (size, _) = log.checkpoint().await.unwrap().unwrap();
    let root = log.root_at(size).await.unwrap();
    let ask = async || {
        let done = round(&log, &verifier, &[witness.client()]).await.unwrap();
        done.missing.first().and_then(|(_, error)| error.word())
    };
    assert_eq!(ask().await, Some("origin_unknown"));
    witness.know(&verifier);
    for (fault, word) in [
        (Fault::NoTrust, "signature_not_trusted"),
        (Fault::PlainSignature, "no_cosignature"),
    ] {
        *witness.state.fault.lock().unwrap() = fault;
        assert_eq!(ask().await, Some(word));
    }
    *witness.state.fault.lock().unwrap() = Fault::None;
    for (seen, word) in [
        (Checkpoint { size: size + 5, root }, "witness_ahead"),
        (Checkpoint { size, root: [1; 32] }, "another_tree"),
        (
            Checkpoint {
                size: size - 2,
                root: [1; 32],
            },
            "inconsistent",
        ),
    ] {
        *witness.state.seen.lock().unwrap() = seen;
        // The first answer tells the size, the second the truth.
        assert_eq!(ask().await, Some(word));
    }
    assert_eq!(log.cosigned().await.unwrap(), None);
    *witness.state.seen.lock().unwrap() = Checkpoint {
        size: size - 2,
        root: log.root_at(size - 2).await.unwrap(),
    };
    assert_eq!(ask().await, None);
    let nobody = Witness::new(
        Remote::new("http://127.0.0.1:1/w", None).unwrap(),
        witness.cosigner(),
    );
    let log = grow(&app, 1).await;
    let done = round(&log, &verifier, &[nobody]).await.unwrap();
    assert_eq!(
        done.missing.first().map(|(_, error)| error.word()),
        Some(None),
        "it is asked again"
    );
    app.finish().await;
}
both!(refuse, async |database| refusals_say_why(database).await);

#[test]
fn a_refusal_is_an_event_of_the_log() {
    let folder = tempfile::tempdir().unwrap();
    let dir = folder.path();
    let witness = start("witness.example/refuses", 55);
    let config = format!(
        "[[audit.witness]]\nurl = \"{}\"\nvkey = \"{}\"\n",
        witness.url, witness.vkey
    );
    fs::write(dir.join("guest-vault.toml"), config).unwrap();
    let process = Process::start(
        dir,
        &["serve", "--json", "--port", "0", "--log-mirror", "mirror"],
        &[],
    );
    let started = Instant::now();
    let told = || {
        let bundles = fs::read_dir(dir.join("mirror/tile/entries/000.p"));
        let files = bundles.into_iter().flatten().filter_map(Result::ok);
        let entries = files.filter_map(|file| fs::read(file.path()).ok());
        entries
            .map(|bytes| String::from_utf8_lossy(&bytes).into_owned())
            .any(|text| {
                text.contains(r#""act":"witness_refused""#) && text.contains(r#""outcome":"origin_unknown""#)
            })
    };
    while !told() {
        assert!(
            started.elapsed() < Duration::from_secs(20),
            "{}",
            process.stderr()
        );
        thread::sleep(Duration::from_millis(50));
    }
    assert!(process.terminate().success());
}

#[test]
fn a_quorum_is_of_different_keys_and_of_one_at_least() {
    let folder = tempfile::tempdir().unwrap();
    let dir = folder.path();
    let witness = start("witness.example/twice", 56);
    let key = SigningKey::new(KeyMaterial::from_slice(&[57; 32]).unwrap());
    let log = Signer::new(None, key).unwrap().verifier().vkey();
    for (witnesses, quorum) in [(2, "2"), (1, "0"), (1, "2")] {
        let mut args = vec![
            "audit", "verify", "--dir", "none", "--vkey", &log, "--quorum", quorum,
        ];
        for _ in 0..witnesses {
            args.extend(["--witness", &witness.vkey]);
        }
        let ran = Process::run(dir, &args, &[]);
        let told = String::from_utf8(ran.stderr).unwrap();
        assert_eq!(ran.status.code(), Some(2), "{told}");
        assert!(told.contains("--quorum"), "{told}");
    }
}
