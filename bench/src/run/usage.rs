//! Processor time and memory of a process, from `/proc`.

use std::collections::HashMap;
use std::fs;
use std::path::PathBuf;

use super::process::Result;

/// One reading.
#[derive(Debug, Clone)]
pub(crate) struct Usage {
    /// Processor time of each thread, ns. `/proc/<pid>/stat` has the sum, but in steps of 10 ms.
    threads: HashMap<String, u64>,
    /// Resident memory, bytes.
    pub(crate) rss: u64,
}

impl Usage {
    /// Processor time since an earlier reading, seconds. What threads that ended in between did since then is missing.
    pub(crate) fn cpu_s_since(&self, earlier: &Self) -> f64 {
        let since = |(id, ns): (&String, &u64)| ns - earlier.threads.get(id).copied().unwrap_or(0).min(*ns);
        self.threads.iter().map(since).sum::<u64>() as f64 / 1e9
    }
}

pub(crate) fn of(pid: u32) -> Result<Usage> {
    let process = PathBuf::from(format!("/proc/{pid}"));
    let mut threads = HashMap::new();
    for thread in fs::read_dir(process.join("task"))? {
        let thread = thread?;
        // A thread may end between the two looks.
        let Ok(text) = fs::read_to_string(thread.path().join("schedstat")) else { continue };
        let ns = text.split_ascii_whitespace().next().and_then(|ns| ns.parse().ok());
        let ns = ns.ok_or("/proc/<pid>/task/<id>/schedstat does not start with a time; CONFIG_SCHED_INFO is needed")?;
        threads.insert(thread.file_name().to_string_lossy().into_owned(), ns);
    }
    let status = fs::read_to_string(process.join("status"))?;
    let rss =
        status.lines().find_map(|line| line.strip_prefix("VmRSS:")?.trim().strip_suffix(" kB")?.parse::<u64>().ok());
    Ok(Usage { threads, rss: rss.ok_or("/proc/<pid>/status has no VmRSS")? * 1024 })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn work_of_this_process_shows_in_its_usage() {
        let before = of(std::process::id()).expect("this process has a /proc entry");
        let mut after = of(std::process::id()).expect("this process has a /proc entry");
        // The kernel counts at its ticks.
        while after.cpu_s_since(&before) <= 0.0 {
            std::hint::black_box((0..1_000_000_u64).sum::<u64>());
            after = of(std::process::id()).expect("this process has a /proc entry");
        }
        assert!(after.rss > 0);
    }
}
