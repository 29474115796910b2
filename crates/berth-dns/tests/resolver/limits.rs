//! N25: one container, or one name server, takes from nobody else.

use std::io::{Read as _, Write as _};
use std::net::{TcpStream, UdpSocket};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use testkit::harness::Test;
use testkit::network::inside;
use testkit::tests;

use crate::rig::{Rig, SERVER, task};
use crate::server::{self, Server};

pub const TESTS: &[Test] = tests![
    n25_a_dead_server_delays_nobody_who_does_not_ask_it,
    n25_a_flood_is_one_containers_own,
    n25_connections_are_limited,
];

/// A question for `NUMBER.example`.
fn question(number: u16, name: &str) -> Vec<u8> {
    let mut bytes = number.to_be_bytes().to_vec();
    bytes.extend([1, 0, 0, 1, 0, 0, 0, 0, 0, 0]);
    for label in name.split('.') {
        bytes.push(label.len() as u8);
        bytes.extend_from_slice(label.as_bytes());
    }
    bytes.extend([0, 0, 1, 0, 1]);
    bytes
}

/// N25: a hundred questions wait for a server that is dead; more are refused at once, and others are answered at once.
fn n25_a_dead_server_delays_nobody_who_does_not_ask_it() {
    let rig = Rig::new();
    let _dead = Server::start(&rig.hosts.neighbour(), SERVER, server::dead);
    let (web, other) = (rig.served(task(&["front"])), rig.served(task(&["front"])));
    rig.name("id-front", &web, &["web"], &["10.9.0.2"]);
    let (refused, failed) = inside(&web.namespace, || {
        let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
        socket.connect("127.0.0.11:53").unwrap();
        socket
            .set_read_timeout(Some(Duration::from_millis(800)))
            .unwrap();
        for number in 0..150 {
            socket
                .send(&question(number, &format!("n{number}.example")))
                .unwrap();
        }
        let mut buffer = [0; 600];
        let mut codes = Vec::new();
        while let Ok(got) = socket.recv(&mut buffer) {
            assert!(got >= 12);
            codes.push(buffer[3] & 15);
        }
        for container in [&web, &other] {
            assert!(container.took("web", "10.9.0.2") < Duration::from_secs(1));
        }
        // Then each is told that there is no answer.
        let refused = codes.iter().filter(|code| **code == 5).count();
        socket
            .set_read_timeout(Some(Duration::from_secs(5)))
            .unwrap();
        let mut failed = 0;
        while failed < 100 && socket.recv(&mut buffer).is_ok() {
            failed += usize::from(buffer[3] & 15 == 2);
        }
        (refused, failed)
    });
    assert_eq!((refused, failed), (50, 100));
    // There is room again.
    assert_eq!(web.code("again.example"), "SERVFAIL");
}

/// N25: a container asks as fast as it can; another one is answered all the same.
fn n25_a_flood_is_one_containers_own() {
    let rig = Rig::new();
    let (web, other) = (rig.served(task(&["front"])), rig.served(task(&["front"])));
    rig.name("id-front", &web, &["web"], &["10.9.0.2"]);
    let end = AtomicBool::new(false);
    let flood = || {
        let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
        socket.connect("127.0.0.11:53").unwrap();
        let mut sent = 0_u64;
        while !end.load(Ordering::Relaxed) {
            sent += u64::from(socket.send(&question(1, "web")).is_ok());
        }
        sent
    };
    std::thread::scope(|scope| {
        let flood = scope.spawn(|| inside(&web.namespace, flood));
        let mut took: Vec<Duration> = (0..30).map(|_| other.took("web", "10.9.0.2")).collect();
        end.store(true, Ordering::Relaxed);
        let sent = flood.join().unwrap();
        took.sort_unstable();
        assert!(sent > 10_000, "{sent}");
        assert!(took[15] < Duration::from_millis(200), "{took:?}");
    });
    let memory = std::fs::read_to_string(format!("/proc/{}/status", rig.pid())).unwrap();
    let peak = memory
        .lines()
        .find(|line| line.starts_with("VmHWM"))
        .unwrap()
        .to_owned();
    let peak: u64 = peak.split_whitespace().nth(1).unwrap().parse().unwrap();
    assert!(peak < 30_000, "{peak} KiB");
}

/// N25: connections that say nothing are closed for those that do.
fn n25_connections_are_limited() {
    let rig = Rig::new();
    let (web, other) = (rig.served(task(&["front"])), rig.served(task(&["front"])));
    rig.name("id-front", &web, &["web"], &["10.9.0.2"]);
    let opened = || {
        (0..200)
            .map(|_| TcpStream::connect("127.0.0.11:53").unwrap())
            .collect::<Vec<_>>()
    };
    let mut silent = inside(&web.namespace, opened);
    for container in [&web, &other] {
        assert_eq!(container.short("+tcp web"), "10.9.0.2");
    }
    let mut closed = 0;
    for stream in &mut silent {
        stream.set_nonblocking(true).unwrap();
        closed += usize::from(matches!(stream.read(&mut [0]), Ok(0)));
    }
    // Each container's own limit, less what `dig` took.
    assert!(closed >= 200 - 16, "{closed}");
    // Somebody who asks and does not read: what is kept for it has an end.
    let mut greedy = inside(&web.namespace, || {
        TcpStream::connect("127.0.0.11:53").unwrap()
    });
    greedy
        .set_write_timeout(Some(Duration::from_millis(500)))
        .unwrap();
    let one = question(7, "web");
    let many = [&(one.len() as u16).to_be_bytes(), &one[..]]
        .concat()
        .repeat(1000);
    let mut sent = 0;
    while sent < 64 << 20 {
        match greedy.write(&many) {
            Ok(some) => sent += some,
            Err(_) => break,
        }
    }
    assert!(sent < 64 << 20, "it stops reading");
    assert_eq!(other.short("+tcp web"), "10.9.0.2");
}
