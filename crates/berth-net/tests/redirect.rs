//! The rules that lead a container's questions to the resolver, in namespaces of the tests' own.
#![allow(clippy::unwrap_used, reason = "a test")]

use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream, UdpSocket};
use std::process::Command;
use std::thread;
use std::time::Duration;

use berth_net::redirect::{RESOLVER, install};

/// In a new network namespace, whose thread it is.
fn in_new(act: impl FnOnce() + Send + 'static) {
    let entered = || {
        berth_sys::process::unshare(berth_sys::process::namespace::NETWORK).unwrap();
        berth_sys::net::loopback_up().unwrap();
        act();
    };
    thread::spawn(entered).join().unwrap();
}

fn output(program: &str, arguments: &[&str]) -> String {
    let output = Command::new(program).args(arguments).output().unwrap();
    let text = [output.stdout, output.stderr].concat();
    String::from_utf8(text).unwrap()
}

#[test]
fn port_53_is_the_resolvers_and_stays_free() {
    in_new(|| {
        let (udp, tcp) = (
            UdpSocket::bind((RESOLVER, 0)).unwrap(),
            TcpListener::bind((RESOLVER, 0)).unwrap(),
        );
        let port = |name: std::io::Result<std::net::SocketAddr>| name.unwrap().port();
        // Twice: whoever comes after a crash replaces what is there.
        install(1, 2).unwrap();
        install(port(udp.local_addr()), port(tcp.local_addr())).unwrap();
        // The container's own server, at all addresses.
        let own = UdpSocket::bind("0.0.0.0:53").unwrap();
        let _own = TcpListener::bind("0.0.0.0:53").unwrap();
        let client = UdpSocket::bind("127.0.0.1:0").unwrap();
        client.connect((RESOLVER, 53)).unwrap();
        client
            .set_read_timeout(Some(Duration::from_secs(2)))
            .unwrap();
        let mut buffer = [0; 9000];
        for length in [5, 8000] {
            client.send(&vec![7; length]).unwrap();
            let (got, from) = udp.recv_from(&mut buffer).unwrap();
            assert_eq!(got, length);
            udp.send_to(&buffer[..length], from).unwrap();
            // Connected: what does not come from port 53 would not arrive.
            assert_eq!(client.recv(&mut buffer).unwrap(), length);
        }
        client.connect("127.0.0.1:53").unwrap();
        client.send(b"own").unwrap();
        assert_eq!(own.recv(&mut buffer).unwrap(), 3);

        let serve = thread::spawn(move || {
            let (mut stream, _) = tcp.accept().unwrap();
            let mut all = Vec::new();
            stream.read_to_end(&mut all).unwrap();
            stream.write_all(&all).unwrap();
        });
        let mut stream = TcpStream::connect((RESOLVER, 53)).unwrap();
        let sent = vec![9; 3 << 20];
        stream.write_all(&sent).unwrap();
        stream.shutdown(std::net::Shutdown::Write).unwrap();
        let mut all = Vec::new();
        stream.read_to_end(&mut all).unwrap();
        assert_eq!(all, sent);
        serve.join().unwrap();
        let rules = output("nft", &["list", "ruleset"]);
        assert_eq!(rules.matches("notrack").count(), 4, "{rules}");
        assert_eq!(rules.matches("table").count(), 1, "{rules}");
    });
}
