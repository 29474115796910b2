//! Docker's own command: nginx in front, behind it, in an internal network, an application with its Redis and PostgreSQL.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;

use testkit::wait::within;
use testkit::{Finished, Sandbox, eventually};

use super::{Berth, PATIENCE};

/// What an application answers that was asked `hits` times.
fn page(hits: u32) -> String {
    format!("{hits}\napple")
}

struct Shop(Berth);

impl Shop {
    fn docker(&self, line: &str) -> Finished {
        let words: Vec<&str> = line.split(' ').collect();
        self.0.docker("/usr/bin/docker", &words)
    }

    #[track_caller]
    fn ok(&self, line: &str) -> String {
        self.docker(line).ok().to_owned()
    }

    /// By the port of the host.
    fn outside(&self, path: &str) -> Option<String> {
        let address = self.ok("port web 80/tcp");
        let mut curl = self.sandbox().command("curl");
        let url = format!("http://{address}/{path}");
        let got = self.0.client(curl.args(["-sSf", "--max-time", "10", &url]));
        got.status.success().then(|| got.ok().to_owned())
    }

    fn address(&self, name: &str, network: &str) -> String {
        let form = format!("{{{{.NetworkSettings.Networks.{network}.IPAddress}}}}");
        self.ok(&format!("inspect -f {form} {name}"))
    }

    fn sandbox(&self) -> &Sandbox {
        &self.0.sandbox
    }

    /// The application, under its name or another.
    fn start_application(&self, name: &str) {
        let www = self.sandbox().home().join("www");
        let options = format!(
            "--network back --network-alias app -v {}:/www:ro",
            www.display()
        );
        self.ok(&format!(
            "run -d --name {name} {options} services httpd -f -h /www"
        ));
    }

    fn start() -> Shop {
        let shop = Shop(Berth::with_services());
        let s = shop.sandbox();
        s.folder("www");
        s.folder("www/cgi-bin");
        let script = s.file("www/cgi-bin/hits", include_str!("hits.sh"));
        fs::set_permissions(script, fs::Permissions::from_mode(0o755)).unwrap();
        let conf = s.file("nginx.conf", include_str!("nginx.conf"));
        let [front, back] = [1, 2].map(|which| s.other_subnet(which));
        shop.ok(&format!("network create --subnet {front} front"));
        shop.ok(&format!("network create --internal --subnet {back} back"));
        let redis = "redis-server --protected-mode no --appendonly no";
        shop.ok(&format!(
            "run -d --name store --network back --network-alias cache services {redis}"
        ));
        let with = "-e POSTGRES_PASSWORD=secret -e POSTGRES_DB=shop";
        shop.ok(&format!(
            "run -d --name db --network back {with} services postgres-entry"
        ));
        shop.start_application("app");
        let options = format!(
            "--network front -p 127.0.0.1::80 -v {}:/nginx.conf:ro",
            conf.display()
        );
        shop.ok(&format!(
            "create --name web {options} services /usr/sbin/nginx -c /nginx.conf"
        ));
        shop.ok("network connect --alias shop back web");
        shop.ok("start web");
        shop.ok("run -d --name visitor --network front services sleep 1000");
        let begin = "exec -e PGPASSWORD=secret db psql -h db -U postgres -c".split(' ');
        let table = "create table goods as select 'apple' as name";
        let begin: Vec<&str> = begin.chain([table, "shop"]).collect();
        within(PATIENCE, "the database", || {
            let done = shop.0.docker("/usr/bin/docker", &begin);
            done.status.success().then_some(())
        });
        shop
    }
}

#[test]
fn nginx_redis_and_postgresql_talk_across_networks() {
    let shop = Shop::start();
    let visit = "exec visitor wget -q -O - http://web/cgi-bin/hits";
    assert_eq!(shop.ok(visit), page(1));
    assert_eq!(shop.outside("cgi-bin/hits"), Some(page(2)));
    assert_eq!(shop.outside("once/cgi-bin/hits"), Some(page(3)));
    let logs = shop.ok("logs web");
    let visitor = shop.address("visitor", "front");
    let asked = logs
        .lines()
        .any(|line| line.starts_with(&format!("{visitor} - ")));
    assert!(asked, "with the client's address: {logs}");

    // Names, as dig sees them: who is in a network knows those who are.
    let store = shop.address("store", "back");
    for (container, question, answer) in [
        ("web", "cache", store.as_str()),
        ("web", "store.back", &store),
        ("app", "shop", &shop.address("web", "back")),
        ("visitor", "web", &shop.address("web", "front")),
        ("web", &format!("-x {store}"), "store.back."),
    ] {
        let line = format!("exec {container} dig +short +tries=1 {question}");
        assert_eq!(shop.ok(&line), answer, "{container} {question}");
    }
    // Who is in front only has no way to what is behind, by name or address.
    for there in ["cache", store.as_str()] {
        let cut = shop.docker(&format!("exec visitor timeout 2 redis-cli -h {there} ping"));
        assert!(
            !cut.status.success() && !cut.stdout.contains("PONG"),
            "{cut}"
        );
    }
    shop.ok("network connect back visitor");
    assert_eq!(shop.ok("exec visitor redis-cli -h cache ping"), "PONG");
    shop.ok("network disconnect back visitor");
    let cut = shop.docker(&format!("exec visitor timeout 2 redis-cli -h {store} ping"));
    assert!(!cut.status.success(), "{cut}");

    // Another application at another address: nginx finds it by its name.
    shop.start_application("second");
    let old = shop.address("app", "back");
    assert_ne!(shop.address("second", "back"), old);
    shop.ok("rm -f app");
    assert_eq!(
        shop.ok("exec web dig +short app"),
        shop.address("second", "back")
    );
    eventually("the new one is found", || shop.outside("cgi-bin/hits"));

    let busy = shop.docker("network rm back");
    assert!(busy.stderr.contains("has active endpoints"), "{busy}");
    shop.ok("rm -f web visitor second store db");
    shop.ok("network rm front back");
    assert_eq!(shop.ok("network ls -q -f type=custom"), "");
}
