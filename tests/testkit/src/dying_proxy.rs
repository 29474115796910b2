//! A server before a registry that dies in the middle of an answer.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

/// A server that passes on what another says, up to a number of bytes; then it dies: no answer to anybody.
pub struct DyingProxy {
    /// `127.0.0.1:PORT`.
    pub host: String,
    dead: Arc<AtomicBool>,
}

impl DyingProxy {
    /// Before `host`; dies after `bytes` of its answers.
    ///
    /// # Panics
    /// When it cannot listen.
    pub fn start(host: &str, bytes: u64) -> DyingProxy {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let own = listener.local_addr().expect("it listens").to_string();
        let dead = Arc::new(AtomicBool::new(false));
        let (left, upstream) = (Arc::new(AtomicU64::new(bytes)), host.to_owned());
        let state = Arc::clone(&dead);
        std::thread::spawn(move || {
            for client in listener.incoming().flatten() {
                if state.load(Ordering::SeqCst) {
                    return;
                }
                let Ok(server) = TcpStream::connect(&upstream) else {
                    return;
                };
                let (up, down) = (client.try_clone(), server.try_clone());
                let (left, state) = (Arc::clone(&left), Arc::clone(&state));
                std::thread::spawn(move || {
                    pass(
                        up.expect("a socket"),
                        server,
                        &AtomicU64::new(u64::MAX),
                        None,
                    )
                });
                std::thread::spawn(move || {
                    pass(down.expect("a socket"), client, &left, Some(&state))
                });
            }
        });
        DyingProxy { host: own, dead }
    }

    /// Whether it came to that.
    pub fn is_dead(&self) -> bool {
        self.dead.load(Ordering::SeqCst)
    }
}

fn pass(mut from: TcpStream, mut to: TcpStream, left: &AtomicU64, dead: Option<&AtomicBool>) {
    let mut bytes = [0; 16384];
    while let Ok(count @ 1..) = from.read(&mut bytes) {
        let allowed = left.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |n| {
            Some(n.saturating_sub(count as u64))
        });
        let allowed = allowed.unwrap_or(0).min(count as u64) as usize;
        if to.write_all(&bytes[..allowed]).is_err() || allowed < count {
            if let (true, Some(dead)) = (allowed < count, dead) {
                dead.store(true, Ordering::SeqCst);
            }
            break;
        }
    }
    let _ = to.shutdown(std::net::Shutdown::Both);
    let _ = from.shutdown(std::net::Shutdown::Both);
}
