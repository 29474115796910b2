//! `ps`: a container's processes: their pids on the host (`-f json`), or what the host's ps(1) says of them.

use std::process::Command;

use super::args::{Args, unknown, usage};
use super::{Global, json_wanted, print, print_compact};
use crate::error::{Result, step};

pub(super) fn main(global: &Global, mut args: Args) -> Result<i32> {
    let mut json = false;
    while let Some(option) = args.next_option()? {
        match option.as_str() {
            "-f" | "--format" => json = json_wanted(&mut args)?,
            other => return Err(unknown(other)),
        }
    }
    let id = args.operand("the container's id")?;
    let (record, _) = global.root.find(&id)?.known("list the processes of")?;
    let cgroup = record.cgroup()?.unwrap_or_default();
    let mut pids = cgroup.procs()?;
    if pids.is_empty() && crate::pid::open(record.pid, record.start_time)?.is_some() {
        // Rootless without cgroups: init is all that is known.
        pids.push(record.pid);
    }
    if json {
        return print_compact(&pids).map(|()| 0);
    }
    let mut options = args.rest();
    if options.is_empty() {
        options.push("-ef".to_owned());
    }
    let output = Command::new("ps")
        .args(&options)
        .output()
        .map_err(|e| step("run ps", e))?;
    let text = String::from_utf8_lossy(&output.stdout);
    if !output.status.success() {
        let said = String::from_utf8_lossy(&output.stderr);
        return Err(step(
            "run ps",
            std::io::Error::other(said.trim().to_owned()),
        ));
    }
    print(only(&text, &pids)?)?;
    Ok(0)
}

/// The header, and the lines of these processes.
fn only(text: &str, pids: &[i32]) -> Result<String> {
    let mut lines = text.lines();
    let header = lines.next().unwrap_or_default();
    let column = header
        .split_whitespace()
        .position(|name| name == "PID")
        .ok_or_else(|| usage("couldn't find PID field in ps output".to_owned()))?;
    let ours = |line: &&str| {
        let pid = line.split_whitespace().nth(column).map(str::parse);
        matches!(pid, Some(Ok(pid)) if pids.contains(&pid))
    };
    let lines = std::iter::once(header).chain(lines.filter(ours));
    Ok(lines.flat_map(|line| [line, "\n"]).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_chosen_by_the_pid_column() {
        let text = "UID   PID PPID CMD\nroot    1    0 init\nroot   12    1 sh 1\nbad line\n";
        assert_eq!(
            only(text, &[12]).unwrap(),
            "UID   PID PPID CMD\nroot   12    1 sh 1\n"
        );
        assert!(only("CMD\nsh\n", &[1]).is_err());
    }
}
