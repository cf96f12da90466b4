//! A server on loopback that ends when it is told to or when nobody holds it any more.

use std::net::SocketAddr;

use anyhow::Context;
use axum::Router;
use tokio::net::TcpListener;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

/// A listening server.
#[derive(Debug)]
pub struct Server {
    pub address: SocketAddr,
    /// Dropping it ends the server too.
    stop: Option<oneshot::Sender<()>>,
    task: JoinHandle<std::io::Result<()>>,
}

impl Server {
    /// Listens on `address` (port 0: any that is free) and answers until stopped.
    pub async fn start(address: SocketAddr, router: Router) -> anyhow::Result<Self> {
        let listener = TcpListener::bind(address).await.with_context(|| format!("listening on {address}"))?;
        let address = listener.local_addr()?;
        let (stop, stopped) = oneshot::channel::<()>();
        let serving = axum::serve(listener, router).with_graceful_shutdown(async {
            // Told to stop, or the holder is gone: either way it is over.
            let _told = stopped.await;
        });
        let task = tokio::spawn(serving.into_future());
        Ok(Self { address, stop: Some(stop), task })
    }

    /// Answers what has been asked, then ends.
    pub async fn stop(mut self) -> anyhow::Result<()> {
        drop(self.stop.take());
        self.task.await.context("ending a server")?.context("serving")
    }

    /// `http://address`
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }
}
