//! A name server that does as the test says, and counts.

use std::io::{Read as _, Write as _};
use std::net::{TcpListener, UdpSocket};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use testkit::network::inside;

/// A question, as it came → the packets that are answered.
pub type Answer = fn(&[u8]) -> Vec<Vec<u8>>;

/// Ended with this.
pub struct Server {
    end: Arc<AtomicBool>,
    asked: Arc<AtomicUsize>,
    threads: Vec<JoinHandle<()>>,
}

impl Server {
    /// At port 53 of an address in a namespace. By TCP the first packet alone is said.
    pub fn start(namespace: &Path, address: &str, answer: Answer) -> Server {
        let (udp, tcp) = inside(namespace, || {
            let udp = UdpSocket::bind((address, 53)).unwrap();
            (udp, TcpListener::bind((address, 53)).unwrap())
        });
        udp.set_read_timeout(Some(Duration::from_millis(20)))
            .unwrap();
        tcp.set_nonblocking(true).unwrap();
        let end = Arc::new(AtomicBool::new(false));
        let asked = Arc::new(AtomicUsize::new(0));
        let (ended, count) = (end.clone(), asked.clone());
        let by_udp = move || {
            let mut buffer = [0; 4096];
            while !ended.load(Ordering::Relaxed) {
                if let Ok((got, from)) = udp.recv_from(&mut buffer) {
                    count.fetch_add(1, Ordering::Relaxed);
                    for packet in answer(&buffer[..got]) {
                        let _ = udp.send_to(&packet, from);
                    }
                }
            }
        };
        let (ended, count) = (end.clone(), asked.clone());
        let by_tcp = move || {
            while !ended.load(Ordering::Relaxed) {
                let Ok((mut stream, _)) = tcp.accept() else {
                    std::thread::sleep(Duration::from_millis(5));
                    continue;
                };
                stream.set_nonblocking(false).unwrap();
                stream
                    .set_read_timeout(Some(Duration::from_secs(1)))
                    .unwrap();
                let mut length = [0; 2];
                let mut question = Vec::new();
                if stream.read_exact(&mut length).is_ok() {
                    question.resize(u16::from_be_bytes(length).into(), 0);
                }
                if stream.read_exact(&mut question).is_ok() {
                    count.fetch_add(1, Ordering::Relaxed);
                    for packet in answer(&question).into_iter().take(1) {
                        let length = (packet.len() as u16).to_be_bytes();
                        let _ = stream.write_all(&[&length, &packet[..]].concat());
                    }
                }
            }
        };
        Server {
            end,
            asked,
            threads: vec![std::thread::spawn(by_udp), std::thread::spawn(by_tcp)],
        }
    }

    /// How often it was asked.
    pub fn asked(&self) -> usize {
        self.asked.load(Ordering::Relaxed)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.end.store(true, Ordering::Relaxed);
        for thread in self.threads.drain(..) {
            let _ = thread.join();
        }
    }
}

/// Where the first question ends.
fn end(question: &[u8]) -> usize {
    let mut at = 12;
    while question[at] != 0 {
        at += 1 + usize::from(question[at]);
    }
    at + 5
}

/// Header and question of an answer.
fn head(question: &[u8], code: u8, answers: u8, authority: u8) -> Vec<u8> {
    let mut bytes = question[..end(question)].to_vec();
    bytes[2] |= 0x80;
    bytes[3] = 0x80 | code;
    bytes[4..12].copy_from_slice(&[0, 1, 0, answers, 0, authority, 0, 0]);
    bytes
}

/// 192.0.2.`last`, whatever is asked.
pub fn address(question: &[u8], last: u8) -> Vec<u8> {
    let mut bytes = head(question, 0, 1, 0);
    bytes.extend([0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 9, 0, 4, 192, 0, 2, last]);
    bytes
}

pub fn good(question: &[u8]) -> Vec<Vec<u8>> {
    vec![address(question, 1)]
}

pub fn other(question: &[u8]) -> Vec<Vec<u8>> {
    vec![address(question, 2)]
}

/// It takes questions, and says nothing.
pub fn dead(_: &[u8]) -> Vec<Vec<u8>> {
    Vec::new()
}

/// It takes longer than is waited before another is asked.
pub fn slow(question: &[u8]) -> Vec<Vec<u8>> {
    std::thread::sleep(Duration::from_millis(2000));
    good(question)
}

/// It cannot.
pub fn broken(question: &[u8]) -> Vec<Vec<u8>> {
    vec![head(question, 2, 0, 0)]
}

/// There is no such name, says the zone `example`, for half a minute.
pub fn nothing(question: &[u8]) -> Vec<Vec<u8>> {
    let mut bytes = head(question, 3, 0, 1);
    bytes.extend(b"\x07example\0");
    bytes.extend([0, 6, 0, 1, 0, 0, 0, 30, 0, 24]);
    bytes.extend([1, b'n', 0, 0]);
    bytes.extend([0; 16]);
    bytes.extend(30_u32.to_be_bytes());
    vec![bytes]
}

/// Answers to something else, one with another id, noise; then its own.
pub fn lying(question: &[u8]) -> Vec<Vec<u8>> {
    let mut id = address(question, 66);
    id[0] ^= 1;
    let mut name = address(question, 66);
    name[13] ^= 1;
    let mut kind = address(question, 66);
    let at = end(question) - 3;
    kind[at] = 28;
    let mut asks = address(question, 66);
    asks[2] &= 0x7f;
    vec![
        id,
        name,
        kind,
        asks,
        vec![],
        vec![7; 5],
        vec![0xff; 600],
        address(question, 1),
    ]
}

/// Too much for UDP: there only that it is.
pub fn long(question: &[u8]) -> Vec<Vec<u8>> {
    let mut bytes = head(question, 0, 200, 0);
    for number in 0..200 {
        bytes.extend([0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 9, 0, 4, 192, 0, 2, number]);
    }
    vec![bytes]
}

/// That it is too much.
pub fn cut(question: &[u8]) -> Vec<Vec<u8>> {
    let mut bytes = head(question, 0, 0, 0);
    bytes[2] |= 2;
    vec![bytes]
}
