//! What a process holds: threads, descriptors, memory; from `/proc`.

use std::collections::BTreeMap;
use std::fs;

/// One reading.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Usage {
    pub(crate) threads: usize,
    pub(crate) descriptors: usize,
    /// Resident memory, bytes.
    pub(crate) resident: u64,
    /// How many threads of each name.
    pub(crate) names: BTreeMap<String, usize>,
}

pub(crate) fn of(process: u32) -> Usage {
    let folder = format!("/proc/{process}");
    let mut names = BTreeMap::new();
    for thread in fs::read_dir(format!("{folder}/task")).expect("a living process").flatten() {
        // A thread may end between the two looks.
        if let Ok(name) = fs::read_to_string(thread.path().join("comm")) {
            *names.entry(name.trim().to_owned()).or_default() += 1;
        }
    }
    let status = fs::read_to_string(format!("{folder}/status")).expect("a living process");
    let resident =
        status.lines().find_map(|line| line.strip_prefix("VmRSS:")?.trim().strip_suffix(" kB")?.parse().ok());
    Usage {
        threads: names.values().sum(),
        descriptors: fs::read_dir(format!("{folder}/fd")).expect("a living process").count(),
        resident: resident.unwrap_or(0_u64) * 1024,
        names,
    }
}
