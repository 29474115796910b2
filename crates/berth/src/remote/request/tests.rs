//! What is sent for which command line.

use super::*;

fn request(line: &[&str]) -> Result<Request, Failure> {
    let mut command = crate::verbs::command();
    let words = std::iter::once("berth").chain(line.iter().copied());
    let matches = command
        .try_get_matches_from_mut(words)
        .expect("a command line");
    Called::find(&command, &matches).request()
}

fn sent(line: &[&str]) -> Vec<String> {
    let shown = |argument: Argument| match argument {
        Argument::Text(text) => text,
        Argument::Content(before, content) => format!("{before}<{content}>"),
        Argument::File(before, number) => format!("{before}#{number}"),
    };
    let request = request(line).unwrap_or_else(|failure| panic!("{failure}"));
    request.arguments.into_iter().map(shown).collect()
}

#[test]
fn a_line_is_sent_as_it_was_understood() {
    for (line, want) in [
        (&["ps", "-aq"][..], "ps --all=true --quiet=true --"),
        (&["container", "ps"], "container ls --"),
        (
            &[
                "run", "--rm", "-it", "--name", "web", "img", "sh", "-c", "a --b",
            ],
            "run --name=web --interactive=true --tty=true --rm=true -- img sh -c a --b",
        ),
        (
            &["run", "-e", "A=1", "-e", "B=2", "img"],
            "run --env=A=1 --env=B=2 -- img",
        ),
        (&["-D", "rm", "-f", "a", "b"], "rm --force=true -- a b"),
        (&["tag", "a", "b"], "tag -- a b"),
        (&["logs", "-n", "5", "c"], "logs --tail=5 -- c"),
        (&["exec", "c", "ls", "--", "-x"], "exec -- c ls -- -x"),
        (&["system", "df", "-v"], "system df --verbose=true --"),
    ] {
        assert_eq!(sent(line).join(" "), want, "{line:?}");
    }
}

#[test]
fn files_are_brought_along() {
    let place = tempfile::tempdir().expect("a directory");
    let file = |name: &str, text: &str| {
        let path = place.path().join(name);
        std::fs::write(&path, text).expect("our own directory");
        path.to_string_lossy().into_owned()
    };
    let vars = file("vars", "# no\nA=1\nNOPE_NOT_SET\n");
    let labels = file("labels", "a=b\nc\n");
    let profile = file("profile", "{}");
    let id = place.path().join("id").to_string_lossy().into_owned();
    let line = [
        "create",
        "-e",
        "A=2",
        "--env-file",
        &vars,
        "--label-file",
        &labels,
        "--cidfile",
        &id,
        "--security-opt",
        &format!("seccomp={profile}"),
        "--security-opt",
        "no-new-privileges",
        "img",
    ];
    let mut words = sent(&line);
    words.sort();
    assert_eq!(
        words.join(" "),
        "-- --cidfile=#0 --env=A=1 --env=A=2 --label=a=b --label=c= --security-opt=no-new-privileges \
         --security-opt=seccomp=<{}> create img"
    );
    // The file's come first: the option wins.
    let words = sent(&line);
    let at = |word: &str| words.iter().position(|one| one == word);
    assert!(at("--env=A=1") < at("--env=A=2"));

    let archive = file("archive", "x");
    let load = request(&["load", "-i", &archive]).unwrap_or_else(|failure| panic!("{failure}"));
    assert!(matches!(load.input, Some(Input::File(_))));
    assert_eq!(sent(&["load", "-i", &archive]).join(" "), "load --");
    assert_eq!(
        sent(&["import", &archive, "name"]).join(" "),
        "import -- - name"
    );
    let save = request(&["save", "-o", &id, "img"]).unwrap_or_else(|failure| panic!("{failure}"));
    assert!(save.output.is_some());
    drop(save);
    assert!(request(&["save", "-o", "/", "img"]).is_err());
    assert!(request(&["load", "-i", "/"]).is_err());
}

#[test]
fn only_a_verb_that_reads_takes_our_input() {
    for (line, reads) in [
        (&["ps"][..], false),
        (&["run", "img"], false),
        (&["run", "-i", "img"], true),
        (&["run", "-id", "img"], false),
        (&["exec", "-i", "c", "cat"], true),
        (&["attach", "c"], true),
        (&["attach", "--no-stdin", "c"], false),
        (&["system", "prune"], true),
        (&["system", "prune", "-f"], false),
        (&["load"], true),
    ] {
        let request = request(line).unwrap_or_else(|failure| panic!("{failure}"));
        assert_eq!(request.input.is_some(), reads, "{line:?}");
    }
}

#[test]
fn relative_mounts_are_of_our_directory() {
    let cwd = Path::new("/here");
    for (text, want) in [
        ("./a:/b:ro", "/here/a:/b:ro"),
        ("../a:/b", "/a:/b"),
        ("vol:/b", "vol:/b"),
        ("/a:/b", "/a:/b"),
        ("/b", "/b"),
    ] {
        assert_eq!(mount::volume_in_full(text, cwd).as_deref(), Ok(want));
    }
    for (text, want) in [
        ("type=bind,src=a,dst=/b", "type=bind,src=/here/a,dst=/b"),
        ("src=vol,dst=/b", "src=vol,dst=/b"),
        (
            "type=bind,\"src=a,b\",dst=/b",
            "type=bind,\"src=/here/a,b\",dst=/b",
        ),
    ] {
        assert_eq!(mount::mount_in_full(text, cwd).as_deref(), Ok(want));
    }
}
