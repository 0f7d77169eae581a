//! What a process costs: memory and processor time, from Linux's `/proc`. Where it cannot be read the answer is 0, which
//! results show as "could not be read".

use std::fs;

/// The kernel counts processor time for user programs in hundredths of a second (`USER_HZ`), whatever its own tick.
const TICKS_PER_SECOND: f64 = 100.0;

/// Resident memory of this process, bytes. Walks the page tables (about 10 ms a GiB) because the cheap counters of `statm`
/// lag behind by up to 64 pages a thread; falls back on them where `smaps_rollup` is missing.
pub fn rss_bytes() -> u64 {
    let exact = fs::read_to_string("/proc/self/smaps_rollup").ok().and_then(|text| kibibytes(&text, "Rss:"));
    let quick = || kibibytes(&fs::read_to_string("/proc/self/status").ok()?, "VmRSS:");
    exact.or_else(quick).unwrap_or(0)
}

/// The highest resident memory of this process so far, bytes.
pub fn rss_peak_bytes() -> u64 {
    fs::read_to_string("/proc/self/status").ok().and_then(|text| kibibytes(&text, "VmHWM:")).unwrap_or(0)
}

/// Processor time of all threads of this process so far, ended ones too, seconds. Resolution 10 ms.
pub fn cpu_seconds() -> f64 {
    fs::read_to_string("/proc/self/stat").ok().and_then(|text| parse_cpu_seconds(&text)).unwrap_or(0.0)
}

/// Time of all processors of the machine since it started, by what the kernel counts as stolen and in all, in ticks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct MachineTime {
    stolen: u64,
    total: u64,
}

impl MachineTime {
    /// Now.
    pub fn now() -> Self {
        fs::read_to_string("/proc/stat").ok().and_then(|text| Self::parse(&text)).unwrap_or_default()
    }

    /// The share that the hypervisor gave to others since an earlier reading, 0 to 1.
    pub fn steal_fraction_since(self, earlier: Self) -> f64 {
        let total = self.total.saturating_sub(earlier.total);
        if total == 0 { 0.0 } else { self.stolen.saturating_sub(earlier.stolen) as f64 / total as f64 }
    }

    /// The first line of `/proc/stat`: user, nice, system, idle, iowait, irq, softirq, steal; guest time is part of user time.
    fn parse(text: &str) -> Option<Self> {
        let line = text.lines().next()?.strip_prefix("cpu ")?;
        let fields: Vec<u64> =
            line.split_whitespace().take(8).map_while(|field| field.parse().ok()).collect();
        Some(Self { stolen: *fields.get(7)?, total: fields.iter().sum() })
    }
}

/// The figure after `name` in kB, as bytes.
pub(super) fn kibibytes(text: &str, name: &str) -> Option<u64> {
    let rest = text.lines().find_map(|line| line.strip_prefix(name))?;
    let number: u64 = rest.trim().strip_suffix("kB")?.trim().parse().ok()?;
    number.checked_mul(1024)
}

/// Fields 14 and 15 of `/proc/self/stat`. The second field is the program's name in parentheses and may hold anything, so
/// fields are counted from the last closing parenthesis.
fn parse_cpu_seconds(text: &str) -> Option<f64> {
    let (_, fields) = text.rsplit_once(')')?;
    let mut times = fields.split_whitespace().skip(11);
    let user: u64 = times.next()?.parse().ok()?;
    let system: u64 = times.next()?.parse().ok()?;
    Some((user + system) as f64 / TICKS_PER_SECOND)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memory_is_read_in_bytes() {
        let status = "Name:\tharness\nVmHWM:\t    2048 kB\nVmRSS:\t    1024 kB\n";
        assert_eq!(kibibytes(status, "VmHWM:"), Some(2 << 20));
        assert_eq!(kibibytes(status, "VmRSS:"), Some(1 << 20));
        assert_eq!(kibibytes(status, "VmSwap:"), None);
        assert_eq!(kibibytes("VmRSS: many kB", "VmRSS:"), None);
    }

    #[test]
    fn memory_of_this_process_grows_with_what_it_touches() {
        // Other tests of this process free memory meanwhile, so one time of several must do.
        let mut kept = Vec::new();
        let mut grows = || {
            let before = rss_bytes();
            let block = vec![1u8; 64 << 20];
            let after = rss_bytes();
            assert!(before > 0 && rss_peak_bytes() >= (60 << 20));
            // Kept, because memory that was freed may be resident still when it is asked for again.
            kept.push(block);
            after >= before + (60 << 20)
        };
        assert!((0..20).any(|_| grows()));
    }

    #[test]
    fn processor_time_survives_an_odd_program_name() {
        let line = "12 (a) b) S 1 1 1 0 -1 4194304 1 0 0 0 150 50 0 0 20 0 1 0 100 1 1";
        assert_eq!(parse_cpu_seconds(line), Some(2.0));
        assert_eq!(parse_cpu_seconds("nonsense"), None);
    }

    #[test]
    fn steal_is_a_share_of_what_passed() {
        let earlier = MachineTime::parse("cpu  10 0 10 70 0 0 0 10 5 0\ncpu0 1").expect("parses");
        let later = MachineTime::parse("cpu  20 0 20 130 0 0 0 30 5 0\n").expect("parses");
        assert_eq!(earlier, MachineTime { stolen: 10, total: 100 });
        assert_eq!(later.steal_fraction_since(earlier), 0.2);
        assert_eq!(earlier.steal_fraction_since(earlier), 0.0);
        assert_eq!(MachineTime::parse("cpu 1 2"), None);
    }
}
