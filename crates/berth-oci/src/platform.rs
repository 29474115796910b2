//! Platforms: `os/architecture[/variant]`, parsed, normalised and matched as containerd does.
//!
//! Source: OCI image-spec, image-index.md, "platform"; Go's GOOS and GOARCH.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::digest::excerpt;
use crate::{Descriptor, Error, Index};

/// An operating system on a processor.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Platform {
    /// GOARCH: `amd64`, `arm64`, …
    pub architecture: String,
    /// GOOS: `linux`, …
    pub os: String,
    /// `v7` of `arm`, …
    #[serde(skip_serializing_if = "Option::is_none")]
    pub variant: Option<String>,
    /// Windows only.
    #[serde(rename = "os.version", skip_serializing_if = "Option::is_none")]
    pub os_version: Option<String>,
    /// Windows only.
    #[serde(rename = "os.features", skip_serializing_if = "Vec::is_empty")]
    pub os_features: Vec<String>,
}

impl Platform {
    /// Reads `os/architecture[/variant]`, or only an architecture (then Linux).
    ///
    /// # Errors
    /// Empty or odd parts.
    pub fn parse(text: &str) -> Result<Platform, Error> {
        let bad = |reason| Error::ParsePlatform {
            text: excerpt(text),
            reason,
        };
        let parts: Vec<&str> = text.split('/').collect();
        let word = |part: &&str| {
            !part.is_empty()
                && part.len() <= 32
                && part
                    .bytes()
                    .all(|b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-' | b'.'))
        };
        if !parts.iter().all(word) {
            return Err(bad("parts are letters, digits, `_`, `-`, `.`"));
        }
        let (os, architecture, variant) = match parts[..] {
            ["linux"] => {
                return Ok(Platform {
                    os: "linux".into(),
                    ..Platform::host()
                });
            }
            [architecture] => ("linux", architecture, None),
            [os, architecture] => (os, architecture, None),
            [os, architecture, variant] => (os, architecture, Some(variant)),
            _ => return Err(bad("expected os/architecture[/variant]")),
        };
        Ok(Platform {
            os: os.to_ascii_lowercase(),
            architecture: architecture.to_ascii_lowercase(),
            variant: variant.map(str::to_ascii_lowercase),
            ..Platform::default()
        }
        .normalised())
    }

    /// The platform that this program was built for.
    pub fn host() -> Platform {
        Platform {
            os: std::env::consts::OS.to_owned(),
            architecture: std::env::consts::ARCH.to_owned(),
            ..Platform::default()
        }
        .normalised()
    }

    /// The same with Go's names: `x86_64` is `amd64`, `aarch64` and `arm64/v8` are `arm64`, …
    pub fn normalised(mut self) -> Platform {
        let (architecture, variant) = match (self.architecture.as_str(), self.variant.as_deref()) {
            ("x86_64" | "x86-64" | "amd64", variant) => ("amd64", variant.filter(|v| *v != "v1")),
            ("i386" | "i486" | "i586" | "i686" | "x86" | "386", _) => ("386", None),
            ("aarch64" | "arm64", variant) => (
                "arm64",
                variant.filter(|v| !matches!(*v, "8" | "v8" | "v8.0")),
            ),
            ("armhf", _) => ("arm", Some("v7")),
            ("armel", _) => ("arm", Some("v6")),
            ("arm", None | Some("7")) => ("arm", Some("v7")),
            ("arm", Some("5")) => ("arm", Some("v5")),
            ("arm", Some("6")) => ("arm", Some("v6")),
            ("powerpc64le" | "ppc64el", variant) => ("ppc64le", variant),
            ("riscv64gc", variant) => ("riscv64", variant),
            (other, variant) => (other, variant),
        };
        let (architecture, variant) = (architecture.to_owned(), variant.map(str::to_owned));
        self.architecture = architecture;
        self.variant = variant;
        self
    }

    /// How well an image for `self` runs on `host`: 0 is exactly, more is worse, `None` not at all.
    pub fn distance_from(&self, host: &Platform) -> Option<u32> {
        let (image, host) = (self.clone().normalised(), host.clone().normalised());
        if image.os != host.os || image.architecture != host.architecture {
            return None;
        }
        if image.variant == host.variant {
            return Some(0);
        }
        // A newer processor runs what was built for an older one of its family.
        let (image, host) = (version(&image), version(&host));
        image
            .zip(host)
            .and_then(|(image, host)| host.checked_sub(image))
    }
}

/// The number of a variant of `arm` or `amd64`, in tenths (`v7` → 70, `v8.2` → 82).
fn version(platform: &Platform) -> Option<u32> {
    let lowest = match platform.architecture.as_str() {
        "amd64" => "v1",
        "arm64" => "v8",
        _ => "",
    };
    let text = platform
        .variant
        .as_deref()
        .unwrap_or(lowest)
        .strip_prefix('v')?;
    let (major, minor) = text.split_once('.').unwrap_or((text, "0"));
    let (major, minor): (u32, u32) = (major.parse().ok()?, minor.parse().ok()?);
    (major < 1000 && minor < 10).then(|| major * 10 + minor)
}

impl Index {
    /// The manifest for `host` that fits best; the first one among equals.
    ///
    /// An entry without a platform is taken only if no entry has one: a plain list of images.
    ///
    /// # Errors
    /// [`Error::NoPlatform`], naming what there is.
    pub fn select(&self, host: &Platform) -> Result<&Descriptor, Error> {
        let fits = |d: &Descriptor| d.platform.as_ref().and_then(|p| p.distance_from(host));
        let candidates = self.manifests.iter().filter_map(|d| Some((fits(d)?, d)));
        // `min_by_key` keeps the first of equal ones.
        if let Some((_, found)) = candidates.min_by_key(|(distance, _)| *distance) {
            return Ok(found);
        }
        let with_platform = || self.manifests.iter().filter_map(|d| d.platform.as_ref());
        match self.manifests.first() {
            Some(first) if with_platform().next().is_none() => Ok(first),
            _ => {
                let known = |p: &&Platform| p.os != "unknown";
                let names: Vec<String> = with_platform()
                    .filter(known)
                    .take(20)
                    .map(Platform::to_string)
                    .collect();
                Err(Error::NoPlatform {
                    wanted: host.to_string(),
                    available: if names.is_empty() {
                        "nothing".into()
                    } else {
                        names.join(", ")
                    },
                })
            }
        }
    }
}

impl fmt::Display for Platform {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.os, self.architecture)?;
        match &self.variant {
            Some(variant) => write!(f, "/{variant}"),
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn platform(text: &str) -> Platform {
        Platform::parse(text).unwrap()
    }

    #[test]
    fn platforms_are_normalised() {
        for (text, want) in [
            ("linux/amd64", "linux/amd64"),
            ("linux/x86_64", "linux/amd64"),
            ("LINUX/AMD64", "linux/amd64"),
            ("linux/arm64/v8", "linux/arm64"),
            ("aarch64", "linux/arm64"),
            ("linux/arm", "linux/arm/v7"),
            ("linux/armel", "linux/arm/v6"),
            ("linux/i386", "linux/386"),
            ("windows/amd64", "windows/amd64"),
        ] {
            assert_eq!(platform(text).to_string(), want, "{text}");
        }
        for bad in [
            "",
            "/",
            "linux/",
            "a/b/c/d",
            "linux/am d64",
            "linux/é",
            "linux//v8",
        ] {
            assert!(Platform::parse(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn older_variants_run_on_newer_processors() {
        let distance = |image: &str, host: &str| platform(image).distance_from(&platform(host));
        // Found by fuzzing: a number that does not fit.
        assert_eq!(distance("linux/amd64/v866082386", "linux/amd64"), None);
        assert_eq!(distance("linux/amd64", "linux/amd64"), Some(0));
        assert_eq!(distance("linux/amd64/v3", "linux/amd64"), None);
        assert_eq!(distance("linux/amd64", "linux/amd64/v3"), Some(20));
        assert_eq!(distance("linux/arm/v6", "linux/arm/v7"), Some(10));
        assert_eq!(distance("linux/arm/v7", "linux/arm/v6"), None);
        assert_eq!(distance("linux/386", "linux/amd64"), None);
        assert_eq!(distance("windows/amd64", "linux/amd64"), None);
    }

    fn index(platforms: &[Option<&str>]) -> Index {
        let manifests = platforms.iter().enumerate().map(|(i, text)| Descriptor {
            platform: text.map(platform),
            ..Descriptor::new(crate::media::MANIFEST, crate::Digest::of(&[i as u8]), 1)
        });
        Index {
            manifests: manifests.collect(),
            ..Index::default()
        }
    }

    #[test]
    fn the_best_entry_is_selected() {
        let host = platform("linux/amd64");
        let all = index(&[
            Some("linux/arm64"),
            Some("unknown/unknown"),
            Some("linux/amd64"),
        ]);
        assert_eq!(all.select(&host).unwrap(), &all.manifests[2]);
        let arm = index(&[
            Some("linux/arm/v5"),
            Some("linux/arm/v7"),
            Some("linux/arm/v6"),
        ]);
        assert_eq!(
            arm.select(&platform("linux/arm/v7")).unwrap(),
            &arm.manifests[1]
        );
        let error = arm.select(&host).unwrap_err().to_string();
        assert!(error.contains("linux/arm/v5"), "{error}");
        let plain = index(&[None, None]);
        assert_eq!(plain.select(&host).unwrap(), &plain.manifests[0]);
        assert!(index(&[]).select(&host).is_err());
    }
}
