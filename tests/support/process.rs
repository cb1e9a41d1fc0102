//! The built binary as its users meet it: started, watched, killed.

use std::{
    fs::{self, File},
    net::TcpListener,
    path::{Path, PathBuf},
    process::{Child, Command, ExitStatus, Output, Stdio},
    thread,
    time::{Duration, Instant},
};

use super::http::{self, Reply};

/// How long a start, a stop or a command may take on a busy machine.
const PATIENCE: Duration = Duration::from_mins(1);

/// A running `guest-vault`; killed when dropped.
pub(crate) struct Process {
    child: Child,
    stdout: PathBuf,
    stderr: PathBuf,
}

impl Process {
    /// Starts it in `dir`, with no environment but `env`; what it prints goes to `stdout.log` and `stderr.log` there.
    pub(crate) fn start(dir: &Path, args: &[&str], env: &[(&str, &str)]) -> Self {
        let mut command = Command::new(env!("CARGO_BIN_EXE_guest-vault"));
        command.args(args).env_clear().envs(env.iter().copied());
        Self::of(dir, command)
    }

    /// Starts any command in the same way.
    pub(crate) fn of(dir: &Path, mut command: Command) -> Self {
        let (stdout, stderr) = (dir.join("stdout.log"), dir.join("stderr.log"));
        let log = |path| {
            File::options()
                .create(true)
                .append(true)
                .open(path)
                .expect("a log file")
        };
        command
            .current_dir(dir)
            .stdin(Stdio::null())
            .stdout(log(&stdout))
            .stderr(log(&stderr));
        Self {
            child: command.spawn().expect("the program"),
            stdout,
            stderr,
        }
    }

    /// Runs a command to its end.
    ///
    /// # Panics
    /// When it does not end in time.
    pub(crate) fn run(dir: &Path, args: &[&str], env: &[(&str, &str)]) -> Output {
        let mut process = Self::start(dir, args, env);
        let (out, err) = (process.stdout().len(), process.stderr().len());
        let status = process.wait();
        Output {
            status,
            stdout: process.stdout().split_off(out).into_bytes(),
            stderr: process.stderr().split_off(err).into_bytes(),
        }
    }

    /// Everything it printed to stdout so far.
    pub(crate) fn stdout(&self) -> String {
        fs::read_to_string(&self.stdout).unwrap_or_default()
    }

    /// Everything it printed to stderr so far.
    pub(crate) fn stderr(&self) -> String {
        fs::read_to_string(&self.stderr).unwrap_or_default()
    }

    /// The first line of stdout that `wanted` accepts.
    ///
    /// # Panics
    /// When the process ends first or takes too long; shows what it said.
    pub(crate) fn line(&mut self, wanted: impl Fn(&str) -> bool) -> String {
        self.until("print the line", |p| {
            p.stdout().lines().find(|line| wanted(line)).map(str::to_owned)
        })
    }

    /// Waits until `GET /readyz` at `address` (`host:port`) says 200.
    pub(crate) fn ready(&mut self, address: &str) {
        self.until("become ready", |_| {
            get(address, "/readyz")
                .filter(|reply| reply.status == 200)
                .map(|_| ())
        });
    }

    /// Its id.
    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Asks it to stop (SIGTERM) and waits.
    pub(crate) fn terminate(mut self) -> ExitStatus {
        self.signal("TERM");
        self.wait()
    }

    /// Ends it in the middle of whatever it does.
    pub(crate) fn kill_nine(mut self) {
        self.child.kill().expect("kill -9");
        self.child.wait().expect("its end");
    }

    /// Sends a signal by its name.
    pub(crate) fn signal(&self, name: &str) {
        let sent = Command::new("kill")
            .args(["-s", name, &self.child.id().to_string()])
            .status();
        assert!(sent.expect("kill").success(), "the process is already gone");
    }

    /// Waits for its end.
    ///
    /// # Panics
    /// When it does not end in time; shows what it said.
    pub(crate) fn wait(&mut self) -> ExitStatus {
        let start = Instant::now();
        loop {
            if let Some(status) = self.child.try_wait().expect("its state") {
                return status;
            }
            assert!(start.elapsed() < PATIENCE, "it did not end: {}", self.stderr());
            thread::sleep(Duration::from_millis(10));
        }
    }

    fn until<T>(&mut self, what: &str, probe: impl Fn(&Self) -> Option<T>) -> T {
        let start = Instant::now();
        loop {
            if let Some(answer) = probe(self) {
                return answer;
            }
            let ended = self.child.try_wait().expect("its state");
            assert!(
                ended.is_none(),
                "it ended ({ended:?}) and did not {what}: {}",
                self.stderr()
            );
            assert!(start.elapsed() < PATIENCE, "it did not {what}: {}", self.stderr());
            thread::sleep(Duration::from_millis(10));
        }
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _already_gone = self.child.kill();
        let _already_waited = self.child.wait();
    }
}

fn get(address: &str, path: &str) -> Option<Reply> {
    http::request(address, "GET", path, &[], &[]).ok()
}

/// A port that nobody listens on now.
pub(crate) fn free_port() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    listener.local_addr().expect("its address").port()
}
