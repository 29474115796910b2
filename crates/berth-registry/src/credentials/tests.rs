//! The file and the helpers together.

use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use super::*;

/// A home with this `config.json`, and a helper `test` that keeps logins in files, `*` being the registry.
struct Home(tempfile::TempDir);

impl Home {
    fn new(config: &str) -> Home {
        let home = Home(tempfile::tempdir().unwrap());
        std::fs::create_dir(home.path(".docker")).unwrap();
        std::fs::create_dir(home.path("bin")).unwrap();
        if !config.is_empty() {
            std::fs::write(home.config(), config).unwrap();
        }
        home
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn config(&self) -> PathBuf {
        self.path(".docker/config.json")
    }

    fn text(&self) -> String {
        std::fs::read_to_string(self.config()).unwrap()
    }

    fn helper(&self, name: &str) {
        let script = format!(
            "#!/bin/sh\nkept={}/kept-{name}\ncase $1 in\n\
             store) cat > $kept ;;\n\
             erase) rm -f $kept ;;\n\
             get) test -e $kept && exec cat $kept; echo credentials not found in native keychain; exit 1 ;;\n\
             esac\n",
            self.0.path().display()
        );
        let path = self.path(&format!("bin/docker-credential-{name}"));
        let written = std::process::Command::new("sh")
            .args(["-c", "printf %s \"$1\" > \"$0\""])
            .arg(&path)
            .arg(script)
            .status();
        assert!(written.unwrap().success());
        std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o755)).unwrap();
    }

    fn credentials(&self) -> Credentials {
        let text = |name: &str| Some(self.path(name).to_string_lossy().into_owned());
        Credentials::from_env(|name| match name {
            "HOME" => text(""),
            "PATH" => text("bin"),
            "REGISTRY_AUTH_FILE" => text("auth.json"),
            _ => None,
        })
    }
}

fn server(name: &str) -> Server {
    Server::parse(name).unwrap()
}

fn basic(username: &str, password: &str) -> Login {
    Login::Basic {
        username: username.into(),
        password: Secret::new(password),
    }
}

#[test]
fn dockers_file_is_read() {
    let home = Home::new(
        r#"{"auths": {
        "https://index.docker.io/v1/": {"auth": "dXNlcjpwYTpzcw=="},
        "R.example:5000": {"username": "u", "password": "p"},
        "id.example": {"auth": "dTo=", "identitytoken": "tok"},
        "empty.example": {},
        "part.example/some/repo": {"auth": "dXNlcjpwYTpzcw=="}}}"#,
    );
    let all = home.credentials();
    let find = |name: &str| all.find(&server(name)).unwrap();
    assert_eq!(find("docker.io"), Some(basic("user", "pa:ss")));
    assert_eq!(find("r.example:5000"), Some(basic("u", "p")));
    let token = Login::Identity(Secret::new("tok"));
    assert_eq!(find("id.example"), Some(token));
    for absent in ["empty.example", "part.example", "r.example", "example"] {
        assert_eq!(find(absent), None, "{absent}");
    }
    assert!(!format!("{:?}", find("docker.io")).contains("pa:ss"));
}

#[test]
fn broken_entries_are_named() {
    for auth in ["???", "bm9jb2xvbg==", "/zo="] {
        let home = Home::new(&format!(
            r#"{{"auths": {{"r.example": {{"auth": "{auth}"}}}}}}"#
        ));
        let error = home.credentials().find(&server("r.example")).unwrap_err();
        assert!(error.to_string().contains("r.example"), "{error}");
        assert_eq!(home.credentials().find(&server("a.example")).unwrap(), None);
    }
    for text in ["[", "[]", r#"{"auths": {}, "auths": {}}"#] {
        assert!(Home::new(text).credentials().find(&server("a")).is_err());
    }
    assert_eq!(
        Home::new("").credentials().find(&server("a")).unwrap(),
        None
    );
    assert_eq!(
        Home::new("\n").credentials().find(&server("a")).unwrap(),
        None
    );
}

#[test]
fn podmans_file_comes_last() {
    let home = Home::new(r#"{"auths": {"a.example": {"auth": "dTpw"}}}"#);
    let other = r#"{"auths": {"a.example": {"auth": "eDp5"}, "b.example": {"auth": "eDp5"}}}"#;
    std::fs::write(home.path("auth.json"), other).unwrap();
    let find = |name: &str| home.credentials().find(&server(name)).unwrap();
    assert_eq!(find("a.example"), Some(basic("u", "p")));
    assert_eq!(find("b.example"), Some(basic("x", "y")));
}

#[test]
fn all_else_in_the_file_stays_as_it_was() {
    let odd = r#"{
	"HttpHeaders": {"User-Agent":   "x",
 "b": [1.50, 12345678901234567890123, "ä"]},
	"auths": {
		"other.example": { "auth" : "dTpw" }
	},
	"z": null
}"#;
    let home = Home::new(odd);
    let all = home.credentials();
    let r = server("r.example");
    let stored = all
        .store(&r, "user", &basic("user", "pa:ss"), false)
        .unwrap();
    assert_eq!(stored, Stored::File(home.config()));
    let want = odd.replace(
        r#""dTpw" }"#,
        "\"dTpw\" },\n\t\t\"r.example\": {\n\t\t\t\"auth\": \"dXNlcjpwYTpzcw==\"\n\t\t}",
    );
    assert_eq!(home.text(), want);
    assert_eq!(all.find(&r).unwrap(), Some(basic("user", "pa:ss")));
    let mode = home.config().metadata().unwrap().permissions().mode();
    assert_eq!(mode & 0o7777, 0o600);
    assert!(all.erase(&r).unwrap() && !all.erase(&r).unwrap());
    assert_eq!(home.text(), odd);
    assert_eq!(all.find(&r).unwrap(), None);
}

#[test]
fn a_new_file_is_dockers() {
    let home = Home::new("");
    std::fs::remove_dir(home.path(".docker")).unwrap();
    let all = home.credentials();
    let token = Login::Identity(Secret::new("tok"));
    all.store(&Server::hub(), "u", &token, false).unwrap();
    let want = "{\n\t\"auths\": {\n\t\t\"https://index.docker.io/v1/\": {\n\t\t\t\"auth\": \"dTo=\",\n\t\t\t\"identitytoken\": \"tok\"\n\t\t}\n\t}\n}";
    assert_eq!(home.text(), want);
    let mode = home
        .path(".docker")
        .metadata()
        .unwrap()
        .permissions()
        .mode();
    assert_eq!(mode & 0o7777, 0o700);
}

#[test]
fn a_link_stays_a_link() {
    let home = Home::new("");
    std::fs::write(home.path("real.json"), "{}").unwrap();
    std::os::unix::fs::symlink(home.path("real.json"), home.config()).unwrap();
    let all = home.credentials();
    all.store(&server("a.example"), "u", &basic("u", "p"), false)
        .unwrap();
    assert!(home.config().is_symlink());
    assert!(
        std::fs::read_to_string(home.path("real.json"))
            .unwrap()
            .contains("a.example")
    );
}

#[test]
fn writers_take_turns() {
    let home = Home::new("");
    let all = home.credentials();
    let names: Vec<Server> = (0..16).map(|i| server(&format!("r{i}.example"))).collect();
    std::thread::scope(|scope| {
        for name in &names {
            scope.spawn(|| all.store(name, "u", &basic("u", "p"), false).unwrap());
        }
    });
    for name in &names {
        assert_eq!(all.find(name).unwrap(), Some(basic("u", "p")), "{name}");
    }
}

#[test]
fn a_helper_that_is_named_keeps_the_login() {
    let home = Home::new(r#"{"credsStore": "all", "credHelpers": {"one.example": "one"}}"#);
    home.helper("all");
    home.helper("one");
    let all = home.credentials();
    for (name, helper) in [("one.example", "one"), ("docker.io", "all")] {
        let name = server(name);
        assert_eq!(all.find(&name).unwrap(), None);
        // Not even if it is asked for.
        let stored = all.store(&name, "u", &basic("u", "geheim"), true).unwrap();
        assert_eq!(stored, Stored::Helper(helper.into()));
        assert_eq!(all.find(&name).unwrap(), Some(basic("u", "geheim")));
        assert!(home.path(&format!("kept-{helper}")).exists());
        assert!(all.erase(&name).unwrap());
        assert_eq!(all.find(&name).unwrap(), None);
    }
    // base64 of `u:geheim`.
    assert!(!home.text().contains("dTpnZWhlaW0"), "{}", home.text());
    assert_eq!(home.text().matches("all").count(), 1);
}

#[test]
fn a_helper_that_is_installed_is_taken() {
    let home = Home::new("");
    home.helper("secretservice");
    let all = home.credentials();
    let (a, b) = (server("a.example"), server("b.example"));
    let login = basic("u", "p");
    let stored = all.store(&a, "u", &login, false).unwrap();
    assert_eq!(stored, Stored::Helper("secretservice".into()));
    assert!(home.text().contains(r#""credsStore": "secretservice""#));
    // Where others have their passwords in the file, they keep them.
    std::fs::write(
        home.config(),
        r#"{"auths": {"a.example": {"auth": "dTpw"}}}"#,
    )
    .unwrap();
    all.store(&b, "u", &login, false).unwrap();
    assert!(!home.text().contains("credsStore"), "{}", home.text());
    assert_eq!(all.find(&a).unwrap(), Some(login.clone()));
    assert_eq!(all.find(&b).unwrap(), Some(login.clone()));
    // Asked to, we do without.
    let c = server("c.example");
    let stored = all.store(&c, "u", &login, true).unwrap();
    assert_eq!(stored, Stored::File(home.config()));
}

/// G3: a helper that fails is no reason to look elsewhere, nor to write the password down.
#[test]
fn a_helper_that_fails_ends_it() {
    let home = Home::new(r#"{"credsStore": "gone", "auths": {"a.example": {"auth": "dTpw"}}}"#);
    std::fs::write(
        home.path("auth.json"),
        r#"{"auths": {"a.example": {"auth": "eDp5"}}}"#,
    )
    .unwrap();
    let (all, a) = (home.credentials(), server("a.example"));
    assert!(matches!(all.find(&a), Err(Error::NoHelper { .. })));
    let before = home.text();
    assert!(all.store(&a, "u", &basic("u", "p"), true).is_err());
    assert!(all.erase(&a).is_err());
    assert_eq!(home.text(), before);
}

#[test]
fn without_a_home_there_is_no_place() {
    let none = Credentials::from_env(|_| None);
    assert_eq!(none.find(&Server::hub()).unwrap(), None);
    let stored = none.store(&Server::hub(), "u", &basic("u", "p"), false);
    assert!(matches!(stored, Err(Error::NoHome)));
    let relative = Credentials::from_env(|name| (name == "PATH").then(|| ".:bin:".to_owned()));
    assert!(relative.search.is_empty());
    assert!(!Path::new("config.json").exists());
}

/// G3: what goes along to another place is the logins of the registries that are named, and no others.
#[test]
fn logins_go_along_for_those_who_are_named_alone() {
    let directory = tempfile::tempdir().unwrap();
    let text = r#"{"auths": {"a.example": {"auth": "dTpw"}, "b.example": {"auth": "eDp5"}}}"#;
    std::fs::write(directory.path().join("config.json"), text).unwrap();
    let place = directory.path().to_str().unwrap().to_owned();
    let here = Credentials::from_env(|name| (name == "DOCKER_CONFIG").then(|| place.clone()));
    let [a, b, c] = ["a.example", "b.example", "c.example"].map(Server::named);
    assert_eq!(here.carry(std::slice::from_ref(&c)).unwrap(), None);
    let carried = here.carry(&[a.clone(), c]).unwrap().unwrap();
    let there =
        Credentials::from_env(|name| (name == "DOCKER_AUTH_CONFIG").then(|| carried.clone()));
    assert_eq!(there.find(&a).unwrap(), here.find(&a).unwrap());
    assert!(there.find(&a).unwrap().is_some());
    assert_eq!(there.find(&b).unwrap(), None);
    let bad = Credentials::from_env(|name| (name == "DOCKER_AUTH_CONFIG").then(|| "{".to_owned()));
    assert!(bad.find(&a).is_err());
}
