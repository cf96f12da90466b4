//! Who asks: the holder of a bearer token, and from which address.

use std::net::{IpAddr, SocketAddr};

use aide::OperationInput;
use axum::extract::{ConnectInfo, FromRequestParts};
use axum::http::request::Parts;
use axum::http::{HeaderMap, header};
use chrono::{DateTime, Utc};

use super::Site;
use super::problem::Problem;
use crate::declare::users::{TokenHolder, holder_of_token};
use crate::domain::access::Actor;

/// Who shows a token that holds, before anything of the request is read.
#[derive(Clone, schemars::JsonSchema)]
pub(super) struct Holder(pub(super) Actor);

impl OperationInput for Holder {}

impl FromRequestParts<Site> for Holder {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, site: &Site) -> Result<Self, Problem> {
        Ok(Self(Reader::from_request_parts(parts, site).await?.actor))
    }
}

/// The same, with when it was: business time as the database has it, under which a read is written down.
#[derive(Clone)]
pub(super) struct Reader {
    pub(super) actor: Actor,
    pub(super) at: DateTime<Utc>,
}

impl OperationInput for Reader {}

impl FromRequestParts<Site> for Reader {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, site: &Site) -> Result<Self, Problem> {
        if let Some(reader) = parts.extensions.get::<Self>() {
            return Ok(reader.clone());
        }
        let shown = parts.headers.get(header::AUTHORIZATION);
        let shown = shown.ok_or_else(|| Problem::unauthorized("none was shown"))?;
        let token = shown.to_str().ok().and_then(|text| {
            let (scheme, token) = text.split_once(' ')?;
            scheme.eq_ignore_ascii_case("bearer").then(|| token.trim())
        });
        let token = token.ok_or_else(|| Problem::unauthorized("what was shown is none"))?;
        let TokenHolder { actor, at } = holder_of_token(&site.store, token).await?;
        let reader = Self { actor, at };
        parts.extensions.insert(reader.clone());
        Ok(reader)
    }
}

/// The address of whoever asks.
pub(super) struct Address(pub(super) IpAddr);

impl FromRequestParts<Site> for Address {
    type Rejection = std::convert::Infallible;

    async fn from_request_parts(parts: &mut Parts, site: &Site) -> Result<Self, Self::Rejection> {
        let peer = parts.extensions.get::<ConnectInfo<SocketAddr>>().map(|ConnectInfo(peer)| peer.ip());
        // without a connection (a test of the router) everybody is one
        let peer = peer.unwrap_or(IpAddr::from([0, 0, 0, 0])).to_canonical();
        Ok(Self(behind(peer, &parts.headers, &site.trusted_proxies)))
    }
}

/// Behind trusted proxies the last address of `X-Forwarded-For` that is none of theirs; anybody else's word is not taken.
fn behind(peer: IpAddr, headers: &HeaderMap, proxies: &[IpAddr]) -> IpAddr {
    if !proxies.contains(&peer) {
        return peer;
    }
    let lists = headers.get_all("x-forwarded-for").iter().filter_map(|value| value.to_str().ok());
    let hops: Vec<&str> = lists.flat_map(|list| list.split(',')).map(str::trim).collect();
    let mut address = peer;
    for hop in hops.into_iter().rev() {
        let Ok(hop) = hop.parse::<IpAddr>() else { break };
        address = hop.to_canonical();
        if !proxies.contains(&address) {
            break;
        }
    }
    address
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ip(text: &str) -> IpAddr {
        text.parse().expect("an address")
    }

    #[test]
    fn only_a_trusted_proxy_says_for_whom_it_asks() {
        let mut headers = HeaderMap::new();
        headers.append("x-forwarded-for", "203.0.113.9, 198.51.100.7".parse().expect("a value"));
        headers.append("x-forwarded-for", "10.0.0.2".parse().expect("a value"));
        let proxies = [ip("10.0.0.1"), ip("10.0.0.2")];
        assert_eq!(behind(ip("192.0.2.1"), &headers, &proxies), ip("192.0.2.1"), "anybody can say that");
        assert_eq!(behind(ip("10.0.0.1"), &headers, &proxies), ip("198.51.100.7"), "not what was there before");
        assert_eq!(behind(ip("10.0.0.1"), &HeaderMap::new(), &proxies), ip("10.0.0.1"));
        headers.append("x-forwarded-for", "nonsense".parse().expect("a value"));
        assert_eq!(behind(ip("10.0.0.1"), &headers, &proxies), ip("10.0.0.1"));
    }
}
