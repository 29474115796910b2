//! `ps`: the host's pids of a container's processes.

use berth_cgroup::Cgroup;

use super::args::{Args, unknown};
use super::{Global, print, print_json};
use crate::error::Result;

pub(super) fn main(global: &Global, mut args: Args) -> Result<i32> {
    let mut json = false;
    while let Some(option) = args.next_option()? {
        match option.as_str() {
            "-f" | "--format" => json = args.value()? == "json",
            other => return Err(unknown(other)),
        }
    }
    let id = args.only_operand("the container's id")?;
    let (record, _) = global.root.find(&id)?.known("list the processes of")?;
    let cgroup = Cgroup::open(&record.cgroups)?;
    let pids = cgroup.procs()?;
    if json {
        print_json(&pids)?;
    } else {
        let lines: String = pids.iter().map(|pid| format!("{pid}\n")).collect();
        print(&format!("PID\n{lines}"))?;
    }
    Ok(0)
}
