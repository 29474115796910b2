//! Asks a resolver for one name again and again, by UDP, for `bench/names.sh`.
//!
//! ```text
//! questions ADDRESS NAME COUNT AT-ONCE  →  questions a second, median and 99th percentile in µs, lost ones
//! ```
#![allow(clippy::unwrap_used, reason = "a tool of benchmarks")]

use std::net::{SocketAddr, UdpSocket};
use std::time::{Duration, Instant};

/// What has not come by then is lost.
const PATIENCE: Duration = Duration::from_secs(1);

fn main() {
    let args: Vec<String> = std::env::args().collect();
    let [_, address, name, count, at_once] = &args[..] else {
        panic!("usage: questions ADDRESS NAME COUNT AT-ONCE");
    };
    let (count, at_once): (usize, usize) = (count.parse().unwrap(), at_once.parse().unwrap());
    let server: SocketAddr = address.parse().unwrap();
    let socket = UdpSocket::bind("0.0.0.0:0").unwrap();
    socket.connect(server).unwrap();
    socket.set_read_timeout(Some(PATIENCE)).unwrap();
    let mut question = question(name);
    let mut sent = vec![None; at_once];
    let mut took = Vec::with_capacity(count);
    let (mut asked, mut lost) = (0, 0);
    let began = Instant::now();
    let mut ask = |slot: usize, sent: &mut Vec<Option<Instant>>, asked: &mut usize| {
        if *asked < count {
            *asked += 1;
            question[..2].copy_from_slice(&(slot as u16).to_be_bytes());
            sent[slot] = Some(Instant::now());
            socket.send(&question).unwrap();
        }
    };
    for slot in 0..at_once {
        ask(slot, &mut sent, &mut asked);
    }
    let mut answer = [0; 1500];
    while sent.iter().any(Option::is_some) {
        match socket.recv(&mut answer) {
            Ok(got) if got >= 12 && answer[3] & 15 == 0 && answer[7] > 0 => {
                let slot = usize::from(u16::from_be_bytes([answer[0], answer[1]]));
                if let Some(begin) = sent.get_mut(slot).and_then(Option::take) {
                    took.push(begin.elapsed());
                    ask(slot, &mut sent, &mut asked);
                }
            }
            Ok(_) => panic!("no answer: {answer:?}"),
            Err(_) => {
                for slot in 0..at_once {
                    if sent[slot].take().is_some() {
                        lost += 1;
                        ask(slot, &mut sent, &mut asked);
                    }
                }
            }
        }
    }
    let rate = took.len() as f64 / began.elapsed().as_secs_f64();
    took.sort_unstable();
    let at = |part: usize| {
        took.get(took.len() * part / 100)
            .map_or(0, Duration::as_micros)
    };
    println!("{rate:.0} {} {} {lost}", at(50), at(99));
}

/// For the addresses of a name.
fn question(name: &str) -> Vec<u8> {
    let mut bytes = vec![0, 0, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0];
    for label in name.split('.') {
        bytes.push(label.len() as u8);
        bytes.extend_from_slice(label.as_bytes());
    }
    bytes.extend([0, 0, 1, 0, 1]);
    bytes
}
