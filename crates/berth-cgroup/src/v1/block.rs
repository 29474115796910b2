//! The v1 controller blkio.

use berth_oci::spec::BlockIo;

use crate::apply::Apply;
use crate::error::{Error, Result};
use crate::words::set;

pub(super) fn apply(apply: &mut Apply<'_>, block: &BlockIo) -> Result<()> {
    let lines = lines(block);
    if lines.is_empty() {
        return Ok(());
    }
    let some_file = "blkio.throttle.io_serviced";
    let Some(dir) = apply.v1("blkio", some_file, "blockIO")? else {
        return Ok(());
    };
    for (files, line, setting) in &lines {
        // Which file there is depends on the kernel's block schedulers: CFQ once, BFQ now.
        let Some(file) = files.iter().find(|file| dir.has(file)) else {
            return Err(Error::NoFile {
                file: files[0].into(),
                setting,
            });
        };
        apply.write(dir, file, line)?;
    }
    Ok(())
}

/// What is written: to the first of these files that is there; for which setting.
type Line = (&'static [&'static str], String, &'static str);

fn lines(block: &BlockIo) -> Vec<Line> {
    let mut lines: Vec<Line> = Vec::new();
    if let Some(weight) = set(block.weight) {
        let files = &["blkio.bfq.weight", "blkio.weight"];
        lines.push((files, weight.to_string(), "blockIO.weight"));
    }
    if let Some(weight) = set(block.leaf_weight) {
        let file = &["blkio.leaf_weight"];
        lines.push((file, weight.to_string(), "blockIO.leafWeight"));
    }
    for device in &block.weight_device {
        let line = |weight| format!("{}:{} {weight}", device.major, device.minor);
        if let Some(weight) = set(device.weight) {
            let files = &["blkio.bfq.weight_device", "blkio.weight_device"];
            lines.push((files, line(weight), "blockIO.weightDevice"));
        }
        if let Some(weight) = set(device.leaf_weight) {
            let file = &["blkio.leaf_weight_device"];
            lines.push((file, line(weight), "blockIO.weightDevice"));
        }
    }
    let throttles: [(&[&str], _, _); 4] = [
        (
            &["blkio.throttle.read_bps_device"],
            &block.throttle_read_bps_device,
            "blockIO.throttleReadBpsDevice",
        ),
        (
            &["blkio.throttle.write_bps_device"],
            &block.throttle_write_bps_device,
            "blockIO.throttleWriteBpsDevice",
        ),
        (
            &["blkio.throttle.read_iops_device"],
            &block.throttle_read_iops_device,
            "blockIO.throttleReadIOPSDevice",
        ),
        (
            &["blkio.throttle.write_iops_device"],
            &block.throttle_write_iops_device,
            "blockIO.throttleWriteIOPSDevice",
        ),
    ];
    for (file, devices, setting) in throttles {
        // 0 takes a limit away.
        let line =
            |d: &berth_oci::spec::ThrottleDevice| format!("{}:{} {}", d.major, d.minor, d.rate);
        lines.extend(devices.iter().map(|d| (file, line(d), setting)));
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;
    use berth_oci::spec::{ThrottleDevice, WeightDevice};

    #[test]
    fn devices_have_a_line_each() {
        let device = |minor, rate| ThrottleDevice {
            major: 8,
            minor,
            rate,
        };
        let block = BlockIo {
            weight: Some(500),
            leaf_weight: Some(300),
            weight_device: vec![WeightDevice {
                major: 8,
                minor: 0,
                weight: Some(10),
                leaf_weight: Some(20),
            }],
            throttle_read_bps_device: vec![device(0, 600), device(16, 0)],
            throttle_write_iops_device: vec![device(16, 300)],
            ..BlockIo::default()
        };
        let written: Vec<String> = lines(&block)
            .into_iter()
            .map(|(files, line, _)| format!("{} {line}", files[0]))
            .collect();
        assert_eq!(
            written,
            [
                "blkio.bfq.weight 500",
                "blkio.leaf_weight 300",
                "blkio.bfq.weight_device 8:0 10",
                "blkio.leaf_weight_device 8:0 20",
                "blkio.throttle.read_bps_device 8:0 600",
                "blkio.throttle.read_bps_device 8:16 0",
                "blkio.throttle.write_iops_device 8:16 300",
            ]
        );
    }
}
