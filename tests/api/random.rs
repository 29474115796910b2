//! N26: fifty clients at once, random operations, a pure model of what a container can do. The seed is in the message
//! of a failure; `BERTH_TEST_SEED` repeats it, `BERTH_TEST_FULL` goes on for ten minutes.

use std::path::Path;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use testkit::http::{self, Answer};

use crate::Api;

const CLIENTS: u64 = 50;
const STEPS: u64 = 10;
/// No request may take longer: a deadlock shows here.
const LONGEST: Duration = Duration::from_secs(30);

/// What a container can be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Absent,
    Created,
    Running,
    Paused,
    Exited,
}

/// What a client can ask.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Step {
    Create,
    Start,
    Stop,
    Restart,
    Kill,
    Pause,
    Unpause,
    Remove,
    RemoveByForce,
    Inspect,
}

const ALL: [Step; 10] = [
    Step::Create,
    Step::Start,
    Step::Stop,
    Step::Restart,
    Step::Kill,
    Step::Pause,
    Step::Unpause,
    Step::Remove,
    Step::RemoveByForce,
    Step::Inspect,
];

/// The status code of the answer, and the state after it.
fn model(state: State, step: Step) -> (u16, State) {
    use State::{Absent, Created, Exited, Paused, Running};
    match (step, state) {
        (Step::Create, Absent) => (201, Created),
        (Step::Create, _) => (409, state),
        (_, Absent) => (404, Absent),
        (Step::Inspect, _) => (200, state),
        (Step::Start, Running) => (304, Running),
        (Step::Start, Paused) => (409, Paused),
        (Step::Start, Created | Exited) => (204, Running),
        (Step::Stop, Running | Paused) => (204, Exited),
        (Step::Stop, Created | Exited) => (304, state),
        (Step::Restart, _) => (204, Running),
        (Step::Kill, Running | Paused) => (204, Exited),
        (Step::Kill, Created | Exited) => (409, state),
        (Step::Pause, Running) => (204, Paused),
        (Step::Unpause, Paused) => (204, Running),
        (Step::Pause | Step::Unpause, _) => (409, state),
        (Step::Remove, Running | Paused) => (409, state),
        (Step::Remove | Step::RemoveByForce, _) => (204, Absent),
    }
}

fn word(state: State) -> &'static str {
    match state {
        State::Absent => "",
        State::Created => "created",
        State::Running => "running",
        State::Paused => "paused",
        State::Exited => "exited",
    }
}

/// xorshift64*, seeded.
struct Random(u64);

impl Random {
    fn below(&mut self, limit: u64) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        (self.0.wrapping_mul(0x2545_F491_4F6C_DD1D) >> 33) % limit
    }
}

fn ask(socket: &Path, step: Step, name: &str) -> Answer {
    let began = Instant::now();
    let path = |verb: &str| format!("/v1.41/containers/{name}/{verb}");
    let send = |method: &str, path: &str| http::request(socket, method, path, &[], b"");
    let answer = match step {
        Step::Create => {
            let document = json!({"Image": "busybox", "Cmd": ["sleep", "1000"],
                "HostConfig": {"NetworkMode": "none"}, "StopTimeout": 0});
            let headers = [("Content-Type", "application/json")];
            let path = format!("/v1.41/containers/create?name={name}");
            http::request(
                socket,
                "POST",
                &path,
                &headers,
                document.to_string().as_bytes(),
            )
        }
        Step::Start => send("POST", &path("start")),
        Step::Stop => send("POST", &path("stop?t=0")),
        Step::Restart => send("POST", &path("restart?t=0")),
        Step::Kill => send("POST", &path("kill")),
        Step::Pause => send("POST", &path("pause")),
        Step::Unpause => send("POST", &path("unpause")),
        Step::Remove => send("DELETE", &format!("/v1.41/containers/{name}")),
        Step::RemoveByForce => send("DELETE", &format!("/v1.41/containers/{name}?force=1")),
        Step::Inspect => send("GET", &path("json")),
    };
    assert!(
        began.elapsed() < LONGEST,
        "{step:?} of {name} took {:?}",
        began.elapsed()
    );
    answer
}

fn seed() -> u64 {
    let given = std::env::var("BERTH_TEST_SEED")
        .ok()
        .and_then(|text| text.parse().ok());
    given.unwrap_or_else(|| u64::from(std::process::id()) * 7919 + 1)
}

/// How long, beyond the steps that are always done.
fn end() -> Instant {
    let more = match std::env::var_os("BERTH_TEST_FULL") {
        Some(_) => Duration::from_secs(300),
        None => Duration::ZERO,
    };
    Instant::now() + more
}

/// Each client has a name of its own: the answers are exactly the model's, whatever the others do.
#[test]
fn clients_of_their_own_containers_get_the_models_answers() {
    let api = Api::start();
    let (seed, end) = (seed(), end());
    let socket = api.daemon.socket();
    std::thread::scope(|scope| {
        for client in 0..CLIENTS {
            scope.spawn(move || {
                let mut random = Random(seed.wrapping_add(client.wrapping_mul(0x9E37_79B9)) | 1);
                let name = format!("own{client}");
                let (mut state, mut taken, mut past) = (State::Absent, 0, Vec::new());
                while taken < STEPS || Instant::now() < end {
                    let step = ALL[random.below(ALL.len() as u64) as usize];
                    let (status, next) = model(state, step);
                    let answer = ask(socket, step, &name);
                    past.push(step);
                    assert_eq!(
                        answer.status,
                        status,
                        "seed {seed}: {step:?} when {state:?}, after {past:?}: {}",
                        answer.text()
                    );
                    if step == Step::Inspect && answer.status == 200 {
                        assert_eq!(
                            answer.json()["State"]["Status"],
                            word(state),
                            "seed {seed}: {past:?}"
                        );
                    }
                    (state, taken) = (next, taken + 1);
                }
            });
        }
    });
}

/// All fight for a few names: every answer is one that some order explains, nobody waits for ever, and at the end the
/// list, the inspections and the kernel agree.
#[test]
fn clients_that_fight_for_names_leave_nothing_half() {
    let api = Api::start();
    let (seed, end) = (seed(), end());
    let socket = api.daemon.socket();
    std::thread::scope(|scope| {
        for client in 0..CLIENTS {
            scope.spawn(move || {
                let mut random = Random(seed.wrapping_add(client.wrapping_mul(0x85EB_CA6B)) | 1);
                let mut taken = 0;
                while taken < STEPS || Instant::now() < end {
                    let name = format!("shared{}", random.below(20));
                    let step = ALL[random.below(ALL.len() as u64) as usize];
                    let answer = ask(socket, step, &name);
                    let expected = [200, 201, 204, 304, 404, 409].contains(&answer.status);
                    assert!(
                        expected,
                        "seed {seed}: {step:?} of {name}: {} {}",
                        answer.status,
                        answer.text()
                    );
                    taken += 1;
                }
            });
        }
    });
    let listed = api.get("/containers/json?all=1").expect(200).json();
    for one in listed.as_array().expect("a list") {
        agrees(&api, one);
    }
}

fn agrees(api: &Api, listed: &Value) {
    let id = listed["Id"].as_str().expect("an id");
    let state = &api
        .get(&format!("/containers/{id}/json"))
        .expect(200)
        .json()["State"];
    assert_eq!(state["Status"], listed["State"], "{id}");
    let pid = state["Pid"].as_i64().expect("a pid");
    let lives = Path::new(&format!("/proc/{pid}")).exists();
    assert_eq!(state["Running"], pid > 0 && lives, "{id}: {state}");
}
