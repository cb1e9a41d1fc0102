//! A line to PostgreSQL that can lose the answer to a commit: the server does it, and nobody hears so.

use std::{
    io::{Read, Write},
    net::Shutdown,
    os::unix::net::{UnixListener, UnixStream},
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread,
};

/// The name of the server's socket in its folder.
const SOCKET: &str = ".s.PGSQL.5432";

/// A socket in a folder of its own that passes everything on to a cluster.
pub(crate) struct Line {
    dir: tempfile::TempDir,
    armed: Arc<AtomicBool>,
}

impl Line {
    /// One to the cluster whose socket lies in `cluster`.
    pub(crate) fn to(cluster: &Path) -> Self {
        let dir = tempfile::tempdir().expect("a temporary directory");
        let listener = UnixListener::bind(dir.path().join(SOCKET)).expect("a socket");
        let armed = Arc::new(AtomicBool::new(false));
        let (server, flag) = (cluster.join(SOCKET), Arc::clone(&armed));
        thread::spawn(move || accept(&listener, &server, &flag));
        Self { dir, armed }
    }

    /// Where to connect instead of the cluster.
    pub(crate) fn dir(&self) -> &Path {
        self.dir.path()
    }

    /// The answer to the next commit is lost, and with it the connection.
    pub(crate) fn lose_next_commit(&self) {
        self.armed.store(true, Ordering::SeqCst);
    }

    /// Whether a commit's answer was lost since.
    pub(crate) fn has_lost(&self) -> bool {
        !self.armed.load(Ordering::SeqCst)
    }
}

fn accept(listener: &UnixListener, server: &PathBuf, armed: &Arc<AtomicBool>) {
    for client in listener.incoming().flatten() {
        let Ok(upstream) = UnixStream::connect(server) else {
            continue;
        };
        let lose = Arc::new(AtomicBool::new(false));
        let (from, to) = (
            client.try_clone().expect("a clone"),
            upstream.try_clone().expect("a clone"),
        );
        let (flag, losing) = (Arc::clone(armed), Arc::clone(&lose));
        thread::spawn(move || {
            pass(from, to, |bytes| {
                let commits = bytes.windows(6).any(|word| word.eq_ignore_ascii_case(b"COMMIT"));
                if commits && flag.swap(false, Ordering::SeqCst) {
                    losing.store(true, Ordering::SeqCst);
                }
                true
            });
        });
        thread::spawn(move || pass(upstream, client, |_| !lose.load(Ordering::SeqCst)));
    }
}

/// Passes bytes on until either side ends or `keep` refuses some.
fn pass(mut from: UnixStream, mut to: UnixStream, mut keep: impl FnMut(&[u8]) -> bool) {
    let mut buffer = vec![0; 64 * 1024];
    loop {
        match from.read(&mut buffer) {
            Ok(count) if count > 0 && keep(&buffer[..count]) && to.write_all(&buffer[..count]).is_ok() => {}
            _ => break,
        }
    }
    // Either side may be gone already.
    let _ = (from.shutdown(Shutdown::Both), to.shutdown(Shutdown::Both));
}
