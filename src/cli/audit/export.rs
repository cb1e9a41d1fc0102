//! `guest-vault audit export`: entries for a system that watches many logs, once or as they come.

use std::{
    collections::VecDeque,
    fs,
    io::{self, Write},
    path::{Path, PathBuf},
    sync::Arc,
    time::{Duration, Instant},
};

use chrono::{DateTime, Utc};
use clap::Args;
use rustls::{ClientConfig, RootCertStore};
use rustls_pki_types::{CertificateDer, ServerName, pem::PemObject as _};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
};
use tokio_rustls::{TlsConnector, client::TlsStream};

use super::AuditCommandError;
use crate::{app::App, audit::siem::Format, guest::LogExport};

/// How often new entries are looked for.
const LOOK: Duration = Duration::from_millis(500);
/// How long a receiver that went away is left alone.
const PAUSE: Duration = Duration::from_secs(2);
/// How long a receiver may take to answer a call, or to take a page.
const PATIENCE: Duration = Duration::from_secs(20);

/// `audit export`.
#[derive(Debug, Args)]
pub struct Export {
    /// The form of a line
    #[arg(long, value_enum)]
    pub format: Format,
    /// At or after (RFC 3339)
    #[arg(long, value_name = "TIME")]
    pub from: Option<DateTime<Utc>>,
    /// Before (RFC 3339)
    #[arg(long, value_name = "TIME", conflicts_with = "follow")]
    pub to: Option<DateTime<Utc>>,
    /// Goes on with what comes, until it is stopped
    #[arg(long)]
    pub follow: bool,
    /// A file that remembers the next index, so that another run goes on where this one stopped
    #[arg(long, value_name = "FILE")]
    pub state: Option<PathBuf>,
    /// Sends to a syslog receiver over TLS (RFC 5425) instead of standard output
    #[arg(long, value_name = "HOST:PORT", requires = "syslog_ca")]
    pub syslog_tls: Option<String>,
    /// The certificates that the receiver's is checked against, PEM
    #[arg(long, value_name = "FILE", requires = "syslog_tls")]
    pub syslog_ca: Option<PathBuf>,
}

/// How long what was sent is in doubt: syslog acknowledges nothing, and what lies in the buffers of a connection that
/// breaks is lost.
const DOUBT: Duration = Duration::from_secs(10);
/// So many pages are in doubt at most.
const PAGES: usize = 64;

/// A page that was sent.
struct Sent {
    at: Instant,
    /// Its first index.
    first: u64,
    lines: Vec<String>,
}

/// A syslog receiver.
struct Receiver {
    address: String,
    name: ServerName<'static>,
    connector: TlsConnector,
    stream: Option<TlsStream<TcpStream>>,
    /// What is in doubt; the oldest first.
    sent: VecDeque<Sent>,
}

enum Target<'w> {
    Output(&'w mut dyn Write),
    Receiver(Box<Receiver>),
}

impl Receiver {
    fn new(address: &str, ca: &Path) -> Result<Self, AuditCommandError> {
        let wrong = |cause: String| AuditCommandError::Receiver {
            receiver: address.to_owned(),
            cause,
        };
        let (host, _) = address
            .rsplit_once(':')
            .ok_or_else(|| wrong("HOST:PORT is needed".to_owned()))?;
        let host = host.trim_matches(['[', ']']).to_owned();
        let name = ServerName::try_from(host).map_err(|_| wrong("the host is no name".to_owned()))?;
        let mut roots = RootCertStore::empty();
        let file = |cause: String| AuditCommandError::File {
            path: ca.display().to_string(),
            cause,
        };
        for certificate in CertificateDer::pem_file_iter(ca).map_err(|error| file(error.to_string()))? {
            let certificate = certificate.map_err(|error| file(error.to_string()))?;
            roots.add(certificate).map_err(|error| file(error.to_string()))?;
        }
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let config = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .map_err(|error| wrong(error.to_string()))?
            .with_root_certificates(roots)
            .with_no_client_auth();
        Ok(Self {
            address: address.to_owned(),
            name,
            connector: TlsConnector::from(Arc::new(config)),
            stream: None,
            sent: VecDeque::new(),
        })
    }

    async fn send(&mut self, lines: &[String]) -> io::Result<()> {
        let late = |_| io::Error::from(io::ErrorKind::TimedOut);
        let sent = tokio::time::timeout(PATIENCE, self.send_all(lines)).await;
        let sent = sent.map_err(late).and_then(|sent| sent);
        if sent.is_err() {
            self.stream = None;
        }
        sent
    }

    async fn send_all(&mut self, lines: &[String]) -> io::Result<()> {
        self.look().await;
        if self.stream.is_none() {
            let tcp = TcpStream::connect(&self.address).await?;
            let mut stream = self.connector.connect(self.name.clone(), tcp).await?;
            for sent in &mut self.sent {
                write(&mut stream, &sent.lines).await?;
                sent.at = Instant::now();
            }
            self.stream = Some(stream);
        }
        let Some(stream) = &mut self.stream else {
            return Err(io::ErrorKind::NotConnected.into());
        };
        write(stream, lines).await
    }

    /// Notices that the receiver has broken off: writing tells it only the second time.
    async fn look(&mut self) {
        if let Some(stream) = &mut self.stream
            && let Ok(Ok(0) | Err(_)) = tokio::time::timeout(Duration::ZERO, stream.read(&mut [0])).await
        {
            self.stream = None;
        }
    }

    /// Takes what was sent a while ago over a connection that still stands for delivered.
    async fn settle(&mut self) {
        self.look().await;
        let old = |sent: &Sent| sent.at.elapsed() > DOUBT;
        while self.stream.is_some() && (self.sent.len() > PAGES || self.sent.front().is_some_and(old)) {
            self.sent.pop_front();
        }
    }

    /// Ends the connection, and waits until the receiver has read all and does so too.
    async fn finish(&mut self) -> io::Result<()> {
        self.look().await;
        let Some(stream) = &mut self.stream else {
            return if self.sent.is_empty() {
                Ok(())
            } else {
                Err(io::ErrorKind::ConnectionReset.into())
            };
        };
        stream.shutdown().await?;
        match tokio::time::timeout(DOUBT, stream.read(&mut [0])).await {
            // Few say good-bye in TLS when they close.
            Ok(Err(error)) if error.kind() != io::ErrorKind::UnexpectedEof => return Err(error),
            Err(_) => return Err(io::ErrorKind::TimedOut.into()),
            Ok(_) => {}
        }
        self.sent.clear();
        Ok(())
    }
}

/// Each line with its length before it (RFC 5425 §4.3), so that nothing in a line can begin another.
async fn write(stream: &mut TlsStream<TcpStream>, lines: &[String]) -> io::Result<()> {
    let framed: Vec<String> = lines
        .iter()
        .map(|line| format!("{} {line}", line.len()))
        .collect();
    stream.write_all(framed.concat().as_bytes()).await?;
    stream.flush().await
}

impl Target<'_> {
    /// Gives lines away, the first of which has this index; with a receiver that is gone and `patient`, until it is there
    /// again.
    async fn send(&mut self, first: u64, lines: Vec<String>, patient: bool) -> Result<(), AuditCommandError> {
        match self {
            Self::Output(out) => {
                for line in &lines {
                    writeln!(out, "{line}")?;
                }
                Ok(out.flush()?)
            }
            Self::Receiver(receiver) => loop {
                if lines.is_empty() && receiver.sent.is_empty() {
                    return Ok(());
                }
                match receiver.send(&lines).await {
                    Ok(()) => {
                        if !lines.is_empty() {
                            let at = Instant::now();
                            receiver.sent.push_back(Sent { at, first, lines });
                        }
                        return Ok(());
                    }
                    Err(error) if patient => {
                        tracing::warn!(%error, receiver = receiver.address, "the receiver does not take entries; again");
                        tokio::time::sleep(PAUSE).await;
                    }
                    Err(error) => {
                        return Err(AuditCommandError::Receiver {
                            receiver: receiver.address.clone(),
                            cause: error.to_string(),
                        });
                    }
                }
            },
        }
    }

    /// The index that another run would go on from, where all before this one was sent.
    async fn delivered(&mut self, next: u64) -> u64 {
        match self {
            Self::Output(_) => next,
            Self::Receiver(receiver) => {
                receiver.settle().await;
                receiver.sent.front().map_or(next, |sent| sent.first)
            }
        }
    }

    /// Waits until all is delivered.
    async fn finish(&mut self) -> Result<(), AuditCommandError> {
        match self {
            Self::Output(_) => Ok(()),
            Self::Receiver(receiver) => {
                let finished = receiver.finish().await;
                finished.map_err(|error| AuditCommandError::Receiver {
                    receiver: receiver.address.clone(),
                    cause: format!("it may not have taken the last entries: {error}"),
                })
            }
        }
    }
}

fn remembered(state: Option<&Path>) -> Result<u64, AuditCommandError> {
    let Some(path) = state else { return Ok(0) };
    let wrong = |cause: &str| AuditCommandError::File {
        path: path.display().to_string(),
        cause: cause.to_owned(),
    };
    match fs::read_to_string(path) {
        Ok(text) => text.trim().parse().map_err(|_| wrong("is no index")),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(0),
        Err(error) => Err(wrong(&error.to_string())),
    }
}

fn remember(state: Option<&Path>, next: u64) -> io::Result<()> {
    let Some(path) = state else { return Ok(()) };
    let beside = path.with_extension("new");
    fs::write(&beside, format!("{next}\n"))?;
    fs::rename(beside, path)
}

pub(super) async fn run(arguments: &Export, app: &App, out: &mut dyn Write) -> Result<(), AuditCommandError> {
    let mut target = match (&arguments.syslog_tls, &arguments.syslog_ca) {
        (Some(_), _) if arguments.format != Format::Syslog => {
            return Err(AuditCommandError::Receiver {
                receiver: "--syslog-tls".to_owned(),
                cause: "takes --format syslog only".to_owned(),
            });
        }
        (Some(address), Some(ca)) => Target::Receiver(Box::new(Receiver::new(address, ca)?)),
        _ => Target::Output(out),
    };
    let state = arguments.state.as_deref();
    let first = remembered(state)?;
    app.report_export().await?;
    let export = LogExport::following(&app.vault.store, arguments.format, first).await?;
    let mut export = export.within(arguments.from, arguments.to);
    if !arguments.follow {
        export = export.until_now().await?;
    }
    let (mut faults, mut known) = (0, None);
    loop {
        let first = export.next();
        let page = export.page().await?;
        let more = page.is_some();
        if more || arguments.follow {
            // Also without lines: what a broken connection lost is sent again.
            target
                .send(first, page.unwrap_or_default(), arguments.follow)
                .await?;
        } else {
            target.finish().await?;
        }
        let delivered = target.delivered(export.next()).await;
        if known.replace(delivered) != Some(delivered) {
            remember(state, delivered)?;
        }
        if export.faults() > faults {
            faults = export.faults();
            tracing::error!(
                faults,
                "entries of the log are not as they were signed; see `audit verify`"
            );
        }
        match more {
            true => {}
            false if arguments.follow => tokio::time::sleep(LOOK).await,
            false if faults > 0 => return Err(AuditCommandError::Bad),
            false => return Ok(()),
        }
    }
}
