//! The site on loopback, asked as programs and browsers ask it.

use renzheng::config::TaxMode;
use renzheng::http::{HttpSettings, client};
use renzheng::policy::load;
use renzheng::store::Store;
use renzheng::web::{Site, serve};
use serde_json::Value;
use tokio::net::TcpListener;

/// A site that ends with its test.
pub struct Website {
    pub url: String,
    client: reqwest::Client,
    /// None: it is another process.
    serving: Option<tokio::task::JoinHandle<std::io::Result<()>>>,
}

/// An answer, read.
pub struct Answer {
    pub status: u16,
    pub headers: reqwest::header::HeaderMap,
    pub text: String,
}

impl Answer {
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.text).unwrap_or_else(|error| panic!("{error}: {}", self.text))
    }

    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().expect("text"))
    }

    /// Status and code of a problem document, which it must be.
    pub fn problem(&self) -> (u16, String) {
        assert_eq!(self.header("content-type"), "application/problem+json", "{}", self.text);
        let problem = self.json();
        assert_eq!(problem["status"], self.status);
        let code = problem["code"].as_str().expect("a code").to_owned();
        assert_eq!(problem["type"], format!("urn:renzheng:problem:{code}"));
        for field in ["title", "detail", "detail_zh"] {
            assert!(problem[field].as_str().is_some_and(|text| !text.is_empty()), "{field}: {}", self.text);
        }
        (self.status, code)
    }
}

impl Website {
    pub async fn of(store: &Store) -> Self {
        let reading = load(None).expect("the built-in policy");
        Self::serving(Site::new(store.clone(), reading).handing_over_by(TaxMode::Feed)).await
    }

    pub async fn serving(site: Site) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let url = format!("http://{}", listener.local_addr().expect("an address"));
        let serving = tokio::spawn(serve(listener, site, std::future::pending()));
        let mut site = Self::at(url);
        site.serving = Some(serving);
        site
    }

    /// One that another process serves.
    pub fn at(url: String) -> Self {
        Self { url, client: client(&HttpSettings::default()).expect("a client"), serving: None }
    }

    pub fn request(&self, method: &str, path: &str) -> reqwest::RequestBuilder {
        self.client.request(method.parse().expect("a method"), format!("{}{path}", self.url))
    }

    pub async fn ask(&self, request: reqwest::RequestBuilder) -> Answer {
        self.try_to_ask(request).await.expect("an answer")
    }

    /// The same of a site that may die.
    pub async fn try_to_ask(&self, request: reqwest::RequestBuilder) -> Result<Answer, reqwest::Error> {
        let answer = request.send().await?;
        let (status, headers) = (answer.status().as_u16(), answer.headers().clone());
        Ok(Answer { status, headers, text: answer.text().await? })
    }

    pub async fn get(&self, path: &str, token: &str) -> Answer {
        self.ask(self.request("GET", path).bearer_auth(token)).await
    }

    pub async fn post(&self, path: &str, token: &str, body: &Value) -> Answer {
        self.ask(self.request("POST", path).bearer_auth(token).body(body.to_string())).await
    }
}

impl Drop for Website {
    fn drop(&mut self) {
        if let Some(serving) = &self.serving {
            serving.abort();
        }
    }
}
