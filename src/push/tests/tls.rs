//! A department that asks by certificate who we are.

use std::io::{Read, Write};
use std::path::Path;

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, ExtendedKeyUsagePurpose, IsCa, KeyPair};
use rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};
use rustls::server::WebPkiClientVerifier;
use rustls::{RootCertStore, ServerConfig, ServerConnection, StreamOwned};

use super::*;
use crate::config::ClientCertificate;

type Authority = CertifiedIssuer<'static, KeyPair>;

fn authority() -> Authority {
    let mut parameters = CertificateParams::new(Vec::<String>::new()).expect("parameters");
    parameters.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    CertifiedIssuer::self_signed(parameters, KeyPair::generate().expect("a key")).expect("an authority")
}

/// A certificate with its key, in PEM.
fn certificate(authority: &Authority, usage: ExtendedKeyUsagePurpose) -> (rcgen::Certificate, KeyPair) {
    let key = KeyPair::generate().expect("a key");
    let mut parameters = CertificateParams::new(["localhost".to_owned()]).expect("parameters");
    parameters.extended_key_usages = vec![usage];
    (parameters.signed_by(&key, authority).expect("a certificate"), key)
}

/// Answers `later` to everybody whom the authority knows; where it listens.
fn guarded(authority: &Authority) -> String {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let mut known = RootCertStore::empty();
    known.add(authority.der().clone()).expect("an authority");
    let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(known), Arc::clone(&provider));
    let (shown, key) = certificate(authority, ExtendedKeyUsagePurpose::ServerAuth);
    let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(key.serialize_der()));
    let config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .expect("versions")
        .with_client_cert_verifier(verifier.build().expect("a verifier"))
        .with_single_cert(vec![shown.der().clone()], key)
        .expect("a key that fits");
    let config = Arc::new(config);
    let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    let url = format!("https://localhost:{}", listener.local_addr().expect("an address").port());
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let connection = ServerConnection::new(Arc::clone(&config)).expect("a connection");
            let mut stream = StreamOwned::new(connection, stream.expect("a connection"));
            let mut head = [0; 8192];
            // whom nobody knows does not come so far
            if stream.read(&mut head).is_ok_and(|read| read > 0) {
                let body = "{\"status\":\"later\"}";
                let head = "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\nconnection: close";
                write!(stream, "{head}\r\ncontent-length: {}\r\n\r\n{body}", body.len()).expect("written");
                stream.conn.send_close_notify();
                stream.flush().expect("written");
            }
        }
    });
    url
}

fn write(folder: &Path, name: &str, text: &str) -> PathBuf {
    let path = folder.join(name);
    std::fs::write(&path, text).expect("written");
    path
}

fn outgoing() -> Outgoing {
    Outgoing {
        message_id: clock::uuid_v7(start()),
        idempotency_key: format!("{FIRST}:2025:1:certified"),
        body: b"{}".to_vec(),
        digest: Vec::new(),
        attempt_number: 1,
        ask_first: false,
    }
}

#[tokio::test]
async fn a_department_that_asks_for_our_certificate_gets_it() {
    let folder = PathBuf::from(format!("/tmp/renzheng-test-push-tls-{}", std::process::id()));
    std::fs::create_dir_all(&folder).expect("a folder");
    let (authority, strangers) = (authority(), authority());
    let url = guarded(&authority);
    let ca_file = write(&folder, "ca.pem", &authority.pem());
    let known_by = |authority: &Authority, name: &str| {
        let (certificate, key) = certificate(authority, ExtendedKeyUsagePurpose::ClientAuth);
        ClientCertificate {
            certificate: write(&folder, &format!("{name}.pem"), &certificate.pem()),
            key: write(&folder, &format!("{name}.key"), &key.serialize_pem()),
        }
    };
    let with = |client: Option<ClientCertificate>| {
        let settings = TaxSettings::new(&url, "ours", "secret", SignatureAlgorithm::HmacSm3);
        Client::new(&TaxSettings { ca_file: Some(ca_file.clone()), client, ..settings })
    };
    let (ours, foreign) = (known_by(&authority, "ours"), known_by(&strangers, "foreign"));

    let answered = with(Some(ours.clone())).expect("a client").send(&outgoing(), start()).await;
    assert_eq!((answered.record.status, &answered.answered), (Some(200), &Answered::Later), "{answered:?}");
    for stranger in [None, Some(foreign.clone())] {
        let refused = with(stranger).expect("a client").send(&outgoing(), start()).await;
        assert_eq!((refused.record.status, &refused.answered), (None, &Answered::Later), "{refused:?}");
    }
    let untrusted = TaxSettings::new(&url, "ours", "secret", SignatureAlgorithm::HmacSm3);
    let untrusted = TaxSettings { client: Some(ours.clone()), ..untrusted };
    let refused = Client::new(&untrusted).expect("a client").send(&outgoing(), start()).await;
    assert_eq!(refused.record.status, None, "its certificate is of nobody we trust");

    // what cannot be meant is found before anything is sent
    let mixed = ClientCertificate { certificate: ours.certificate.clone(), key: foreign.key };
    let empty = ClientCertificate { certificate: write(&folder, "empty.pem", ""), key: ours.key.clone() };
    for wrong in [mixed, empty] {
        let error = with(Some(wrong)).expect_err("refused");
        assert!(matches!(error, PushError::Client(ClientError::Identity { .. })), "{error:?}");
    }
    let nowhere = ClientCertificate { certificate: folder.join("nowhere"), key: ours.key };
    let error = with(Some(nowhere)).expect_err("refused");
    assert!(matches!(error, PushError::Client(ClientError::Read { .. })), "{error:?}");
    std::fs::remove_dir_all(&folder).expect("removed");
}
