//! Delivery to real servers: an SFTP server that is known by its key, and an S3-compatible store; both seen only whole.

use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use renzheng::config::Environment;
use renzheng::http::{HttpSettings, client};
use rusty_s3::{Bucket, Credentials, S3Action, UrlStyle};

use crate::declaring::Scene;
use crate::export::{assert_whole, completed, job, run};
use crate::harness::Scratch;

/// Longer than a server takes to begin.
const PATIENCE: Duration = Duration::from_mins(1);

/// A server that ends with its test.
struct Server {
    child: Child,
    port: u16,
}

impl Drop for Server {
    fn drop(&mut self) {
        // it may be gone already
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

/// A port that is free now.
fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").and_then(|listener| listener.local_addr()).expect("a port").port()
}

impl Server {
    /// Waits until it listens.
    async fn begin(mut command: Command, port: u16) -> Self {
        let child = command.stdin(Stdio::null()).stdout(Stdio::null()).spawn().expect("the server starts");
        let mut server = Self { child, port };
        let (began, mut beat) = (Instant::now(), tokio::time::interval(Duration::from_millis(50)));
        while tokio::net::TcpStream::connect(("127.0.0.1", port)).await.is_err() {
            assert!(server.child.try_wait().expect("asked").is_none(), "the server ended");
            assert!(began.elapsed() < PATIENCE, "the server does not listen");
            beat.tick().await;
        }
        server
    }
}

/// An OpenSSH server of the test's own, which knows one key of ours.
struct Ssh {
    server: Server,
    folder: PathBuf,
    /// The server's own keys, as `[deliver]` has one.
    host_key: String,
    ecdsa_host_key: String,
}

/// The server's program: it wants to be called by its whole path, which is not on everybody's search path.
fn sshd() -> PathBuf {
    let path = Environment::process().get("PATH").unwrap_or_default();
    let folders = std::env::split_paths(&path).chain(["/usr/sbin", "/usr/local/sbin"].map(PathBuf::from));
    folders.map(|folder| folder.join("sshd")).find(|file| file.is_file()).expect("OpenSSH's server is installed")
}

fn keygen(path: &Path, kind: &str) -> String {
    let made = Command::new("ssh-keygen")
        .args(["-q", "-t", kind, "-N", "", "-C", "made for a test", "-f"])
        .arg(path)
        .status()
        .expect("OpenSSH is installed");
    assert!(made.success());
    std::fs::read_to_string(path.with_extension("pub")).expect("a public key").trim().to_owned()
}

impl Ssh {
    async fn begin(scratch: &Scratch) -> Self {
        let folder = scratch.path().to_owned();
        let host_key = keygen(&folder.join("host"), "ed25519");
        let ecdsa_host_key = keygen(&folder.join("host_ecdsa"), "ecdsa");
        std::fs::write(folder.join("authorized_keys"), keygen(&folder.join("ours"), "ed25519")).expect("written");
        std::fs::create_dir(folder.join("in")).expect("made");
        let port = free_port();
        let here = folder.display();
        let config = format!(
            "Port {port}\nListenAddress 127.0.0.1\nHostKey {here}/host\nHostKey {here}/host_ecdsa\nAuthorizedKeysFile {here}/authorized_keys\nPidFile none\n\
             StrictModes no\nUsePAM no\nPasswordAuthentication no\nSubsystem sftp internal-sftp\nPermitRootLogin yes\n"
        );
        std::fs::write(folder.join("sshd_config"), config).expect("written");
        // run as root it wants a folder of its own
        drop(std::fs::create_dir_all("/run/sshd"));
        let mut command = Command::new(sshd());
        command.args(["-D", "-e", "-f"]).arg(folder.join("sshd_config"));
        command.stderr(std::fs::File::create(folder.join("sshd.log")).expect("a log"));
        Self { server: Server::begin(command, port).await, folder, host_key, ecdsa_host_key }
    }

    fn deliver(&self, host_key: &str) -> String {
        let user = String::from_utf8(Command::new("id").arg("-un").output().expect("a name").stdout).expect("UTF-8");
        format!(
            "kind = \"export\"\n[deliver]\ntype = \"sftp\"\nhost = \"127.0.0.1\"\nport = {}\nuser = \"{}\"\nhost_key = \"{host_key}\"\n\
             key_file = \"{}\"\npath = \"{}\"\n",
            self.server.port,
            user.trim(),
            self.folder.join("ours").display(),
            self.folder.join("in").display()
        )
    }

    fn files(&self) -> Vec<String> {
        let mut found = Vec::new();
        for folder in std::fs::read_dir(self.folder.join("in")).expect("listed").flatten() {
            for file in std::fs::read_dir(folder.path()).expect("listed").flatten() {
                found.push(file.file_name().into_string().expect("UTF-8"));
            }
        }
        found.sort();
        found
    }

    fn read(&self) -> serde_json::Value {
        let folder =
            std::fs::read_dir(self.folder.join("in")).expect("listed").flatten().next().expect("an export").path();
        let file = |name: &str| std::fs::read(folder.join(name)).expect(name);
        assert_whole(&file("manifest.json"), file)
    }
}

const WHOLE: [&str; 4] = ["manifest.json", "messages-gb18030.csv", "messages.csv", "messages.ndjson"];

async fn undelivered(scene: &Scene) -> usize {
    scene.store().list_undelivered_exports("export").await.expect("exports").len()
}

#[tokio::test(flavor = "multi_thread")]
async fn an_sftp_server_gets_every_file_under_its_name_once_it_is_there_and_the_manifest_last() {
    let scene = completed("delivery_sftp").await;
    let scratch = Scratch::new("delivery_sftp_server");
    let ssh = Ssh::begin(&scratch).await;
    let job = job(&ssh.deliver(&ssh.host_key));
    let done = run(&scene, &job, &Environment::default()).await.expect("delivered");
    assert_eq!((done.exports, done.messages), (1, 2));
    assert_eq!(ssh.files(), WHOLE);
    assert_eq!(ssh.read()["sums"]["messages"], 2);
    assert_eq!(undelivered(&scene).await, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_upload_that_was_cut_off_is_taken_up_and_another_server_gets_nothing() {
    let scene = completed("delivery_cut").await;
    let scratch = Scratch::new("delivery_cut_server");
    let ssh = Ssh::begin(&scratch).await;
    let other = keygen(&ssh.folder.join("other"), "ed25519");
    let wrong = run(&scene, &job(&ssh.deliver(&other)), &Environment::default()).await.expect_err("another key");
    assert!(wrong.contains("its key is not `deliver.host_key`"), "{wrong}");
    assert_eq!((ssh.files(), undelivered(&scene).await), (Vec::new(), 1));
    // what an upload left that was cut off in its second file
    let decided = scene.store().list_undelivered_exports("export").await.expect("exports").remove(0);
    let folder = ssh.folder.join("in").join(format!("2025_{:012}-{:012}", decided.from_seq, decided.to_seq));
    std::fs::create_dir(&folder).expect("made");
    std::fs::write(folder.join(".messages.csv.part"), "kind,mess").expect("written");
    let done = run(&scene, &job(&ssh.deliver(&ssh.host_key)), &Environment::default()).await.expect("delivered");
    assert_eq!((done.exports, ssh.files()), (1, WHOLE.map(str::to_owned).to_vec()));
    ssh.read();
    let mut connection = scene.day.harness.connection().await;
    let forget = "update export set delivered_at = null";
    // what is there is the same in length only
    let file = folder.join("messages.ndjson");
    let whole = std::fs::read(&file).expect("read");
    std::fs::write(&file, whole.to_ascii_uppercase()).expect("written");
    sqlx::query(forget).execute(&mut connection).await.expect("forgotten");
    let refused = run(&scene, &job(&ssh.deliver(&ssh.host_key)), &Environment::default()).await.expect_err("another");
    assert!(refused.contains("messages.ndjson is there already and is another"), "{refused}");
    std::fs::write(&file, whole).expect("written");
    // a server with several keys is known by any of them
    let known = ssh.ecdsa_host_key.clone();
    assert_eq!(run(&scene, &job(&ssh.deliver(&known)), &Environment::default()).await.expect("there").exports, 1);
    // nobody listens any more
    drop(ssh.server);
    sqlx::query(forget).execute(&mut connection).await.expect("forgotten");
    let gone = job(&format!(
        "kind = \"export\"\n[deliver]\ntype = \"sftp\"\nhost = \"127.0.0.1\"\nport = {}\nuser = \"x\"\nhost_key = \"{other}\"\n\
         password = \"x\"\npath = \"in\"\n",
        free_port()
    ));
    let failed = run(&scene, &gone, &Environment::default()).await.expect_err("gone");
    assert!(failed.contains("the server cannot be reached"), "{failed}");
}

/// A store that speaks S3, of the test's own; its program is on the search path.
async fn moto() -> Server {
    let port = free_port();
    let mut command = Command::new("moto_server");
    command.args(["-H", "127.0.0.1", "-p", &port.to_string()]).stderr(Stdio::null());
    Server::begin(command, port).await
}

fn s3(server: &Server, bucket: &str) -> String {
    format!(
        "kind = \"export\"\n[deliver]\ntype = \"s3\"\nendpoint = \"http://127.0.0.1:{}\"\nbucket = \"{bucket}\"\nprefix = \"from/renzheng\"\n\
         access_key = \"${{ACCESS}}\"\nsecret_key = \"${{SECRET}}\"\n",
        server.port
    )
}

#[tokio::test(flavor = "multi_thread")]
async fn an_s3_store_shows_an_export_by_its_manifest_and_twice_is_once() {
    let scene = completed("delivery_s3").await;
    let server = moto().await;
    let http = client(&HttpSettings::default()).expect("a client");
    let environment = Environment::only([("ACCESS", "made-up"), ("SECRET", "made-up too")]);
    let missing = run(&scene, &job(&s3(&server, "handover")), &environment).await.expect_err("no bucket");
    assert!(missing.contains("answers 404"), "{missing}");
    let endpoint = format!("http://127.0.0.1:{}", server.port).parse().expect("an address");
    let bucket = Bucket::new(endpoint, UrlStyle::Path, "handover", "us-east-1").expect("a bucket");
    let credentials = Credentials::new("made-up", "made-up too");
    let created = format!("http://127.0.0.1:{}/handover", server.port);
    assert!(http.put(created).send().await.expect("made").status().is_success());
    let done = run(&scene, &job(&s3(&server, "handover")), &environment).await.expect("delivered");
    assert_eq!((done.exports, done.messages), (1, 2));
    let listing = format!("http://127.0.0.1:{}/handover?list-type=2", server.port);
    let listed = http.get(&listing).send().await.expect("listed").text().await.expect("a text");
    let keys: Vec<&str> = listed.split("<Key>").skip(1).filter_map(|rest| rest.split("</Key>").next()).collect();
    assert_eq!(keys.len(), 4, "{keys:?}");
    let mut files = std::collections::BTreeMap::new();
    for key in &keys {
        let got = http.get(bucket.get_object(Some(&credentials), key).sign(PATIENCE)).send().await.expect("got");
        let bytes = got.bytes().await.expect("bytes").to_vec();
        let (folder, name) = key.rsplit_once('/').expect("a folder");
        assert!(folder.starts_with("from/renzheng/2025_"), "{key}");
        files.insert(name.to_owned(), bytes);
    }
    assert_whole(&files["manifest.json"], |name| files[name].clone());
    let mut connection = scene.day.harness.connection().await;
    let forget = "update export set delivered_at = null";
    sqlx::query(forget).execute(&mut connection).await.expect("forgotten");
    assert_eq!(run(&scene, &job(&s3(&server, "handover")), &environment).await.expect("there").exports, 1);
    // what is another's stays, manifest or not
    for name in ["manifest.json", "messages.csv"] {
        let key = keys.iter().find(|key| key.ends_with(name)).expect("an object");
        let put = |body: Vec<u8>| http.put(bucket.put_object(Some(&credentials), key).sign(PATIENCE)).body(body).send();
        assert!(put(b"{}".to_vec()).await.expect("put").status().is_success());
        sqlx::query(forget).execute(&mut connection).await.expect("forgotten");
        let refused = run(&scene, &job(&s3(&server, "handover")), &environment).await.expect_err("another's");
        assert!(refused.contains(&format!("{name} is there already and is another")), "{refused}");
        let got = http.get(bucket.get_object(Some(&credentials), key).sign(PATIENCE)).send().await.expect("got");
        assert_eq!(got.text().await.expect("a text"), "{}");
        assert!(put(files[name].clone()).await.expect("put").status().is_success());
    }
}
