//! What is asked of a network's driver: its name and its options → what the network is made of.

use std::collections::BTreeMap;
use std::net::IpAddr;

use berth_model::truth;

use super::record::Driver;
use crate::Error;
use crate::create::invalid;

/// What options of networks begin with.
const OPTIONS: &str = "com.docker.network.";

/// What options of the driver say.
pub(super) struct Settings {
    pub(super) device: Option<String>,
    pub(super) isolated: bool,
    pub(super) masquerade: bool,
    pub(super) mtu: Option<u32>,
    pub(super) mode: String,
    pub(super) publish_at: Option<IpAddr>,
}

/// By its name.
pub(super) fn driver(name: &str) -> Result<Driver, Error> {
    Ok(match name {
        "" | "default" | "bridge" => Driver::Bridge,
        "macvlan" => Driver::Macvlan,
        "ipvlan" => Driver::Ipvlan,
        "host" | "null" => {
            return Err(Error::NetworkDenied {
                message: format!("only one instance of \"{name}\" network is allowed"),
            });
        }
        "overlay" => {
            return Err(Error::Invalid {
                message: "a network over several machines needs a cluster, and there is none"
                    .into(),
                hint: None,
            });
        }
        other => {
            return Err(Error::NoNetworkPlugin {
                driver: other.to_owned(),
            });
        }
    })
}

/// Options that we do not know mean nothing to us; inspect tells them.
pub(super) fn settings(
    driver: Driver,
    options: &BTreeMap<String, String>,
) -> Result<Settings, Error> {
    let get = |name: &str| {
        let full = format!("{OPTIONS}{name}");
        options.get(&full).map(|value| (full, value.as_str()))
    };
    let truth = |name: &str, default: bool| {
        match get(name) {
        None | Some((_, "")) => Ok(default),
        Some((full, value)) => truth::parse(value).ok_or_else(|| invalid(format!(
            "failed to parse {full} value: {value} (strconv.ParseBool: parsing \"{value}\": invalid syntax)"
        ))),
    }
    };
    let mtu = get("driver.mtu").or_else(|| Some(("mtu".to_owned(), options.get("mtu")?.as_str())));
    let mtu = match mtu {
        None | Some((_, "" | "0")) => None,
        Some((full, value)) => match value.parse::<u32>() {
            // IPv4 needs the first, no packet is larger than the last.
            Ok(bytes @ 68..=65535) => Some(bytes),
            Ok(_) => {
                return Err(invalid(format!(
                    "failed to parse {full} value: {value} (68 to 65535 bytes)"
                )));
            }
            Err(_) => {
                return Err(invalid(format!(
                    "failed to parse {full} value: {value} (strconv.Atoi: parsing \"{value}\": invalid syntax)"
                )));
            }
        },
    };
    let device = match driver {
        Driver::Bridge => get("bridge.name").map(|(_, name)| name),
        Driver::Macvlan | Driver::Ipvlan => options.get("parent").map(String::as_str),
    };
    let device = device.filter(|name| !name.is_empty()).map(str::to_owned);
    if let Some(name) = &device
        && !is_device(name)
    {
        return Err(invalid(format!(
            "`{name}` is not the name of a network device"
        )));
    }
    let publish_at = match get("bridge.host_binding_ipv4") {
        None => None,
        Some((full, value)) => Some(
            value
                .parse::<IpAddr>()
                .map_err(|_| invalid(format!("failed to parse {full} value: {value} (nil ip)")))?,
        ),
    };
    Ok(Settings {
        publish_at,
        device,
        isolated: !truth("bridge.enable_icc", true)?,
        masquerade: truth("bridge.enable_ip_masquerade", true)?,
        mtu,
        mode: match driver {
            Driver::Bridge => String::new(),
            other => {
                let mode = options.get(&format!("{}_mode", other.word()));
                mode.cloned().unwrap_or_default()
            }
        },
    })
}

/// Source: Linux 6.12, `dev_valid_name`; without what a path or a shell could take for something else.
fn is_device(name: &str) -> bool {
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.@".contains(&byte);
    (1..16).contains(&name.len()) && name != "." && name != ".." && name.bytes().all(allowed)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn options_of_the_driver() {
        let said = |options: &[(&str, &str)]| {
            let full = |name: &str| match name {
                "parent" | "mtu" => name.to_owned(),
                other => format!("{OPTIONS}{other}"),
            };
            let options = options
                .iter()
                .map(|(name, value)| (full(name), (*value).to_owned()));
            settings(Driver::Bridge, &options.collect())
        };
        let none = said(&[]).unwrap();
        assert!(!none.isolated && none.masquerade && none.mtu.is_none() && none.device.is_none());
        let some = said(&[
            ("bridge.enable_icc", "false"),
            ("bridge.enable_ip_masquerade", "0"),
            ("driver.mtu", "1400"),
            ("bridge.name", "lan0"),
            ("bridge.host_binding_ipv4", "127.0.0.1"),
            ("unknown", "x"),
        ]);
        let some = some.unwrap();
        assert!(some.isolated && !some.masquerade && some.mtu == Some(1400));
        assert_eq!(some.device.as_deref(), Some("lan0"));
        assert_eq!(some.publish_at, Some([127, 0, 0, 1].into()));
        for bad in [
            ("bridge.enable_icc", "x"),
            ("driver.mtu", "x"),
            ("driver.mtu", "10"),
            ("bridge.name", "../x"),
            ("bridge.host_binding_ipv4", "x"),
            ("bridge.host_binding_ipv4", ""),
            ("bridge.name", "sixteen-letters-"),
        ] {
            assert!(said(&[bad]).is_err(), "{bad:?}");
        }
    }
}
