//! A throw-away PostgreSQL cluster for the whole test process, also as root.
//!
//! It lives as long as the pipe to its shell does, so it ends with this process: a `static` is never
//! dropped, and a panic may skip `Drop`. Under nextest a set-up script starts it (`nextest-pg.sh`).

use std::{
    env,
    ffi::OsString,
    fs,
    io::{BufRead, BufReader},
    os::unix::{fs::chown, process::CommandExt},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::OnceLock,
};

use sqlx::{AssertSqlSafe, Connection, PgConnection, SqlSafeStr, SqlStr};
use uuid::Uuid;

/// Serialises the making of template databases, between threads and between processes.
const TEMPLATE_LOCK: i64 = 7_301;

/// The running cluster.
pub(crate) struct Cluster {
    dir: PathBuf,
    /// Holds the shell's stdin; under nextest the set-up script does.
    _lifeline: Option<Child>,
}

impl Cluster {
    /// The cluster of this test run; `None`, with the reason printed, where PostgreSQL is not installed.
    ///
    /// # Panics
    /// Where it is not installed but `REQUIRE_POSTGRES=1` asks for it, and when it does not start.
    pub(crate) fn shared() -> Option<&'static Self> {
        static CLUSTER: OnceLock<Option<Cluster>> = OnceLock::new();
        let cluster = CLUSTER.get_or_init(Self::start).as_ref();
        if cluster.is_none() {
            let reason = "no `initdb` on PATH or under /usr/lib/postgresql (install `postgresql`)";
            assert!(
                env::var_os("REQUIRE_POSTGRES").is_none_or(|v| v != "1"),
                "{reason}"
            );
            eprintln!("skipped on PostgreSQL: {reason}");
        }
        cluster
    }

    fn start() -> Option<Self> {
        if let Some(dir) = env::var_os("TEST_PG_DIR") {
            return Some(Self {
                dir: dir.into(),
                _lifeline: None,
            });
        }
        let path = path_with_postgres()?;
        let dir = tempfile::tempdir().expect("a temporary directory").keep();
        let mut shell = Command::new("sh");
        // PostgreSQL refuses uid 0: as root, the `postgres` user owns the directory and runs the shell.
        if id(&["-u"]) == 0 {
            let (uid, gid) = as_postgres(&mut shell);
            chown(&dir, Some(uid), Some(gid)).expect("chown");
        }
        let mut child = shell
            .args(["-c", include_str!("pg.sh"), "pg"])
            .arg(&dir)
            .current_dir("/")
            .env("PATH", path)
            .env("LC_ALL", "C")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("sh");
        let mut line = String::new();
        BufReader::new(child.stdout.take().expect("its stdout"))
            .read_line(&mut line)
            .expect("its first line");
        assert_eq!(
            line.trim(),
            "ready",
            "PostgreSQL did not start in {}",
            dir.display()
        );
        Some(Self {
            dir,
            _lifeline: Some(child),
        })
    }

    /// The address of one of its databases.
    pub(crate) fn url(&self, database: &str) -> String {
        format!("postgres:///{database}?host={}&user=test", self.dir.display())
    }

    /// Everything PostgreSQL wrote: tables, WAL and its log.
    pub(crate) fn dir(&self) -> &Path {
        &self.dir
    }

    /// A copy of `template`, which `prepare` fills on first use (it is given the URL, and must close what it opens).
    pub(crate) async fn copy_of(
        &self,
        template: &str,
        purpose: &str,
        prepare: impl AsyncFnOnce(&str),
    ) -> String {
        let mut admin = self.admin().await;
        sqlx::query("SELECT pg_advisory_lock($1)")
            .bind(TEMPLATE_LOCK)
            .execute(&mut admin)
            .await
            .expect("lock");
        let ready: bool = sqlx::query_scalar("SELECT EXISTS (SELECT 1 FROM pg_database WHERE datname = $1)")
            .bind(template)
            .fetch_one(&mut admin)
            .await
            .expect("the databases");
        if !ready {
            let raw = self.copy(template, "template1").await;
            prepare(&self.url(&raw)).await;
            execute(&mut admin, format!("ALTER DATABASE {raw} RENAME TO {template}")).await;
        }
        admin.close().await.expect("unlock");
        self.copy(purpose, template).await
    }

    async fn copy(&self, purpose: &str, template: &str) -> String {
        let name = format!("{purpose}_{}", Uuid::now_v7().simple());
        let mut admin = self.admin().await;
        // Copying files takes a third of the time that copying through the WAL does.
        execute(
            &mut admin,
            format!("CREATE DATABASE {name} TEMPLATE {template} STRATEGY FILE_COPY"),
        )
        .await;
        name
    }

    /// Removes a database, whoever is still connected.
    pub(crate) async fn drop(&self, database: &str) {
        execute(
            &mut self.admin().await,
            format!("DROP DATABASE {database} WITH (FORCE)"),
        )
        .await;
    }

    /// Puts every page on disk, so that a search of the files sees what the tables hold.
    pub(crate) async fn checkpoint(&self) {
        execute(&mut self.admin().await, "CHECKPOINT".into()).await;
    }

    /// What only an administrator of the cluster may do.
    pub(crate) async fn run(&self, sql: String) {
        execute(&mut self.admin().await, sql).await;
    }

    async fn admin(&self) -> PgConnection {
        PgConnection::connect(&self.url("postgres"))
            .await
            .expect("the cluster answers")
    }
}

/// `PATH` with the newest PostgreSQL's programs: Debian keeps them off it.
pub(crate) fn path_with_postgres() -> Option<OsString> {
    let path = env::var_os("PATH").unwrap_or_default();
    let versions = fs::read_dir("/usr/lib/postgresql")
        .into_iter()
        .flatten()
        .flatten();
    let mut debian: Vec<PathBuf> = versions.map(|v| v.path().join("bin")).collect();
    debian.sort();
    let all: Vec<PathBuf> = env::split_paths(&path).chain(debian.into_iter().rev()).collect();
    all.iter()
        .any(|dir| dir.join("initdb").exists())
        .then(|| env::join_paths(all).expect("paths"))
}

async fn execute(connection: &mut PgConnection, sql: String) {
    let shown = sql.clone();
    let text: SqlStr = AssertSqlSafe(sql).into_sql_str();
    sqlx::raw_sql(text)
        .execute(connection)
        .await
        .unwrap_or_else(|e| panic!("{shown}: {e}"));
}

/// Makes the command run as the `postgres` user, and says which that is.
pub(super) fn as_postgres(command: &mut Command) -> (u32, u32) {
    let (uid, gid) = (id(&["-u", "postgres"]), id(&["-g", "postgres"]));
    command.gid(gid).uid(uid);
    (uid, gid)
}

pub(super) fn id(args: &[&str]) -> u32 {
    let out = Command::new("id").args(args).output().expect("id").stdout;
    String::from_utf8_lossy(&out)
        .trim()
        .parse()
        .expect("a number (as root, a `postgres` user is needed)")
}
