//! New limits into the recorded ones: what is set wins, and a list's entry that of the same device.

use berth_oci::spec::{BlockIo, Cpu, Memory, Network, Resources};

/// Merges `new` into `recorded`; returns what has to be written: `new`, with the recorded halves of
/// values that count together.
pub(super) fn into(recorded: &mut Resources, new: Resources) -> Resources {
    let mut change = new;
    if let Some(memory) = &mut change.memory {
        into_memory(recorded.memory.get_or_insert_default(), memory);
    }
    if let Some(cpu) = &mut change.cpu {
        into_cpu(recorded.cpu.get_or_insert_default(), cpu);
    }
    if let Some(pids) = &change.pids {
        let held = recorded.pids.get_or_insert_default();
        held.limit = pids.limit.or(held.limit);
    }
    if let Some(block) = &change.block_io {
        into_block(recorded.block_io.get_or_insert_default(), block);
    }
    if let Some(Network {
        class_id,
        priorities,
    }) = &change.network
    {
        let held = recorded.network.get_or_insert_default();
        held.class_id = class_id.or(held.class_id);
        upsert(&mut held.priorities, priorities, |p| p.name.clone());
    }
    upsert(
        &mut recorded.hugepage_limits,
        &change.hugepage_limits,
        |h| h.page_size.clone(),
    );
    recorded.rdma.extend(change.rdma.clone());
    recorded.unified.extend(change.unified.clone());
    // Callers send the whole of a container's limits back: what is the same is no request.
    if change.devices == recorded.devices {
        change.devices.clear();
    } else if !change.devices.is_empty() {
        recorded.devices.clone_from(&change.devices);
    }
    change
}

fn into_memory(held: &mut Memory, new: &mut Memory) {
    // For what is unlimited in memory, swap is too, as other runtimes have it.
    if new.limit == Some(-1) && new.swap.is_none() {
        new.swap = Some(-1);
    }
    take(&mut held.limit, new.limit);
    take(&mut held.swap, new.swap);
    take(&mut held.reservation, new.reservation);
    take(&mut held.kernel, new.kernel);
    take(&mut held.kernel_tcp, new.kernel_tcp);
    held.swappiness = new.swappiness.or(held.swappiness);
    held.disable_oom_killer = new.disable_oom_killer.or(held.disable_oom_killer);
    held.use_hierarchy = new.use_hierarchy.or(held.use_hierarchy);
    held.check_before_update = new.check_before_update.or(held.check_before_update);
    if is_set(new.limit) || is_set(new.swap) {
        (new.limit, new.swap) = (held.limit, held.swap);
        new.check_before_update = held.check_before_update;
    }
}

fn into_cpu(held: &mut Cpu, new: &mut Cpu) {
    take(&mut held.shares, new.shares);
    take(&mut held.quota, new.quota);
    take(&mut held.period, new.period);
    take(&mut held.realtime_period, new.realtime_period);
    take(&mut held.realtime_runtime, new.realtime_runtime);
    held.burst = new.burst.or(held.burst);
    held.idle = new.idle.or(held.idle);
    for (held, new) in [
        (&mut held.cpus, &mut new.cpus),
        (&mut held.mems, &mut new.mems),
    ] {
        // Other runtimes' "not set".
        *new = new.take().filter(|list| !list.is_empty());
        if new.is_some() {
            held.clone_from(new);
        }
    }
    if is_set(new.quota) || is_set(new.period) {
        (new.quota, new.period) = (held.quota, held.period);
    }
}

fn into_block(held: &mut BlockIo, new: &BlockIo) {
    take(&mut held.weight, new.weight);
    take(&mut held.leaf_weight, new.leaf_weight);
    for device in &new.weight_device {
        let same = held
            .weight_device
            .iter_mut()
            .rfind(|d| (d.major, d.minor) == (device.major, device.minor));
        match same {
            Some(held) => {
                take(&mut held.weight, device.weight);
                take(&mut held.leaf_weight, device.leaf_weight);
            }
            None => held.weight_device.push(device.clone()),
        }
    }
    for (held, new) in [
        (
            &mut held.throttle_read_bps_device,
            &new.throttle_read_bps_device,
        ),
        (
            &mut held.throttle_write_bps_device,
            &new.throttle_write_bps_device,
        ),
        (
            &mut held.throttle_read_iops_device,
            &new.throttle_read_iops_device,
        ),
        (
            &mut held.throttle_write_iops_device,
            &new.throttle_write_iops_device,
        ),
    ] {
        upsert(held, new, |d| (d.major, d.minor));
    }
}

/// 0 is "not set".
fn is_set<T: Default + PartialEq>(value: Option<T>) -> bool {
    value.is_some_and(|v| v != T::default())
}

fn take<T: Copy + Default + PartialEq>(held: &mut Option<T>, new: Option<T>) {
    if is_set(new) {
        *held = new;
    }
}

/// Of two entries of the same key the last one counts: that is the one to replace.
fn upsert<T: Clone, K: PartialEq>(held: &mut Vec<T>, new: &[T], key: impl Fn(&T) -> K) {
    for entry in new {
        match held.iter_mut().rfind(|e| key(e) == key(entry)) {
            Some(same) => same.clone_from(entry),
            None => held.push(entry.clone()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use berth_oci::spec::{DeviceRule, ThrottleDevice};

    fn memory(limit: Option<i64>, swap: Option<i64>) -> Resources {
        Resources {
            memory: Some(Memory {
                limit,
                swap,
                ..Memory::default()
            }),
            ..Resources::default()
        }
    }

    #[test]
    fn memory_and_swap_go_together() {
        let mut held = memory(Some(10), Some(20));
        let change = into(&mut held, memory(Some(15), None));
        assert_eq!(change, memory(Some(15), Some(20)));
        assert_eq!(held, memory(Some(15), Some(20)));
        let change = into(&mut held, memory(Some(0), Some(0)));
        assert_eq!(change, memory(Some(0), Some(0)), "nothing is asked for");
        let change = into(&mut held, memory(Some(-1), None));
        assert_eq!(change, memory(Some(-1), Some(-1)));
    }

    #[test]
    fn quota_and_period_go_together_and_others_stay() {
        let cpu = |quota, period, shares| Resources {
            cpu: Some(Cpu {
                quota,
                period,
                shares,
                ..Cpu::default()
            }),
            ..Resources::default()
        };
        let mut held = cpu(Some(5), Some(10), Some(100));
        let change = into(&mut held, cpu(None, Some(20), None));
        assert_eq!(change, cpu(Some(5), Some(20), None));
        let change = into(&mut held, cpu(None, None, Some(7)));
        assert_eq!(change, cpu(None, None, Some(7)));
        assert_eq!(held, cpu(Some(5), Some(20), Some(7)));
    }

    #[test]
    fn a_devices_last_entry_is_replaced() {
        let block = |rates: &[(i64, u64)]| Resources {
            block_io: Some(BlockIo {
                throttle_read_bps_device: rates
                    .iter()
                    .map(|(minor, rate)| ThrottleDevice {
                        major: 8,
                        minor: *minor,
                        rate: *rate,
                    })
                    .collect(),
                ..BlockIo::default()
            }),
            ..Resources::default()
        };
        let mut held = block(&[(0, 1), (0, 2), (1, 3)]);
        into(&mut held, block(&[(0, 9), (2, 4)]));
        assert_eq!(held, block(&[(0, 1), (0, 9), (1, 3), (2, 4)]));
    }

    #[test]
    fn the_same_device_rules_are_no_request() {
        let rules = |allow| Resources {
            devices: vec![DeviceRule {
                allow,
                ..DeviceRule::default()
            }],
            ..Resources::default()
        };
        let mut held = rules(false);
        assert_eq!(into(&mut held, rules(false)).devices, []);
        assert_eq!(into(&mut held, rules(true)).devices.len(), 1);
        assert_eq!(held, rules(true));
    }
}
