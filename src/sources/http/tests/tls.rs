//! Agencies whose certificates come from an authority of their own.

use std::io::{Read, Write};
use std::net::TcpListener;
use std::path::PathBuf;

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair, date_time_ymd};
use rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};
use rustls::{ServerConfig, ServerConnection, StreamOwned};

use super::*;

/// An authority and an agency on loopback that shows a certificate of it.
struct Secured {
    agency: Agency,
    ca_file: PathBuf,
}

impl Secured {
    fn start(test: &str, host: &str, alter: impl FnOnce(&mut CertificateParams)) -> Self {
        let mut authority = CertificateParams::new(Vec::<String>::new()).expect("parameters");
        authority.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let authority =
            CertifiedIssuer::self_signed(authority, KeyPair::generate().expect("a key")).expect("an authority");
        let key = KeyPair::generate().expect("a key");
        let mut parameters = CertificateParams::new([host.to_owned()]).expect("parameters");
        alter(&mut parameters);
        let certificate = parameters.signed_by(&key, &authority).expect("a certificate");
        let ca_file = std::env::temp_dir().join(format!("renzheng-ca-{test}-{}.pem", std::process::id()));
        std::fs::write(&ca_file, authority.pem()).expect("written");

        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(key.serialize_der()));
        let config =
            ServerConfig::builder_with_provider(provider).with_safe_default_protocol_versions().expect("versions");
        let config = config
            .with_no_client_auth()
            .with_single_cert(vec![certificate.der().clone()], key)
            .expect("a key that fits");
        let config = Arc::new(config);
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let url = format!("https://localhost:{}", listener.local_addr().expect("an address").port());
        let asked = Arc::new(AtomicUsize::new(0));
        let count = asked.clone();
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let connection = ServerConnection::new(config.clone()).expect("a connection");
                let mut stream = StreamOwned::new(connection, stream.expect("a connection"));
                let mut head = [0; 4096];
                // A peer that does not trust us hangs up.
                if stream.read(&mut head).is_ok_and(|read| read > 0) {
                    count.fetch_add(1, Ordering::SeqCst);
                    let body = "[{\"id\":1}]";
                    let head = "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\nconnection: close";
                    write!(stream, "{head}\r\ncontent-length: {}\r\n\r\n{body}", body.len()).expect("written");
                    stream.conn.send_close_notify();
                    stream.flush().expect("written");
                }
            }
        });
        Self { agency: Agency { url, asked }, ca_file }
    }

    async fn read(&self) -> Result<Vec<Page>, SourceError> {
        self.agency.read(&format!("ca_file = \"{}\"\n", self.ca_file.display())).await
    }
}

impl Drop for Secured {
    fn drop(&mut self) {
        std::fs::remove_file(&self.ca_file).expect("removed");
    }
}

#[tokio::test]
async fn an_authority_of_their_own_is_trusted_where_the_job_names_it() {
    let secured = Secured::start("own", "localhost", |_| {});
    let error = secured.agency.read("").await.expect_err("unknown");
    let said = "source of job `wage`: the agency's certificate comes from nobody who is trusted: name its issuer's in `ca_file`";
    assert_eq!((error.to_string().as_str(), error.transient(), secured.agency.asked()), (said, false, 0));
    assert_eq!(ids(&secured.read().await.expect("trusted")), ["1"]);
}

#[tokio::test]
async fn a_certificate_that_has_expired_or_is_somebody_elses_is_said_to_be_so() {
    let expired = Secured::start("expired", "localhost", |parameters| parameters.not_after = date_time_ymd(2020, 1, 1));
    let error = expired.read().await.expect_err("expired");
    assert!(error.to_string().ends_with("the agency's certificate has expired") && error.transient(), "{error}");
    let elsewhere = Secured::start("elsewhere", "agency.invalid", |_| {});
    let error = elsewhere.read().await.expect_err("another name");
    let said = "the agency's certificate is made out to another name";
    assert!(error.to_string().ends_with(said) && !error.transient(), "{error}");
    assert_eq!((expired.agency.asked(), elsewhere.agency.asked()), (0, 0));
}
