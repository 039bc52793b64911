//! Building a client: credential, base URL, time limits, environment.

use std::ops::Deref;
use std::time::Duration;

use progenitor_client::{ClientInfo as _, ResponseValue};
use reqwest::Url;
use serde::de::DeserializeOwned;
use serde::de::value::UnitDeserializer;

use crate::credential::Credential;
use crate::error::{Error, ErrorKind};
use crate::raw;
use crate::secret::Secret;
use crate::transport::Transport;
use crate::wire::Envelope;

/// Where the service lives.
pub const BASE_URL: &str = "https://api.liveavatar.com";

/// The environment variable with the API key.
pub const API_KEY_VARIABLE: &str = "LIVEAVATAR_API_KEY";

/// The environment variable with another base URL than [`BASE_URL`].
pub const BASE_URL_VARIABLE: &str = "LIVEAVATAR_BASE_URL";

/// A connection stands in 0.6 s on ordinary days (field reports); after this the network is at fault.
const CONNECT_LIMIT: Duration = Duration::from_secs(10);

/// A whole call: starting a session takes 4 s as a rule and up to 30 s on bad days (field reports).
const CALL_LIMIT: Duration = Duration::from_secs(45);

/// Codes in the envelope of a call that succeeded: the document's default and what recorded answers show.
const SUCCESS: [i64; 2] = [100, 1000];

/// A client of the service.
///
/// It dereferences to the generated [`raw::Client`], whose methods are the operations. Clones share one pool of
/// connections and are cheap.
///
/// ```no_run
/// # async fn list() -> Result<(), liveavatar_api::Error> {
/// use liveavatar_api::{Client, IntoData as _};
///
/// let client = Client::from_env()?;
/// for avatar in client.list_public_avatars().send().await.into_data()?.results {
///     println!("{} {}", avatar.id, avatar.name);
/// }
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug)]
pub struct Client {
    raw: raw::Client,
}

impl Client {
    /// A client of the service with an API key.
    ///
    /// # Errors
    /// When the key is empty or no header can carry it.
    pub fn new(api_key: impl Into<Secret>) -> Result<Self, Error> {
        Self::builder().credential(Credential::api_key(api_key)?).build()
    }

    /// A client as the environment says: [`API_KEY_VARIABLE`] and, if set, [`BASE_URL_VARIABLE`].
    ///
    /// # Errors
    /// When the key is missing or either value cannot be used.
    pub fn from_env() -> Result<Self, Error> {
        let key = std::env::var(API_KEY_VARIABLE).map_err(|_| {
            Error::refused(format!(
                "{API_KEY_VARIABLE} is not set; create a key in the service's settings and set it"
            ))
        })?;
        let mut builder = Self::builder().credential(Credential::api_key(key)?);
        if let Ok(base) = std::env::var(BASE_URL_VARIABLE) {
            builder = builder.base_url(base);
        }
        builder.build()
    }

    /// A client built step by step.
    pub fn builder() -> ClientBuilder {
        ClientBuilder { base_url: BASE_URL.to_owned(), credential: None }
    }

    /// This client with another credential, on the same connections.
    #[must_use]
    pub fn with_credential(&self, credential: Credential) -> Self {
        let transport = Transport { credential: Some(credential) };
        Self { raw: raw::Client::new_with_client(self.raw.baseurl(), self.raw.client().clone(), transport) }
    }
}

impl Deref for Client {
    type Target = raw::Client;

    fn deref(&self) -> &raw::Client {
        &self.raw
    }
}

/// Builds a [`Client`].
#[derive(Clone, Debug)]
#[must_use]
pub struct ClientBuilder {
    base_url: String,
    credential: Option<Credential>,
}

impl ClientBuilder {
    /// Another address than [`BASE_URL`]; plain `http` is accepted on this machine only.
    pub fn base_url(mut self, base_url: impl Into<String>) -> Self {
        self.base_url = base_url.into();
        self
    }

    /// What calls are signed with; without one only public operations can be called.
    pub fn credential(mut self, credential: Credential) -> Self {
        self.credential = Some(credential);
        self
    }

    /// Builds the client; nothing is sent.
    ///
    /// # Errors
    /// When the base URL cannot be used, or TLS cannot be set up.
    pub fn build(self) -> Result<Client, Error> {
        let (base_url, local) = base(&self.base_url)?;
        let mut http = reqwest::Client::builder()
            .user_agent(concat!("liveavatar-api/", env!("CARGO_PKG_VERSION")))
            .connect_timeout(CONNECT_LIMIT)
            .timeout(CALL_LIMIT)
            // The default policy forwards `X-API-KEY` to whatever host an answer names.
            .redirect(reqwest::redirect::Policy::none())
            .https_only(!local);
        if local {
            // A proxy that the environment names cannot reach a service on this machine.
            http = http.no_proxy();
        }
        let http = http.build()?;
        let transport = Transport { credential: self.credential };
        Ok(Client { raw: raw::Client::new_with_client(&base_url, http, transport) })
    }
}

/// The base URL without a slash at its end, and whether it is plain `http` on this machine.
fn base(text: &str) -> Result<(String, bool), Error> {
    let refuse = |why: &str| Error::refused(format!("the base URL {why}"));
    let url = Url::parse(text.trim()).map_err(|error| refuse("is not an address").caused_by(error))?;
    let loopback = match url.host_str() {
        Some("localhost") => true,
        Some(host) => {
            host.trim_matches(['[', ']']).parse::<std::net::IpAddr>().is_ok_and(|ip| ip.is_loopback())
        }
        None => return Err(refuse("names no host")),
    };
    if !url.username().is_empty() || url.password().is_some() {
        return Err(refuse("carries a user or a password; credentials are given separately"));
    }
    if url.query().is_some() || url.fragment().is_some() {
        return Err(refuse("has a query or a fragment"));
    }
    match url.scheme() {
        "https" => {}
        "http" if loopback => {}
        "http" => {
            return Err(refuse("is plain http, over which anyone could read the credential: use https"));
        }
        _ => return Err(refuse("is neither https nor http")),
    }
    Ok((url.as_str().trim_end_matches('/').to_owned(), url.scheme() == "http"))
}

/// Opens the envelope of a generated call's answer.
pub trait IntoData {
    /// What the envelope holds.
    type Data;

    /// The data of a call that succeeded.
    ///
    /// Success is judged by the HTTP status; the codes 100 and 1000 both mean it, and an absent code does too.
    ///
    /// # Errors
    /// When the call failed, or the envelope of a 2xx says that it did, or holds no data where some is needed.
    fn into_data(self) -> Result<Self::Data, Error>;
}

impl<T: DeserializeOwned> IntoData for Result<ResponseValue<Envelope<T>>, progenitor_client::Error<()>> {
    type Data = T;

    fn into_data(self) -> Result<T, Error> {
        let answer = self?;
        let status = answer.status().as_u16();
        let envelope = answer.into_inner();
        if let Some(code) = envelope.code
            && !SUCCESS.contains(&code)
        {
            return Err(Error::service(status, code, envelope.message.as_deref()));
        }
        match envelope.data {
            Some(data) => Ok(data),
            // Operations without data have a type that reads from nothing.
            None => T::deserialize(UnitDeserializer::<serde::de::value::Error>::new())
                .map_err(|_| Error::decode("the answer holds no data, although the call succeeded")),
        }
    }
}

impl IntoData for Result<ResponseValue<()>, progenitor_client::Error<()>> {
    type Data = ();

    fn into_data(self) -> Result<(), Error> {
        self?;
        Ok(())
    }
}

impl Error {
    /// Whether the service answered that there is no such thing, which for a session means that it has ended.
    #[must_use]
    pub fn is_not_found(&self) -> bool {
        self.kind() == ErrorKind::NotFound
    }
}
