//! A file of five hundred services is loaded in an instant, and nothing in it is looked at again and again.

use std::fmt::Write as _;
use std::time::{Duration, Instant};

use berth_compose::{Memory, Options, emit, load};

/// What nothing but a quadratic walk exceeds, on a busy machine and without optimization. The figure itself is
/// measured by `bench/compose-config.sh`.
const BUDGET: Duration = Duration::from_secs(5);

fn file(count: usize) -> String {
    let mut text = String::from(
        "x-base: &base\n  restart: unless-stopped\n  logging: {driver: json-file, options: {max-size: 10m}}\nservices:\n",
    );
    for n in 0..count {
        let _ = write!(
            text,
            "  s{n}:\n    <<: *base\n    image: example/s{n}:${{TAG:-1.2}}\n    command: serve --port 80 'with words'\n    ports: [\"{}:80\", \"127.0.0.1::443\"]\n    environment: [A={n}, B=two, \"C=${{HOME}}\"]\n    volumes: [\"data:/data\", \"./conf{n}:/conf:ro\"]\n    networks: {{back: {{aliases: [a{n}]}}, default: }}\n    labels: {{com.example.n: {n}}}\n    healthcheck: {{test: curl -f localhost, interval: 10s, retries: 3}}\n    deploy: {{resources: {{limits: {{cpus: '0.5', memory: 64M}}}}}}\n",
            10_000 + n,
        );
        if n > 0 {
            let _ = writeln!(
                text,
                "    depends_on: {{s{}: {{condition: service_healthy}}}}",
                n - 1
            );
        }
    }
    text.push_str("networks: {back: }\nvolumes: {data: }\n");
    text
}

#[test]
fn five_hundred_services() {
    let files = Memory([("/p/compose.yaml".into(), file(500))].into());
    let options = Options {
        files: vec!["/p/compose.yaml".into()],
        directory: "/p".into(),
        variables: [("HOME".into(), "/home/u".into())].into(),
        ..Options::default()
    };
    let mut best = Duration::MAX;
    for _ in 0..3 {
        let began = Instant::now();
        let loaded = load(&files, &options).expect("it makes sense");
        let text = emit::to_yaml(&loaded.tree);
        best = best.min(began.elapsed());
        let project = loaded.project().expect("it was checked");
        assert_eq!(project.services.len(), 500);
        assert_eq!(project.in_order()[499], "s499");
        assert!(text.contains("aliases:\n          - a499\n"));
    }
    assert!(best < BUDGET, "it took {best:?}");
    println!("loaded and printed in {best:?}");
}
