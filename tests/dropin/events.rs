//! The same commands given to dockerd 20.10 and to berth by docker's own client: the same events, in the same order,
//! with the same attributes. What differs is named in [`Step::differs`] with its reason.

use std::time::{Duration, Instant};

use testkit::daemon::Daemon;
use testkit::{Dockerd, Finished, Sandbox};

/// How long dockerd may take to tell what it has done.
const PATIENCE: Duration = Duration::from_secs(10);

/// What is done, and what comes of it.
struct Step {
    /// docker's arguments, one line a command.
    lines: &'static [&'static str],
    /// Events of dockerd that berth does not tell, or in another place: their `type action`.
    differs: &'static [&'static str],
}

const fn same(lines: &'static [&'static str]) -> Step {
    Step {
        lines,
        differs: &[],
    }
}

const STEPS: &[Step] = &[
    same(&["run --rm --network none --label a=b --name cc -v vol:/v:ro -v /tmp:/h busybox true"]),
    // dockerd tells of a volume that was there already, too.
    Step {
        lines: &["create --network none --name cc -v vol:/v -v /an busybox sleep 1000"],
        differs: &["volume create"],
    },
    same(&["start cc"]),
    same(&["top cc"]),
    same(&["exec cc true x"]),
    same(&["export -o OUT cc"]),
    // dockerd mounts the volumes once more for each look at the files; here they are there already.
    Step {
        lines: &["cp cc:/bin/busybox OUT", "cp OUT cc:/"],
        differs: &["volume mount", "volume unmount"],
    },
    same(&["pause cc", "unpause cc", "rename cc dd"]),
    // The container runs on as soon as its files are read; dockerd has the image's name and its own event first.
    Step {
        lines: &["commit dd mine:1"],
        differs: &["container commit", "container unpause"],
    },
    same(&["stop -t 0 dd"]),
    same(&["rm -v dd"]),
    same(&[
        "run -d --network none --name ee -v fresh:/v busybox sleep 1000",
        "rm -f ee",
    ]),
    same(&[
        "create --network none --name ff busybox",
        "container prune -f",
    ]),
    same(&["tag mine:1 other:2"]),
    same(&["save -o OUT mine:1"]),
    same(&["rmi other:2", "rmi mine:1"]),
    same(&["load -i OUT"]),
    same(&["image prune -f", "builder prune -f", "network prune -f"]),
    same(&[
        "volume create lone",
        "volume rm lone",
        "volume create --label x=y other",
    ]),
    same(&["system prune -f"]),
];

/// Each event as `type action attributes`, without what is random.
fn events(call: &dyn Fn(&[&str]) -> Finished, since: &str) -> Vec<String> {
    let until = now();
    let line = [
        "events",
        "--since",
        since,
        "--until",
        &until,
        "--filter",
        "type=container",
        "--filter",
        "type=image",
        "--filter",
        "type=volume",
        "--filter",
        "type=builder",
        "--format",
        "{{.Type}} {{.Action}} {{json .Actor.Attributes}}",
    ];
    let told = call(&line).ok().to_owned();
    told.lines().map(without_ids).collect()
}

/// 64 hexadecimal digits are an id; bytes on a disk are a file system's own.
fn without_ids(line: &str) -> String {
    let mut text = String::new();
    for word in line.split_inclusive(|c: char| !c.is_ascii_hexdigit()) {
        let (id, rest) = word.split_at(
            word.trim_end_matches(|c: char| !c.is_ascii_hexdigit())
                .len(),
        );
        text.push_str(if id.len() == 64 { "ID" } else { id });
        text.push_str(rest);
    }
    match text.split_once("\"reclaimed\":\"") {
        Some((before, after)) => {
            let end = after.find('"').unwrap();
            format!("{before}\"reclaimed\":\"N{}", &after[end..])
        }
        None => text,
    }
}

fn now() -> String {
    let now = std::time::SystemTime::now()
        .duration_since(std::time::UNIX_EPOCH)
        .unwrap();
    format!("{}.{:09}", now.as_secs(), now.subsec_nanos())
}

#[test]
fn the_events_are_dockerds() {
    let sandbox = Sandbox::root().with_busybox();
    let archive = crate::image(&sandbox);
    let docker = Dockerd::start(&sandbox);
    let berth = Daemon::start(&sandbox, &[]);
    docker.call(&sandbox, &["load", "-i", &archive]).ok();
    let ask_docker = |line: &[&str]| docker.call(&sandbox, line);
    let ask_berth = |line: &[&str]| berth.docker(&sandbox, line);
    let out = sandbox.home().join("out");
    let out = out.to_str().unwrap();
    let mut wrong = String::new();
    for step in STEPS {
        let since = now();
        let mut told = [Vec::new(), Vec::new()];
        for (told, ask) in told
            .iter_mut()
            .zip([&ask_docker as &dyn Fn(&[&str]) -> Finished, &ask_berth])
        {
            for line in step.lines {
                let line = line.replace("OUT", out);
                let words: Vec<&str> = line.split(' ').collect();
                ask(&words).ok();
            }
            *told = events(ask, &since);
        }
        // dockerd tells some of it after it has answered.
        let began = Instant::now();
        while step.differs.is_empty() && told[0] != told[1] && began.elapsed() < PATIENCE {
            std::thread::sleep(Duration::from_millis(50));
            told[0] = events(&ask_docker, &since);
        }
        let [mut dockers, mut ours] = told;
        let differs = |line: &String| step.differs.iter().any(|word| line.starts_with(word));
        assert!(
            step.differs.is_empty() || dockers.iter().any(differs),
            "no difference: {dockers:?}"
        );
        dockers.retain(|line| !differs(line));
        ours.retain(|line| !differs(line));
        if ours != dockers {
            let lines = step.lines;
            wrong.push_str(&format!(
                "{lines:?}\n  ours: {ours:#?}\n  dockerd's: {dockers:#?}\n"
            ));
        }
    }
    assert!(wrong.is_empty(), "{wrong}");
    ask_docker(&["rm", "-f", "cc", "dd"]);
    drop(docker);
}
