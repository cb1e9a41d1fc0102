//! A transaction pooler without prepared statements (PgBouncer before 1.21, or so configured) in front of the cluster:
//! what the vault must refuse to serve behind.

use std::{
    env, fs,
    os::unix::{fs::chown, net::UnixStream},
    path::Path,
    process::{Child, Command, Stdio},
    thread,
    time::{Duration, Instant},
};

use super::pg::{Cluster, as_postgres, id};

/// Runs until stdin closes, as the cluster does.
const SCRIPT: &str = "pgbouncer -q \"$1/pgbouncer.ini\" & pid=$!; cat >/dev/null; kill -INT $pid; wait $pid";
const PORT: u16 = 6432;

/// A running pooler; ends when dropped.
pub(crate) struct Pooler {
    dir: tempfile::TempDir,
    shell: Child,
}

impl Pooler {
    /// One in front of `cluster`; `None`, with the reason printed, where PgBouncer is not installed.
    ///
    /// # Panics
    /// Where it is not installed but `REQUIRE_POSTGRES=1` asks for it, and when it does not start.
    pub(crate) fn start(cluster: &Cluster) -> Option<Self> {
        let path = format!("{}:/usr/sbin", env::var("PATH").unwrap_or_default());
        if !env::split_paths(&path).any(|dir| dir.join("pgbouncer").exists()) {
            assert!(
                env::var_os("REQUIRE_POSTGRES").is_none_or(|v| v != "1"),
                "no `pgbouncer`"
            );
            eprintln!("skipped: no `pgbouncer` on PATH or in /usr/sbin (install `pgbouncer`)");
            return None;
        }
        let dir = tempfile::tempdir().expect("a temporary directory");
        // max_prepared_statements came with 1.21; where it is known, the older behaviour has to be asked for.
        let ini = |extra: &str| {
            format!(
                "[databases]\n* = host={} user=test\n[pgbouncer]\nlisten_addr =\nlisten_port = {PORT}\n\
                 unix_socket_dir = {}\nauth_type = any\npool_mode = transaction\ndefault_pool_size = 1\n\
                 ignore_startup_parameters = extra_float_digits,search_path,options\n{extra}",
                cluster.dir().display(),
                dir.path().display()
            )
        };
        let version = Command::new("pgbouncer")
            .env("PATH", &path)
            .arg("--version")
            .output()
            .expect("pgbouncer")
            .stdout;
        let old = String::from_utf8_lossy(&version)
            .split(['.', ' ', '\n'])
            .nth(2)
            .is_some_and(|minor| minor.parse::<u16>().is_ok_and(|minor| minor < 21));
        let text = if old {
            ini("")
        } else {
            ini("max_prepared_statements = 0\n")
        };
        fs::write(dir.path().join("pgbouncer.ini"), text).expect("its configuration");
        let shell = Self::shell(dir.path(), &path);
        let pooler = Self { dir, shell };
        pooler.await_socket();
        Some(pooler)
    }

    fn shell(dir: &Path, path: &str) -> Child {
        let mut shell = Command::new("sh");
        if id(&["-u"]) == 0 {
            let (uid, gid) = as_postgres(&mut shell);
            chown(dir, Some(uid), Some(gid)).expect("chown");
        }
        let shell = shell
            .args(["-c", SCRIPT, "pooler"])
            .arg(dir)
            .current_dir("/")
            .env("PATH", path);
        shell.stdin(Stdio::piped()).spawn().expect("sh")
    }

    fn await_socket(&self) {
        let socket = self.dir.path().join(format!(".s.PGSQL.{PORT}"));
        let start = Instant::now();
        // The file is there a moment before anybody listens.
        while UnixStream::connect(&socket).is_err() {
            assert!(
                start.elapsed() < Duration::from_secs(20),
                "pgbouncer did not start"
            );
            thread::sleep(Duration::from_millis(10));
        }
    }

    /// The address of one of the cluster's databases, through the pooler.
    pub(crate) fn url(&self, database: &str) -> String {
        format!(
            "postgres:///{database}?host={}&port={PORT}&user=test",
            self.dir.path().display()
        )
    }
}

impl Drop for Pooler {
    fn drop(&mut self) {
        drop(self.shell.stdin.take());
        let _already_gone = self.shell.wait();
    }
}
