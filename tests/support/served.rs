//! The real program, serving: as its users start it, with a key for each role.

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
};

use super::{
    database::Database,
    http::{self, Reply},
    process::{Process, free_port},
};

/// Opens `/metrics`.
pub(crate) const METRICS_TOKEN: &str = "a-token-for-the-numbers-only";

/// A running vault on a folder that outlives it.
pub(crate) struct Served {
    process: Process,
    pub(crate) address: String,
    dir: PathBuf,
    options: Vec<String>,
    keys: BTreeMap<String, String>,
}

impl Served {
    /// Makes a vault on this database with a principal of each role, and serves it.
    pub(crate) fn start(database: &Database, roles: &[&str]) -> Self {
        let dir = database.dir().join("served");
        fs::create_dir_all(&dir).expect("a folder");
        fs::write(dir.join("guest-vault.toml"), configuration()).expect("a configuration");
        let mut options: Vec<String> = ["--data-dir", "data", "--log-level", "debug"]
            .map(str::to_owned)
            .into();
        if database.cluster().is_some() {
            options.extend(["--database-url".to_owned(), database.data_url()]);
            options.extend(["--keys-url".to_owned(), database.keys_url()]);
        }
        let keys = roles
            .iter()
            .map(|role| ((*role).to_owned(), principal(&dir, &options, role)))
            .collect();
        let (process, address) = serve(&dir, &options);
        Self {
            process,
            address,
            dir,
            options,
            keys,
        }
    }

    /// Ends it in the middle of whatever it does.
    pub(crate) fn kill_nine(&self) {
        self.process.signal("KILL");
    }

    /// Serves the same folder again.
    pub(crate) fn restart(mut self) -> Self {
        self.process.wait();
        (self.process, self.address) = serve(&self.dir, &self.options);
        self
    }

    /// Serves the same folder again, to end by itself at one of the places where tests end it.
    pub(crate) fn restart_until(mut self, point: &str) -> Self {
        self.process.wait();
        (self.process, self.address) = serve_with(&self.dir, &self.options, &[("FAULT_POINT", point)]);
        self
    }

    /// Asks it to stop and waits until it has.
    pub(crate) fn terminate(self) -> bool {
        self.process.terminate().success()
    }

    /// The secret parts of its callers' keys.
    pub(crate) fn secrets(&self) -> impl Iterator<Item = &str> {
        self.keys.values().filter_map(|key| key.rsplit('_').next())
    }

    /// What it keeps: its data and its log, but not what it printed for the operator.
    pub(crate) fn kept(&self) -> [PathBuf; 2] {
        [self.dir.join("data"), self.dir.join("stderr.log")]
    }

    /// The headers of a call of this role.
    pub(crate) fn headers(&self, role: &str, purpose: &str) -> Vec<(String, String)> {
        [
            ("Authorization", format!("Bearer {}", self.keys[role])),
            ("Vault-Property", "LIS01".to_owned()),
            ("Vault-Purpose", purpose.to_owned()),
            ("Content-Type", "application/json".to_owned()),
        ]
        .map(|(name, value)| (name.to_owned(), value))
        .into()
    }

    /// One call.
    pub(crate) fn call(
        &self,
        (method, path): (&str, &str),
        headers: &[(String, String)],
        body: &[u8],
    ) -> std::io::Result<Reply> {
        let headers: Vec<(&str, &str)> = headers.iter().map(|(n, v)| (n.as_str(), v.as_str())).collect();
        http::request(&self.address, method, path, &headers, body)
    }
}

fn serve(dir: &Path, options: &[String]) -> (Process, String) {
    serve_with(dir, options, &[])
}

fn serve_with(dir: &Path, options: &[String], env: &[(&str, &str)]) -> (Process, String) {
    let port = free_port();
    let shown = port.to_string();
    let mut args = vec!["serve", "--port", &shown];
    args.extend(options.iter().map(String::as_str));
    let mut process = Process::start(dir, &args, env);
    let address = format!("127.0.0.1:{port}");
    process.ready(&address);
    (process, address)
}

fn principal(dir: &Path, options: &[String], role: &str) -> String {
    let mut args = vec![
        "principal",
        "create",
        "--role",
        role,
        "--property",
        "GROUP",
        "--json",
    ];
    args.extend(options.iter().map(String::as_str));
    let output = Process::run(dir, &args, &[]);
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    let told: serde_json::Value = serde_json::from_slice(&output.stdout).expect("JSON");
    // The key is printed for its owner, here us; what the process keeps must not hold it.
    told["key"].as_str().expect("the key").to_owned()
}

fn configuration() -> String {
    format!(
        r#"[server]
metrics_token = "{METRICS_TOKEN}"

[[property]]
code = "GROUP"
kind = "group"

[[property]]
code = "LIS01"
kind = "property"
parent = "GROUP"
region = "PT"
timezone = "Europe/Lisbon"
"#
    )
}
