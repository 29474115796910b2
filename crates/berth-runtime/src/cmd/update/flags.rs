//! The flags of `update`.

use std::path::PathBuf;

use berth_oci::spec::{BlockIo, Cpu, Memory, Pids, Resources};

use crate::cmd::args::{Args, unknown, usage};
use crate::error::Result;
use crate::warning::warn;

/// Where the limits come from.
#[derive(Debug)]
pub(super) enum Source {
    Flags(Box<Resources>),
    File(PathBuf),
    Input,
}

/// A whole command line.
#[derive(Debug)]
pub(super) struct Asked {
    pub(super) id: String,
    pub(super) source: Source,
    pub(super) l3_cache_schema: Option<String>,
    pub(super) mem_bw_schema: Option<String>,
}

pub(super) fn read(args: &mut Args) -> Result<Asked> {
    let (mut source, mut l3_cache_schema, mut mem_bw_schema) = (None, None, None);
    let (mut memory, mut cpu) = (Memory::default(), Cpu::default());
    let mut weight: Option<u16> = None;
    let mut pids = Pids::default();
    while let Some(option) = args.next_option()? {
        let name = option.trim_start_matches('-');
        match option.as_str() {
            "-r" | "--resources" => source = some(args.value()?),
            "--l3-cache-schema" => l3_cache_schema = some(args.value()?),
            "--mem-bw-schema" => mem_bw_schema = some(args.value()?),
            "--blkio-weight" => weight = number(name, args)?,
            "--cpu-period" => cpu.period = number(name, args)?,
            "--cpu-quota" => cpu.quota = number(name, args)?,
            "--cpu-burst" => cpu.burst = number(name, args)?,
            "--cpu-rt-period" => cpu.realtime_period = number(name, args)?,
            "--cpu-rt-runtime" => cpu.realtime_runtime = number(name, args)?,
            "--cpu-share" => cpu.shares = number(name, args)?,
            "--cpu-idle" => cpu.idle = number(name, args)?,
            "--cpuset-cpus" => cpu.cpus = some(args.value()?),
            "--cpuset-mems" => cpu.mems = some(args.value()?),
            "--memory" => memory.limit = bytes(name, args)?,
            "--memory-reservation" => memory.reservation = bytes(name, args)?,
            "--memory-swap" => memory.swap = bytes(name, args)?,
            "--pids-limit" => pids.limit = number(name, args)?,
            "--kernel-memory" | "--kernel-memory-tcp" => {
                args.value()?;
                warn(format_args!(
                    "{option} is ignored, as in other runtimes: use --memory"
                ));
            }
            other => return Err(unknown(other)),
        }
    }
    let id = args.only_operand("the container's id")?;
    let source = match source.as_deref() {
        Some("-") => Source::Input,
        Some(path) => Source::File(path.into()),
        None => Source::Flags(Box::new(Resources {
            memory: Some(memory),
            cpu: Some(cpu),
            pids: Some(pids),
            block_io: Some(BlockIo {
                weight,
                ..BlockIo::default()
            }),
            ..Resources::default()
        })),
    };
    Ok(Asked {
        id,
        source,
        l3_cache_schema,
        mem_bw_schema,
    })
}

/// An empty value is none, as for other runtimes.
fn some(value: String) -> Option<String> {
    Some(value).filter(|value| !value.is_empty())
}

fn number<T: std::str::FromStr>(name: &str, args: &mut Args) -> Result<Option<T>> {
    let bad = |value: &str| {
        usage(format!(
            "invalid value for {name}: `{value}` is no number for it"
        ))
    };
    some(args.value()?)
        .map(|value| value.parse().map_err(|_| bad(&value)))
        .transpose()
}

fn bytes(name: &str, args: &mut Args) -> Result<Option<i64>> {
    let bad = |value: &str| usage(format!("invalid value for {name}: `{value}` is no size"));
    some(args.value()?)
        .map(|value| size(&value).ok_or_else(|| bad(&value)))
        .transpose()
}

/// `-1`, or bytes with a binary unit: `1.5g`, `512MiB`.
///
/// Source: docker/go-units, `RAMInBytes`.
fn size(text: &str) -> Option<i64> {
    if text == "-1" {
        return Some(-1);
    }
    let end = text.find(|c: char| !c.is_ascii_digit() && c != '.');
    let (number, unit) = text.split_at(end.unwrap_or(text.len()));
    let shift = match unit.trim_start().to_ascii_lowercase().as_str() {
        "" | "b" => 0,
        "k" | "kb" | "kib" => 10,
        "m" | "mb" | "mib" => 20,
        "g" | "gb" | "gib" => 30,
        "t" | "tb" | "tib" => 40,
        "p" | "pb" | "pib" => 50,
        _ => return None,
    };
    // Whole numbers stay exact.
    if let Ok(whole) = number.parse::<i64>() {
        return whole.checked_mul(1 << shift);
    }
    let value = number.parse::<f64>().ok()? * (1u64 << shift) as f64;
    (value < i64::MAX as f64).then_some(value as i64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes() {
        for (text, bytes) in [
            ("0", Some(0)),
            ("-1", Some(-1)),
            ("67108864", Some(64 << 20)),
            ("50M", Some(50 << 20)),
            ("1.5g", Some(3 << 29)),
            ("2 kib", Some(2048)),
            ("7b", Some(7)),
            ("", None),
            ("-2", None),
            ("M", None),
            ("1.2.3k", None),
            ("1x", None),
            ("9223372036854775807k", None),
        ] {
            assert_eq!(size(text), bytes, "{text}");
        }
    }

    #[test]
    fn flags_stand_before_and_after_the_id() {
        let words = [
            "--cpu-quota",
            "-1",
            "x",
            "--memory=50M",
            "--cpuset-cpus",
            "",
        ];
        let mut args = Args::new(words.map(str::to_owned).to_vec());
        args.permute();
        let asked = read(&mut args).unwrap();
        assert_eq!(asked.id, "x");
        let Source::Flags(resources) = asked.source else {
            panic!("{:?}", asked.source);
        };
        let cpu = resources.cpu.unwrap();
        assert_eq!((cpu.quota, cpu.cpus), (Some(-1), None));
        assert_eq!(resources.memory.unwrap().limit, Some(50 << 20));
        for bad in [
            ["--cpu-share", "-1"],
            ["--blkio-weight", "65536"],
            ["--memory", "x"],
            ["--cpu-shares", "1"],
        ] {
            let mut args = Args::new(bad.map(str::to_owned).to_vec());
            args.permute();
            assert!(read(&mut args).is_err(), "{bad:?}");
        }
    }
}
