//! A vault somewhere else as the place where imported records go: `POST /v1/imports`, a batch a call, so that a broken
//! connection costs one batch.

use std::{collections::BTreeMap, time::Duration};

use reqwest::{Client, Method, RequestBuilder, Response, StatusCode, Url, redirect};
use secrecy::{ExposeSecret as _, SecretString};
use serde::{
    Deserialize,
    de::value::{Error as ValueError, StrDeserializer},
};

use crate::{
    base::{GuestId, ImportId, PropertyCode, Purpose},
    connect::{hotels::Hotels, house::PropertiesAnswer, intake::reason, ndjson::RecordLine},
    guest::{Outcome, Rejected},
};

use super::{
    FileId,
    sink::{MakeReady, Mode, Put, Sink, SinkError},
};

/// How often a batch is sent when the vault or the way to it is not ready.
const TRIES: u32 = 6;
/// The longest wait between two tries.
const LONGEST_WAIT: Duration = Duration::from_secs(30);
/// How long a batch may take.
const TIMEOUT: Duration = Duration::from_mins(5);

/// Sends records to a vault.
pub struct ServerSink {
    client: Client,
    server: Url,
    key: SecretString,
    property: PropertyCode,
    purpose: Purpose,
    import: Option<ImportId>,
    hotels: Hotels,
}

/// One line of the answer: about a record, the last, or a problem.
#[derive(Deserialize)]
struct AnswerLine {
    outcome: Option<String>,
    guest_id: Option<GuestId>,
    probability: Option<f64>,
    #[serde(default)]
    fields: Vec<String>,
    #[serde(default)]
    rejected: Vec<Rejected>,
    import_id: Option<ImportId>,
    counts: Option<serde::de::IgnoredAny>,
    title: Option<String>,
}

impl ServerSink {
    /// A vault at an address: `https`, or on this machine.
    ///
    /// # Errors
    /// When it is no such address.
    pub fn new(
        server: &str,
        key: SecretString,
        (property, purpose): (PropertyCode, Purpose),
    ) -> Result<Self, SinkError> {
        let wrong = || SinkError("--server must be an address such as https://vault.example.com".to_owned());
        let server = Url::parse(server).map_err(|_| wrong())?;
        let here = matches!(server.host_str(), Some("localhost" | "127.0.0.1" | "[::1]"));
        if server.host_str().is_none() || !(server.scheme() == "https" || (here && server.scheme() == "http"))
        {
            return Err(wrong());
        }
        // An error only says that one was installed before.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let client = Client::builder()
            .redirect(redirect::Policy::none())
            .timeout(TIMEOUT)
            .build()
            .map_err(|error| SinkError(error.without_url().to_string()))?;
        Ok(Self {
            client,
            server,
            key,
            property,
            purpose,
            import: None,
            hotels: Hotels::default(),
        })
    }

    /// Asks for the hotels of the house: whose a stay is, and whose clock tells a moment.
    ///
    /// # Errors
    /// When the vault cannot be asked, or its answer not be read.
    pub async fn learn_hotels(&mut self) -> Result<(), SinkError> {
        let request = self.request(Method::GET, "/v1/properties")?;
        let answer = self.send(request).await?.bytes().await.map_err(unreadable)?;
        let house: PropertiesAnswer =
            serde_json::from_slice(&answer).map_err(|_| SinkError("its answer cannot be read".to_owned()))?;
        let nodes = house.items.into_iter();
        let nodes = nodes.map(|node| (node.code, node.kind, node.timezone));
        self.hotels = Hotels::among(nodes, &self.property);
        Ok(())
    }

    fn post(&self, path: &str) -> Result<RequestBuilder, SinkError> {
        self.request(Method::POST, path)
    }

    #[expect(clippy::disallowed_methods, reason = "shows the vault the key that it gave")]
    fn request(&self, method: Method, path: &str) -> Result<RequestBuilder, SinkError> {
        let url = self
            .server
            .join(path)
            .map_err(|_| SinkError("the address of the vault cannot be used".to_owned()))?;
        Ok(self
            .client
            .request(method, url)
            .bearer_auth(self.key.expose_secret())
            .header("vault-property", self.property.as_str())
            .header("vault-purpose", self.purpose.as_str()))
    }

    /// Sends, again while the vault or the way to it is not ready; records that came twice change nothing.
    async fn send(&self, request: RequestBuilder) -> Result<Response, SinkError> {
        let mut wait = Duration::from_millis(500);
        for _ in 1..TRIES {
            let copy = request
                .try_clone()
                .ok_or_else(|| SinkError("a batch cannot be sent twice".to_owned()))?;
            match copy.send().await {
                Ok(answer) if answer.status().is_success() => return Ok(answer),
                Ok(answer) if !is_passing(answer.status()) => return Err(refusal(answer).await),
                Ok(_) | Err(_) => tokio::time::sleep(wait).await,
            }
            wait = (wait * 2).min(LONGEST_WAIT);
        }
        match request.send().await {
            Ok(answer) if answer.status().is_success() => Ok(answer),
            Ok(answer) => Err(refusal(answer).await),
            Err(error) => Err(SinkError(error.without_url().to_string())),
        }
    }

    /// Takes an import back; gives the answer's words.
    ///
    /// # Errors
    /// When the vault refuses.
    pub async fn roll_back(&self, import: ImportId) -> Result<serde_json::Value, SinkError> {
        let request = self.post(&format!("/v1/imports/{import}/rollback"))?;
        let answer = self.send(request).await?;
        let bytes = answer.bytes().await.map_err(unreadable)?;
        serde_json::from_slice(&bytes).map_err(|_| SinkError("its answer cannot be read".to_owned()))
    }
}

fn is_passing(status: StatusCode) -> bool {
    matches!(status.as_u16(), 408 | 429 | 500 | 502 | 503 | 504)
}

fn unreadable(error: reqwest::Error) -> SinkError {
    SinkError(format!("its answer cannot be read: {}", error.without_url()))
}

/// What the vault says to a call that it refuses; problems hold no value of a record.
async fn refusal(answer: Response) -> SinkError {
    let status = answer.status();
    let bytes = answer.bytes().await.unwrap_or_default();
    let line = serde_json::from_slice::<AnswerLine>(&bytes).ok();
    let title = line.and_then(|line| line.title).unwrap_or_default();
    SinkError(format!("it answered {status}: {title}"))
}

fn put(line: AnswerLine) -> Put {
    let outcome = match line.outcome.as_deref() {
        Some("rejected") => return Put::Refused(line.rejected),
        Some(word) => Outcome::deserialize(StrDeserializer::<ValueError>::new(word)).ok(),
        None => None,
    };
    match outcome {
        Some(outcome) => Put::Stored {
            guest: line.guest_id,
            outcome,
            probability: line.probability.unwrap_or_default(),
            fields: line.fields,
            rejected: line.rejected,
        },
        None => Put::Refused(reason("record", "unknown_outcome")),
    }
}

impl Sink for ServerSink {
    const RECORDS: usize = 200;
    type Ready = (Vec<RecordLine>, Mode);

    fn hotels(&self) -> Hotels {
        self.hotels.clone()
    }

    fn make_ready(&self, mode: Mode) -> MakeReady<Self::Ready> {
        Box::new(move |batch| Box::pin(async move { (batch, mode) }))
    }

    async fn put_batch(&mut self, (batch, mode): Self::Ready) -> Result<Vec<Put>, SinkError> {
        if batch.is_empty() {
            return Ok(Vec::new());
        }
        let mut body = Vec::new();
        for record in &batch {
            serde_json::to_writer(&mut body, record).map_err(|error| SinkError(error.to_string()))?;
            body.push(b'\n');
        }
        let path = match (mode, self.import) {
            (Mode::Check, _) => "/v1/imports?dry_run=true".to_owned(),
            (Mode::Write, Some(import)) => format!("/v1/imports?import={import}"),
            (Mode::Write, None) => "/v1/imports".to_owned(),
        };
        let request = self
            .post(&path)?
            .header("content-type", "application/x-ndjson")
            .body(body);
        let answer = self.send(request).await?.bytes().await.map_err(unreadable)?;
        let mut puts = Vec::with_capacity(batch.len());
        for text in answer
            .split(|byte| *byte == b'\n')
            .filter(|text| !text.is_empty())
        {
            let line: AnswerLine = serde_json::from_slice(text)
                .map_err(|_| SinkError("its answer cannot be read".to_owned()))?;
            if line.counts.is_some() {
                self.import = line.import_id.or(self.import);
                return Ok(puts);
            }
            if let Some(title) = line.title {
                return Err(SinkError(title));
            }
            puts.push(put(line));
        }
        Err(SinkError("its answer broke off".to_owned()))
    }

    /// The vault knows records, not files: an import that goes on sends the file again, which changes nothing twice.
    async fn done(&mut self, _: &FileId) -> Result<u64, SinkError> {
        Ok(0)
    }

    async fn set_done(&mut self, _: &FileId, _: u64) -> Result<(), SinkError> {
        Ok(())
    }

    async fn end(&mut self, alarms: &BTreeMap<String, u64>) -> Result<Option<ImportId>, SinkError> {
        if let Some(import) = self.import {
            let request = self
                .post(&format!("/v1/imports/{import}/end"))?
                .header("content-type", "application/json")
                .body(serde_json::json!({ "alarms": alarms }).to_string());
            self.send(request).await?;
        }
        Ok(self.import)
    }
}
