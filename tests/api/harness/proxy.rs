//! A TCP proxy that a test can cut and mend, to take a database away from a running server.

use std::net::SocketAddr;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;

/// Forwards connections while it is whole; when cut, closes them all and accepts no new one.
pub struct Proxy {
    /// Where it listens.
    pub address: SocketAddr,
    whole: watch::Sender<bool>,
}

impl Proxy {
    /// Listens on a loopback port and forwards everything to `target`.
    pub async fn to(target: String) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let whole = watch::Sender::new(true);
        let mut state = whole.subscribe();
        tokio::spawn(async move {
            while let Ok((mut client, _)) = listener.accept().await {
                if !*state.borrow_and_update() {
                    continue; // dropped: the caller sees a closed connection
                }
                let (target, mut state) = (target.clone(), state.clone());
                tokio::spawn(async move {
                    let Ok(mut server) = TcpStream::connect(target).await else { return };
                    tokio::select! {
                        _ = tokio::io::copy_bidirectional(&mut client, &mut server) => {}
                        _ = state.wait_for(|whole| !*whole) => {}
                    }
                });
            }
        });
        Self { address, whole }
    }

    /// Closes every connection and refuses new ones.
    pub fn cut(&self) {
        self.whole.send_replace(false);
    }

    /// Accepts connections again.
    pub fn mend(&self) {
        self.whole.send_replace(true);
    }
}
