//! `--device` and the options that name a device with a number.

use berth_model::config::{DeviceConfig, DeviceValue};

use super::{Parsed, number};

/// `HOST[:INSIDE[:PERMISSIONS]]` or `HOST:PERMISSIONS`.
pub fn device(text: &str) -> Parsed<DeviceConfig> {
    let parts: Vec<&str> = text.split(':').collect();
    let (host, inside, permissions) = match parts[..] {
        [host] => (host, host, "rwm"),
        [host, permissions] if is_permissions(permissions) => (host, host, permissions),
        [host, inside] => (host, inside, "rwm"),
        [host, inside, permissions] => (host, inside, permissions),
        _ => {
            return Err(format!(
                "`{text}` is not of the form HOST[:INSIDE[:PERMISSIONS]]"
            ));
        }
    };
    if !host.starts_with('/') {
        return match host.contains('=') {
            true => Err(format!("`{text}`: berth knows no devices by name (CDI)")),
            false => Err(format!("`{host}` is not an absolute path")),
        };
    }
    if !is_permissions(permissions) {
        return Err(format!("`{permissions}` is not made of r, w and m"));
    }
    Ok(DeviceConfig {
        host: super::mount::clean(host)?,
        container: super::mount::clean(inside)?,
        permissions: permissions.to_owned(),
    })
}

/// Each letter at most once, as Docker has it.
fn is_permissions(text: &str) -> bool {
    let once = |letter: char| text.matches(letter).count() <= 1;
    !text.is_empty()
        && text
            .chars()
            .all(|letter| "rwm".contains(letter) && once(letter))
}

/// A rule of the device cgroup. The engine reads it.
pub fn rule(text: &str) -> Parsed<String> {
    let words: Vec<&str> = text.split(' ').collect();
    match words[..] {
        ["a" | "b" | "c", numbers, access] if numbers.contains(':') && is_permissions(access) => {
            Ok(text.to_owned())
        }
        _ => Err(format!("`{text}` is not a rule, such as `c 10:200 rwm`")),
    }
}

/// `DEVICE:SIZE`, in a second.
pub fn bytes(text: &str) -> Parsed<DeviceValue> {
    with(text, number::bytes)
}

/// `DEVICE:NUMBER`, in a second.
pub fn operations(text: &str) -> Parsed<DeviceValue> {
    with(text, number::unsigned)
}

/// `DEVICE:WEIGHT`.
pub fn weight(text: &str) -> Parsed<DeviceValue> {
    with(text, |text| number::weight(text).map(u64::from))
}

fn with(text: &str, parse: impl Fn(&str) -> Parsed<u64>) -> Parsed<DeviceValue> {
    let (path, value) = text
        .rsplit_once(':')
        .filter(|(path, _)| path.starts_with("/dev/"))
        .ok_or_else(|| format!("`{text}` is not of the form /dev/NAME:VALUE"))?;
    Ok(DeviceValue {
        path: path.to_owned(),
        value: parse(value)?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn device_forms() {
        for (text, want) in [
            ("/dev/fuse", ("/dev/fuse", "/dev/fuse", "rwm")),
            ("/dev/fuse:r", ("/dev/fuse", "/dev/fuse", "r")),
            ("/dev/a:/dev/b", ("/dev/a", "/dev/b", "rwm")),
            ("/dev/a:/dev/b:wr", ("/dev/a", "/dev/b", "wr")),
        ] {
            let got = device(text).expect(text);
            assert_eq!(
                (&*got.host, &*got.container, &*got.permissions),
                want,
                "{text}"
            );
        }
        for bad in [
            "",
            "dev/fuse",
            "/dev/a:/dev/b:x",
            "/dev/a:/dev/b:rr",
            "/dev/a:b",
            "/dev/a:/dev/b:r:w",
            "vendor.example/class=name",
        ] {
            assert!(device(bad).is_err(), "{bad}");
        }
        assert!(rule("c 1:3 rwm").is_ok());
        assert!(rule("c 1:3").is_err() && rule("x 1:3 r").is_err());
    }

    #[test]
    fn values_of_devices() {
        let value = |path: &str, value| DeviceValue {
            path: path.into(),
            value,
        };
        assert_eq!(bytes("/dev/vda:1mb"), Ok(value("/dev/vda", 1 << 20)));
        assert_eq!(operations("/dev/vda:100"), Ok(value("/dev/vda", 100)));
        assert_eq!(weight("/dev/vda:300"), Ok(value("/dev/vda", 300)));
        for bad in ["", "/dev/vda", "vda:1", "/dev/vda:x", "/dev/vda:-1"] {
            assert!(bytes(bad).is_err() && operations(bad).is_err(), "{bad}");
        }
    }
}
