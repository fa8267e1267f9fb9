//! Results of the Criterion benchmarks (`benches/`), as far as they are in the output folder.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use serde::Serialize;
use serde_json::Value;

/// What `log` costs the thread that calls it, and what a picture costs on its way to the encoder.
#[derive(Debug, Default, Serialize)]
pub(crate) struct LogCost {
    /// Median ns of a call by `<path>/<size>`, for example `reliable/5/100B`.
    pub(crate) ns: BTreeMap<String, f64>,
    /// Allocations of a call by the same names.
    pub(crate) allocations: BTreeMap<String, f64>,
    /// Bytes allocated by a call.
    pub(crate) allocated_bytes: BTreeMap<String, f64>,
    /// Median ns of a 100 B call that wakes an idle writer, by path; `unpark`: of waking a bare thread.
    pub(crate) wake_p50_ns: BTreeMap<String, f64>,
    /// Median ns of `telelink_channel_log` in the shared library, by the names of `ns`.
    pub(crate) c_ns: BTreeMap<String, f64>,
    /// Median ns from a 1280×720 RGB picture to a frame: `message`, `picture`, and `yuv crate` for its bare conversion.
    pub(crate) video_ns: BTreeMap<String, f64>,
}

const PATHS: [&str; 5] = ["nobody", "reliable/1", "reliable/5", "lossy/1", "lossy/5"];
const SIZES: [&str; 3] = ["100B", "1KiB", "64KiB"];

impl LogCost {
    /// Reads `criterion/`, `log_counts.json` and `log_c.json`; what is not there is left out.
    pub(crate) fn read(folder: &Path) -> Self {
        let mut cost = Self::default();
        let json = |path: &Path| fs::read(path).ok().and_then(|text| serde_json::from_slice::<Value>(&text).ok());
        let counts = json(&folder.join("log_counts.json")).unwrap_or_default();
        let c = json(&folder.join("log_c.json")).unwrap_or_default();
        let entries = c.as_object().into_iter().flatten();
        cost.c_ns = entries.filter_map(|(name, ns)| Some((name.clone(), ns.as_f64()?))).collect();
        let median = |group: &str, name: &str| {
            let file = folder.join("criterion").join(group).join(name).join("new/estimates.json");
            json(&file).and_then(|estimates| estimates["median"]["point_estimate"].as_f64())
        };
        for name in ["message", "picture", "yuv crate"] {
            cost.video_ns.extend(median("video_rgb8", name).map(|ns| (name.to_owned(), ns)));
        }
        for path in PATHS {
            for size in SIZES {
                let name = format!("{path}/{size}");
                // Criterion makes one folder of a group's name.
                let group = format!("log_{}", path.replace('/', "_"));
                cost.ns.extend(median(&group, size).map(|ns| (name.clone(), ns)));
                let allocations = &counts["allocations"][&name];
                cost.allocations.extend(allocations["count"].as_f64().map(|n| (name.clone(), n)));
                cost.allocated_bytes.extend(allocations["bytes"].as_f64().map(|n| (name, n)));
            }
        }
        for (path, wake) in counts["wake"].as_object().into_iter().flatten() {
            cost.wake_p50_ns.extend(wake["p50_ns"].as_f64().map(|ns| (path.clone(), ns)));
        }
        cost
    }
}
