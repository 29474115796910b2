//! Device nodes, and what may be done with which device.

use berth_model::ContainerConfig;
use berth_oci::spec::{Device, DeviceRule};

use super::{Error, SpecInputs};

/// Nodes beside the default ones. One asked for takes the place of the host's at the same path.
pub(super) fn nodes(config: &ContainerConfig, inputs: &SpecInputs) -> Vec<Device> {
    let mut nodes: Vec<Device> = (inputs.devices.iter())
        .map(|(device, _)| device.clone())
        .collect();
    if config.security.privileged && !inputs.rootless {
        let asked = |path| nodes.iter().any(|node: &Device| &node.path == path);
        let host = inputs.host_devices.iter();
        let others: Vec<Device> = host.filter(|node| !asked(&node.path)).cloned().collect();
        nodes.extend(others);
    }
    nodes
}

/// What may be done with devices: Docker's list, those asked for, then the rules as written.
pub(super) fn rules(
    config: &ContainerConfig,
    inputs: &SpecInputs,
) -> Result<Vec<DeviceRule>, Error> {
    if inputs.rootless {
        // The user namespace makes no device nodes, and what is bound in is the user's own.
        return Ok(Vec::new());
    }
    let rule = |allow, kind: Option<&str>, major, minor, access: &str| DeviceRule {
        allow,
        kind: kind.map(str::to_owned),
        major,
        minor,
        access: Some(access.to_owned()),
    };
    if config.security.privileged {
        return Ok(vec![rule(true, None, None, None, "rwm")]);
    }
    let mut rules = vec![
        rule(false, None, None, None, "rwm"),
        // Nodes may be made; using them is another matter.
        rule(true, Some("c"), None, None, "m"),
        rule(true, Some("b"), None, None, "m"),
    ];
    // null zero full random urandom tty console ptmx, and all pts.
    let known = [
        (1, Some(3)),
        (1, Some(5)),
        (1, Some(7)),
        (1, Some(8)),
        (1, Some(9)),
        (5, Some(0)),
        (5, Some(1)),
        (5, Some(2)),
        (136, None),
    ];
    rules.extend(known.map(|(major, minor)| rule(true, Some("c"), Some(major), minor, "rwm")));
    for (device, permissions) in &inputs.devices {
        let (major, minor) = (Some(device.major), Some(device.minor));
        rules.push(rule(true, Some(&device.kind), major, minor, permissions));
    }
    for text in &config.resources.device_rules {
        rules.push(parse_rule(text)?);
    }
    Ok(rules)
}

/// `c 10:200 rwm`: sort, numbers or `*`, what may be done.
///
/// # Errors
/// [`Error::DeviceRule`].
pub(crate) fn parse_rule(text: &str) -> Result<DeviceRule, Error> {
    let bad = || Error::DeviceRule {
        rule: text.to_owned(),
    };
    let words: Vec<&str> = text.split(' ').collect();
    let [kind @ ("a" | "b" | "c"), numbers, access] = words[..] else {
        return Err(bad());
    };
    let (major, minor) = numbers.split_once(':').ok_or_else(bad)?;
    let number = |text: &str| match text {
        "*" => Ok(None),
        _ if text.bytes().all(|b| b.is_ascii_digit()) => text.parse().map(Some).map_err(|_| bad()),
        _ => Err(bad()),
    };
    if !permissions(access) {
        return Err(bad());
    }
    Ok(DeviceRule {
        allow: true,
        kind: Some(kind.to_owned()),
        major: number(major)?,
        minor: number(minor)?,
        access: Some(access.to_owned()),
    })
}

/// One to three of `rwm`.
pub(crate) fn permissions(text: &str) -> bool {
    matches!(text.len(), 1..=3) && text.bytes().all(|b| b"rwm".contains(&b))
}
