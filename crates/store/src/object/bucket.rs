//! S3 and what speaks like it, by the crate `object_store` (signatures, retries, listings) over the HTTP client that this
//! program has already: the crate's own would bring a second one and a second TLS.

use std::io;
use std::path::PathBuf;
use std::time::Duration;

use bytes::Bytes;
use futures_util::StreamExt;
use http_body_util::BodyExt;
use object_store::aws::{AmazonS3, AmazonS3Builder};
use object_store::client::{
    ClientOptions, HttpClient, HttpConnector, HttpError, HttpErrorKind, HttpRequest, HttpResponse,
    HttpResponseBody, HttpService,
};
use object_store::path::Path;
use object_store::{ObjectStore, ObjectStoreExt, PutMode, PutOptions, RetryConfig};
use ureq::http::{Method, Request};

use super::Objects;
use crate::http::agent;

const SCHEME: &str = "s3://";
/// Tries beside the first, and how long all of them may take: the writer keeps rows in its log and comes back.
const RETRIES: usize = 3;
const RETRY_WAIT: Duration = Duration::from_secs(20);

/// Where an object store is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ObjectPlace {
    bucket: String,
    prefix: String,
    endpoint: Option<String>,
    region: Option<String>,
    /// Folder of this machine for the log.
    pub local: Option<PathBuf>,
}

/// What is wrong with the URL.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error(
    "{0}; write s3://BUCKET/PREFIX?endpoint=URL&region=NAME&local=DIR (keys in AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY)"
)]
pub struct ObjectPlaceError(String);

impl ObjectPlace {
    /// Is the text a URL of an object store?
    pub fn is_url(text: &str) -> bool {
        text.starts_with(SCHEME)
    }

    /// Reads the URL.
    ///
    /// # Errors
    /// Says which part is wrong.
    pub fn parse(url: &str) -> Result<Self, ObjectPlaceError> {
        let wrong = |why: String| ObjectPlaceError(why);
        let rest = url.strip_prefix(SCHEME);
        let rest = rest.ok_or_else(|| wrong("not a URL of an object store".to_owned()))?;
        let (rest, options) = rest.split_once('?').unwrap_or((rest, ""));
        let (bucket, prefix) = rest.split_once('/').unwrap_or((rest, ""));
        if bucket.is_empty() {
            return Err(wrong("the bucket is missing".to_owned()));
        }
        let mut place = Self {
            bucket: bucket.to_owned(),
            prefix: prefix.trim_matches('/').to_owned(),
            endpoint: None,
            region: None,
            local: None,
        };
        for option in options.split('&').filter(|option| !option.is_empty()) {
            match option.split_once('=') {
                Some(("endpoint", value)) => place.endpoint = Some(value.to_owned()),
                Some(("region", value)) => place.region = Some(value.to_owned()),
                Some(("local", value)) => place.local = Some(value.into()),
                _ => {
                    return Err(wrong(format!(
                        "{option:?} is unknown; options are endpoint, region, local"
                    )));
                }
            }
        }
        Ok(place)
    }

    /// For people.
    pub fn shown(&self) -> String {
        format!("{SCHEME}{}/{}", self.bucket, self.prefix)
    }

    /// A folder's name for it.
    pub fn folder_name(&self) -> String {
        let named = |c: char| if c.is_ascii_alphanumeric() { c } else { '-' };
        format!("s3-{}-{}", self.bucket, self.prefix)
            .chars()
            .map(named)
            .collect()
    }
}

/// A bucket, from a prefix on.
#[derive(Debug)]
pub struct Bucket {
    store: AmazonS3,
    prefix: String,
}

impl Bucket {
    /// Opens it, with keys from the environment (or the machine's role); nothing is sent yet.
    ///
    /// # Errors
    /// When something that is needed is not configured.
    pub fn open(place: &ObjectPlace) -> io::Result<Self> {
        Self::with(AmazonS3Builder::from_env(), place)
    }

    /// Opens it with these keys.
    #[cfg(test)]
    pub(super) fn open_with(place: &ObjectPlace, (id, secret): (&str, &str)) -> io::Result<Self> {
        let builder = AmazonS3Builder::new()
            .with_access_key_id(id)
            .with_secret_access_key(secret);
        Self::with(builder, place)
    }

    fn with(builder: AmazonS3Builder, place: &ObjectPlace) -> io::Result<Self> {
        let mut builder = builder
            .with_bucket_name(&place.bucket)
            .with_http_connector(Connector)
            .with_retry(RetryConfig {
                max_retries: RETRIES,
                retry_timeout: RETRY_WAIT,
                ..RetryConfig::default()
            });
        if let Some(region) = &place.region {
            builder = builder.with_region(region);
        }
        if let Some(endpoint) = &place.endpoint {
            builder = builder
                .with_endpoint(endpoint)
                .with_allow_http(endpoint.starts_with("http://"));
        }
        Ok(Self {
            store: builder.build().map_err(told)?,
            prefix: place.prefix.clone(),
        })
    }

    fn path(&self, name: &str) -> Path {
        if self.prefix.is_empty() {
            Path::from(name)
        } else {
            Path::from(format!("{}/{name}", self.prefix))
        }
    }
}

/// Runs a request to its end on this thread. The runtime only sleeps between tries.
fn wait<T>(request: impl Future<Output = object_store::Result<T>>) -> io::Result<T> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .build()?;
    runtime.block_on(request).map_err(told)
}

fn told(error: object_store::Error) -> io::Error {
    let kind = match &error {
        object_store::Error::NotFound { .. } => io::ErrorKind::NotFound,
        object_store::Error::AlreadyExists { .. } | object_store::Error::Precondition { .. } => {
            io::ErrorKind::AlreadyExists
        }
        _ => io::ErrorKind::Other,
    };
    io::Error::new(kind, format!("object store: {error}"))
}

impl Objects for Bucket {
    fn put_new(&self, name: &str, bytes: Bytes) -> io::Result<()> {
        let options = PutOptions::from(PutMode::Create);
        wait(self.store.put_opts(&self.path(name), bytes.into(), options)).map(drop)
    }

    fn read(&self, name: &str, from: u64, length: usize) -> io::Result<Bytes> {
        wait(self.store.get_range(&self.path(name), from..from + length as u64))
    }

    fn size(&self, name: &str) -> io::Result<u64> {
        wait(self.store.head(&self.path(name))).map(|meta| meta.size)
    }

    fn list(&self, folder: &str) -> io::Result<Vec<(String, u64)>> {
        let path = self.path(folder);
        let skip = if self.prefix.is_empty() {
            0
        } else {
            self.prefix.len() + 1
        };
        wait(async {
            let mut found = Vec::new();
            let mut all = self.store.list(Some(&path));
            while let Some(meta) = all.next().await {
                let meta = meta?;
                let name = meta.location.as_ref().get(skip..).unwrap_or_default();
                found.push((name.replace("%7E", "~"), meta.size));
            }
            Ok(found)
        })
    }

    fn delete(&self, name: &str) -> io::Result<()> {
        match wait(self.store.delete(&self.path(name))) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
            other => other,
        }
    }
}

/// Gives the crate our HTTP client.
#[derive(Debug)]
struct Connector;

impl HttpConnector for Connector {
    fn connect(&self, _: &ClientOptions) -> object_store::Result<HttpClient> {
        Ok(HttpClient::new(Service(agent(true))))
    }
}

#[derive(Debug)]
struct Service(ureq::Agent);

#[async_trait::async_trait]
impl HttpService for Service {
    async fn call(&self, request: HttpRequest) -> Result<HttpResponse, HttpError> {
        let (parts, body) = request.into_parts();
        let body = body.collect().await?.to_bytes();
        let failed = |error: ureq::Error| {
            let kind = match &error {
                ureq::Error::Timeout(_) => HttpErrorKind::Timeout,
                ureq::Error::ConnectionFailed | ureq::Error::HostNotFound => HttpErrorKind::Connect,
                ureq::Error::Io(_) => HttpErrorKind::Interrupted,
                _ => HttpErrorKind::Request,
            };
            HttpError::new(kind, error)
        };
        let bodyless = [Method::GET, Method::HEAD, Method::DELETE].contains(&parts.method);
        let response = if bodyless {
            self.0.run(Request::from_parts(parts, ()))
        } else {
            self.0.run(Request::from_parts(parts, &body[..]))
        };
        let (parts, mut body) = response.map_err(failed)?.into_parts();
        let bytes = body.with_config().limit(u64::MAX).read_to_vec().map_err(failed)?;
        Ok(HttpResponse::from_parts(
            parts,
            HttpResponseBody::from(Bytes::from(bytes)),
        ))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn urls() {
        let url = "s3://flows/site/a?endpoint=http://127.0.0.1:8333&region=eu&local=/var/x";
        let place = ObjectPlace::parse(url).unwrap();
        assert_eq!(
            (place.bucket.as_str(), place.prefix.as_str()),
            ("flows", "site/a")
        );
        assert_eq!(place.endpoint.as_deref(), Some("http://127.0.0.1:8333"));
        assert_eq!(
            (place.region.as_deref(), place.local.clone()),
            (Some("eu"), Some("/var/x".into()))
        );
        assert_eq!(
            (place.shown(), place.folder_name()),
            ("s3://flows/site/a".into(), "s3-flows-site-a".into())
        );
        for (url, why) in [
            ("s3://", "bucket is missing"),
            ("s3://b?x=1", "\"x=1\" is unknown"),
        ] {
            let error = ObjectPlace::parse(url).unwrap_err().to_string();
            assert!(error.contains(why), "{error}");
        }
    }
}
