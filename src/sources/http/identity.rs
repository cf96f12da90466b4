//! How an agency knows us: a token, one that is fetched and renewed, a name and password, or signed requests.

use std::time::Duration;

use chrono::{DateTime, Utc};
use reqwest::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE, HeaderValue};
use reqwest::{Client, Method, RequestBuilder, Url};
use serde::Deserialize;
use serde_json::value::RawValue;
use tokio::time::Instant;

use crate::config::{Auth, Secret};
use crate::http::{Signer, read_body, retry_after};
use crate::sources::error::Fault;
use crate::sources::json::scalar;

/// Credentials, filled in.
pub(super) enum Identity {
    Nobody,
    Bearer(HeaderValue),
    Basic(String, Secret),
    Fetched(Box<TokenAddress>),
    Signed(Signer),
}

/// Where tokens are given out (OAuth 2 client credentials, RFC 6749 section 4.4), and the one in hand.
pub(super) struct TokenAddress {
    url: Url,
    client_id: String,
    client_secret: Secret,
    token: Option<Token>,
}

struct Token {
    authorization: HeaderValue,
    /// From then on another is fetched.
    until: Option<Instant>,
}

/// An answer of a token address is a few hundred bytes.
const MAX_TOKEN_BYTES: u64 = 64 << 10;

/// So long before its end a token is no longer used, unless that is most of its life.
const TOKEN_MARGIN: Duration = Duration::from_secs(30);

#[derive(Deserialize)]
struct TokenAnswer<'a> {
    #[serde(borrow)]
    access_token: &'a RawValue,
    #[serde(borrow)]
    expires_in: Option<&'a RawValue>,
}

fn authorization(token: &str) -> Option<HeaderValue> {
    let mut value = HeaderValue::from_str(&format!("Bearer {token}")).ok()?;
    value.set_sensitive(true);
    (!token.trim().is_empty()).then_some(value)
}

impl Identity {
    /// Fills in the placeholders by `fill(key, text)`; `refuse(key, what)` makes a fault of the job file.
    pub fn of(
        auth: Option<&Auth>,
        fill: impl Fn(&str, &str) -> Result<String, Fault>,
        refuse: impl Fn(&str, &str) -> Fault,
    ) -> Result<Self, Fault> {
        Ok(match auth {
            None => Self::Nobody,
            Some(Auth::Basic { user, password }) => Self::Basic(
                fill("source.auth.user", user)?,
                Secret::new(fill("source.auth.password", password.reveal())?),
            ),
            Some(Auth::Bearer { token: Some(token), token_url: None, .. }) => {
                let token = fill("source.auth.token", token.reveal())?;
                let value = authorization(&token);
                Self::Bearer(value.ok_or_else(|| refuse("source.auth.token", "holds what no token can hold"))?)
            }
            Some(Auth::Bearer {
                token: None,
                token_url: Some(url),
                client_id: Some(client_id),
                client_secret: Some(client_secret),
            }) => {
                let url = Url::parse(&fill("source.auth.token_url", url)?).ok();
                let url = url.filter(|url| matches!(url.scheme(), "http" | "https"));
                Self::Fetched(Box::new(TokenAddress {
                    url: url.ok_or_else(|| {
                        refuse("source.auth.token_url", "is not an address of the form `https://host/path`")
                    })?,
                    client_id: fill("source.auth.client_id", client_id)?,
                    client_secret: Secret::new(fill("source.auth.client_secret", client_secret.reveal())?),
                    token: None,
                }))
            }
            Some(Auth::Bearer { .. }) => {
                let what = "is `bearer` with neither `token` nor all of `token_url`, `client_id` and `client_secret`";
                return Err(refuse("source.auth", what));
            }
            Some(Auth::Hmac { key_id, key, algorithm }) => {
                let key = Secret::new(fill("source.auth.key", key.reveal())?);
                let signer = Signer::new(&fill("source.auth.key_id", key_id)?, key, *algorithm);
                Self::Signed(signer.map_err(|_| refuse("source.auth.key_id", "holds signs that no header can hold"))?)
            }
        })
    }

    /// The request with the credentials. `at` is the time to sign with; `left` bounds the fetching of a token.
    pub async fn present(
        &mut self,
        request: RequestBuilder,
        (method, url, body): (&Method, &Url, &[u8]),
        client: &Client,
        at: Option<DateTime<Utc>>,
        left: Duration,
    ) -> Result<RequestBuilder, Fault> {
        Ok(match self {
            Self::Nobody => request,
            Self::Bearer(authorization) => request.header(AUTHORIZATION, authorization.clone()),
            Self::Basic(user, password) => request.basic_auth(user, Some(password.reveal())),
            Self::Fetched(address) => request.header(AUTHORIZATION, address.token(client, left).await?),
            Self::Signed(signer) => signer.sign(request, method, url, body, at.ok_or(Fault::NoTime)?),
        })
    }

    /// Lets go of a token that was refused; whether another can be had.
    pub fn renew(&mut self) -> bool {
        match self {
            Self::Fetched(address) => address.token.take().is_some(),
            _ => false,
        }
    }
}

impl TokenAddress {
    async fn token(&mut self, client: &Client, left: Duration) -> Result<HeaderValue, Fault> {
        if let Some(token) = &self.token
            && token.until.is_none_or(|until| Instant::now() < until)
        {
            return Ok(token.authorization.clone());
        }
        let token = self.fetch(client, left).await?;
        let authorization = token.authorization.clone();
        self.token = Some(token);
        Ok(authorization)
    }

    async fn fetch(&self, client: &Client, left: Duration) -> Result<Token, Fault> {
        let form = url::form_urlencoded::Serializer::new(String::new())
            .append_pair("grant_type", "client_credentials")
            .append_pair("client_id", &self.client_id)
            .append_pair("client_secret", self.client_secret.reveal())
            .finish();
        let request = client
            .post(self.url.clone())
            .header(CONTENT_TYPE, "application/x-www-form-urlencoded")
            .header(ACCEPT, "application/json")
            .timeout(left)
            .body(form);
        let response = request.send().await.map_err(Fault::unreachable)?;
        let status = response.status().as_u16();
        if !response.status().is_success() {
            return Err(Fault::TokenRefused { status, retry_after: retry_after(response.headers()) });
        }
        let body = read_body(response, MAX_TOKEN_BYTES).await.map_err(Fault::Body)?;
        let answer: TokenAnswer<'_> = serde_json::from_slice(&body).map_err(|_| Fault::NoToken)?;
        let authorization = scalar(answer.access_token).and_then(|token| authorization(&token));
        let lifetime = answer.expires_in.and_then(scalar).and_then(|seconds| seconds.parse().ok());
        let until = lifetime.and_then(|seconds| {
            let lifetime = Duration::from_secs(seconds);
            Instant::now().checked_add(lifetime.saturating_sub(TOKEN_MARGIN.min(lifetime / 2)))
        });
        Ok(Token { authorization: authorization.ok_or(Fault::NoToken)?, until })
    }
}
