//! What resctrl knows about a container's groups, for `events`.

use std::path::Path;

use berth_oci::spec::IntelRdt;
use serde_json::{Map, Value, json};

use super::{Resctrl, monitor_of};
use crate::error::Result;

/// The group's schemas and counters, and the machine's; what this processor has not got is left out.
///
/// # Errors
/// There is no resctrl any more.
pub fn stats(asked: &IntelRdt, id: &str) -> Result<Value> {
    Ok(Resctrl::find()?.stats(asked, id))
}

impl Resctrl {
    pub(super) fn stats(&self, asked: &IntelRdt, id: &str) -> Value {
        let group = self.group(asked, id);
        let monitored = monitor_of(asked, &group, id).unwrap_or_else(|| group.clone());
        let mut all = Map::new();
        let mut put = |key: &str, value: Option<Value>| {
            if let Some(value) = value {
                all.insert(key.to_owned(), value);
            }
        };
        let line = |dir: &Path, name: &str| {
            let text = text(&dir.join("schemata"))?;
            let line = text.lines().map(str::trim).find(|l| l.starts_with(name))?;
            Some(json!(line))
        };
        let info = |dir: &str, names: &[&str]| {
            let dir = self.root.join("info").join(dir);
            let fields = names.iter().filter_map(|name| {
                let text = text(&dir.join(name))?;
                // A mask is a text, whatever its digits are.
                let number = text.parse::<u64>().ok().filter(|_| *name != "cbm_mask");
                Some(((*name).to_owned(), number.map_or(json!(text), |n| json!(n))))
            });
            dir.is_dir().then(|| Value::Object(fields.collect()))
        };
        if let Some(cache) = info("L3", &["cbm_mask", "min_cbm_bits", "num_closids"]) {
            put("l3_cache_info", Some(cache));
            put("l3_cache_schema_root", line(&self.root, "L3"));
            put("l3_cache_schema", line(&group, "L3"));
        }
        let bandwidth = [
            "bandwidth_gran",
            "delay_linear",
            "min_bandwidth",
            "num_closids",
        ];
        if let Some(bandwidth) = info("MB", &bandwidth) {
            put("mem_bw_info", Some(bandwidth));
            put("mem_bw_schema_root", line(&self.root, "MB"));
            put("mem_bw_schema", line(&group, "MB"));
        }
        put(
            "mbm_stats",
            monitor(&monitored, &["mbm_total_bytes", "mbm_local_bytes"]),
        );
        put("cmt_stats", monitor(&monitored, &["llc_occupancy"]));
        Value::Object(all)
    }
}

/// The counters of each cache, in their order; `None` where there are none of these.
fn monitor(group: &Path, names: &[&str]) -> Option<Value> {
    let mut caches: Vec<_> = std::fs::read_dir(group.join("mon_data"))
        .ok()?
        .filter_map(|entry| Some(entry.ok()?.path()))
        .collect();
    caches.sort();
    let counters = caches.iter().filter_map(|cache| {
        let fields: Map<String, Value> = names
            .iter()
            .filter_map(|name| {
                let number: u64 = text(&cache.join(name))?.parse().ok()?;
                Some(((*name).to_owned(), json!(number)))
            })
            .collect();
        (!fields.is_empty()).then_some(Value::Object(fields))
    });
    let counters: Vec<Value> = counters.collect();
    (!counters.is_empty()).then_some(Value::Array(counters))
}

fn text(path: &Path) -> Option<String> {
    let text = std::fs::read_to_string(path).ok()?;
    Some(text.trim().to_owned())
}
