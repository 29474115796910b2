//! The form of `stats` that other programs parse: what is 0 or empty is left out, but for the fields that
//! are always there.
//!
//! Source: runc 1.3, types/events.go.

use berth_cgroup::{Counters, CpuSet, Io, IoEntry, MemoryUse, Pressure, Stall, Usage};
use serde_json::{Map, Value, json};

pub(super) fn stats(counters: &Counters, rdt: Value, network: Option<&str>) -> Value {
    let hugetlb: Map<String, Value> = counters
        .hugetlb
        .iter()
        .map(|(size, usage)| {
            let usage = json!({
                "usage": usage.usage, "max": usage.peak, "failcnt": usage.failures,
            });
            (size.clone(), compact(usage, &["failcnt"]))
        })
        .collect();
    json!({
        "cpu": cpu(counters),
        "cpuset": cpuset(&counters.cpuset),
        "memory": memory(&counters.memory),
        "pids": compact(
            json!({ "current": counters.pids, "limit": counters.pids_limit }),
            &[],
        ),
        "blkio": io(&counters.io),
        "hugetlb": hugetlb,
        "intel_rdt": rdt,
        "network_interfaces": network.map(interfaces),
    })
}

fn cpu(counters: &Counters) -> Value {
    let cpu = &counters.cpu;
    let usage = json!({
        "total": cpu.total, "percpu": cpu.per_cpu, "percpu_kernel": cpu.per_cpu_kernel,
        "percpu_user": cpu.per_cpu_user, "kernel": cpu.kernel, "user": cpu.user,
    });
    let throttling = json!({
        "periods": cpu.periods, "throttledPeriods": cpu.throttled_periods,
        "throttledTime": cpu.throttled,
    });
    let all = json!({
        "usage": compact(usage, &["kernel", "user"]),
        "throttling": compact(throttling, &[]),
        "psi": cpu.pressure.map(pressure),
    });
    compact(all, &["usage", "throttling"])
}

fn cpuset(set: &CpuSet) -> Value {
    let all = json!({
        "cpus": set.cpus, "cpu_exclusive": set.cpu_exclusive, "mems": set.mems,
        "mem_hardwall": set.mem_hardwall, "mem_exclusive": set.mem_exclusive,
        "memory_migrate": set.memory_migrate, "memory_spread_page": set.memory_spread_page,
        "memory_spread_slab": set.memory_spread_slab, "memory_pressure": set.memory_pressure,
        "sched_load_balance": set.sched_load_balance,
        "sched_relax_domain_level": set.sched_relax_domain_level,
    });
    let lists = ["cpus", "mems"];
    without(all, |key, value| lists.contains(&key) && is_nothing(value))
}

fn memory(memory: &MemoryUse) -> Value {
    let entry = |usage: &Usage| {
        let entry = json!({
            "limit": usage.limit, "usage": usage.usage, "max": usage.peak, "failcnt": usage.failures,
        });
        compact(entry, &["limit", "failcnt"])
    };
    let all = json!({
        "cache": memory.cache,
        "usage": entry(&memory.usage),
        "swap": entry(&memory.with_swap),
        "kernel": entry(&memory.kernel),
        "kernelTCP": entry(&memory.kernel_tcp),
        "raw": memory.raw,
        "psi": memory.pressure.map(pressure),
    });
    compact(all, &[])
}

fn io(io: &Io) -> Value {
    let list = |entries: &[IoEntry]| -> Vec<Value> {
        let entry = |e: &IoEntry| {
            let entry = json!({ "major": e.major, "minor": e.minor, "op": e.op, "value": e.value });
            compact(entry, &[])
        };
        entries.iter().map(entry).collect()
    };
    let all = json!({
        "ioServiceBytesRecursive": list(&io.service_bytes),
        "ioServicedRecursive": list(&io.serviced),
        "ioQueueRecursive": list(&io.queued),
        "ioServiceTimeRecursive": list(&io.service_time),
        "ioWaitTimeRecursive": list(&io.wait_time),
        "ioMergedRecursive": list(&io.merged),
        "ioTimeRecursive": list(&io.time),
        "sectorsRecursive": list(&io.sectors),
        "psi": io.pressure.map(pressure),
    });
    compact(all, &[])
}

fn pressure(pressure: Pressure) -> Value {
    let stall = |s: Stall| json!({ "avg10": s.avg10, "avg60": s.avg60, "avg300": s.avg300, "total": s.total });
    json!({ "some": stall(pressure.some), "full": stall(pressure.full) })
}

/// Lines `eth0: BYTES PACKETS ERRORS DROPPED … BYTES PACKETS ERRORS DROPPED …`: received, then sent.
///
/// Source: proc(5), /proc/PID/net/dev.
fn interfaces(text: &str) -> Vec<Value> {
    let interface = |line: &str| {
        let (name, rest) = line.split_once(':')?;
        let numbers: Vec<u64> = rest
            .split_whitespace()
            .map_while(|n| n.parse().ok())
            .collect();
        let [rx, tx] = [numbers.get(..4)?, numbers.get(8..12)?];
        (name.trim() != "lo").then(|| {
            json!({
                "Name": name.trim(),
                "RxBytes": rx[0], "RxPackets": rx[1], "RxErrors": rx[2], "RxDropped": rx[3],
                "TxBytes": tx[0], "TxPackets": tx[1], "TxErrors": tx[2], "TxDropped": tx[3],
            })
        })
    };
    text.lines().filter_map(interface).collect()
}

/// Without what is nothing, but for what is kept.
fn compact(value: Value, kept: &[&str]) -> Value {
    without(value, |key, value| {
        !kept.contains(&key) && is_nothing(value)
    })
}

fn without(value: Value, leaves: impl Fn(&str, &Value) -> bool) -> Value {
    match value {
        Value::Object(mut map) => {
            map.retain(|key, value| !leaves(key, value));
            Value::Object(map)
        }
        other => other,
    }
}

fn is_nothing(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::Number(number) => number.as_u64() == Some(0),
        Value::String(text) => text.is_empty(),
        Value::Array(list) => list.is_empty(),
        Value::Object(map) => map.is_empty(),
        Value::Bool(_) => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_always_there_is_there_without_any_count() {
        let limit = |limit: u64| json!({ "limit": limit, "failcnt": 0 });
        assert_eq!(
            stats(&Counters::default(), json!({}), None),
            json!({
                "cpu": { "usage": { "kernel": 0, "user": 0 }, "throttling": {} },
                "cpuset": {
                    "cpu_exclusive": 0, "mem_hardwall": 0, "mem_exclusive": 0, "memory_migrate": 0,
                    "memory_spread_page": 0, "memory_spread_slab": 0, "memory_pressure": 0,
                    "sched_load_balance": 0, "sched_relax_domain_level": 0,
                },
                "memory": {
                    "usage": limit(0), "swap": limit(0), "kernel": limit(0), "kernelTCP": limit(0),
                },
                "pids": {},
                "blkio": {},
                "hugetlb": {},
                "intel_rdt": {},
                "network_interfaces": null,
            })
        );
    }

    #[test]
    fn interfaces_but_the_loopback() {
        let text = "Inter-|   Receive                |  Transmit\n \
                    face |bytes    packets errs drop fifo frame compressed multicast|bytes ...\n    \
                    lo: 9 9 9 9 0 0 0 0 9 9 9 9 0 0 0 0\n  \
                    eth0: 1 2 3 4 0 0 0 0 5 6 7 8 0 0 0 0\n";
        assert_eq!(
            interfaces(text),
            [json!({
                "Name": "eth0",
                "RxBytes": 1, "RxPackets": 2, "RxErrors": 3, "RxDropped": 4,
                "TxBytes": 5, "TxPackets": 6, "TxErrors": 7, "TxDropped": 8,
            })]
        );
    }
}
