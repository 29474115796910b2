//! `slow-proxy HOST:PORT BYTES`: passes on what that server says, each connection at so many bytes a second, as many
//! registries and long ways do. Prints where it listens.

#![allow(clippy::unwrap_used, reason = "a tool of benchmarks")]

use std::io::{Read as _, Write as _};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::time::{Duration, Instant};

/// Bytes passed on at once.
const PIECE: usize = 16 << 10;

fn main() {
    let mut args = std::env::args().skip(1);
    let server = args.next().expect("HOST:PORT");
    let rate: f64 = args.next().expect("BYTES").parse().expect("a number");
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    println!("{}", listener.local_addr().unwrap());
    for client in listener.incoming() {
        let (client, server) = (client.unwrap(), TcpStream::connect(&server).unwrap());
        let (up, down) = (client.try_clone().unwrap(), server.try_clone().unwrap());
        std::thread::spawn(move || pass(up, server, f64::INFINITY));
        std::thread::spawn(move || pass(down, client, rate));
    }
}

fn pass(mut from: TcpStream, mut to: TcpStream, rate: f64) {
    let mut bytes = [0; PIECE];
    let mut free = Instant::now();
    while let Ok(count @ 1..) = from.read(&mut bytes) {
        if to.write_all(&bytes[..count]).is_err() {
            break;
        }
        // What was not sent while nothing was there is not made up for.
        free = free.max(Instant::now()) + Duration::from_secs_f64(count as f64 / rate);
        std::thread::sleep(free.saturating_duration_since(Instant::now()));
    }
    let _ = to.shutdown(Shutdown::Both);
    let _ = from.shutdown(Shutdown::Both);
}
