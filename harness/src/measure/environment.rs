//! Where a result is measured: the machine, and what the program was built from (told by the build script).

use super::allocator;
use super::resources::kibibytes;
use crate::results::model::Environment;
use engines::clock::Clock;
use std::fs;
use std::path::Path;

/// Describes machine and program; `data_directory` is where engines keep their files. The steal time is added after the
/// sweep.
pub fn describe(data_directory: &Path, clock: &Clock) -> Environment {
    let cpuinfo = line_source("/proc/cpuinfo");
    Environment {
        harness_version: env!("CARGO_PKG_VERSION").to_owned(),
        git_commit: env!("HARNESS_GIT_COMMIT").to_owned(),
        git_dirty: env!("HARNESS_GIT_DIRTY") == "1",
        lockfile_hash: env!("HARNESS_LOCKFILE_HASH").to_owned(),
        rustc: env!("HARNESS_RUSTC").to_owned(),
        profile: env!("HARNESS_PROFILE").to_owned(),
        allocator: allocator::describe(),
        hostname: read("/proc/sys/kernel/hostname"),
        kernel: read("/proc/sys/kernel/osrelease"),
        cpu_model: cpu_model(&cpuinfo),
        cores: std::thread::available_parallelism()
            .map_or(0, |cores| u32::try_from(cores.get()).unwrap_or(0)),
        governor: absent_if_empty(read("/sys/devices/system/cpu/cpu0/cpufreq/scaling_governor")),
        virtualisation: virtualisation(
            &cpuinfo,
            &[read("/sys/hypervisor/type"), read("/sys/class/dmi/id/sys_vendor")],
        ),
        memory_bytes: kibibytes(&line_source("/proc/meminfo"), "MemTotal:").unwrap_or(0),
        data_directory_mount: fs::canonicalize(data_directory)
            .ok()
            .and_then(|path| mount_of(&line_source("/proc/self/mountinfo"), &path))
            .unwrap_or_default(),
        clock: clock.source_name().to_owned(),
        transparent_huge_pages: absent_if_empty(chosen(&read("/sys/kernel/mm/transparent_hugepage/enabled"))),
        load_average_1m: read("/proc/loadavg")
            .split(' ')
            .next()
            .and_then(|text| text.parse().ok())
            .unwrap_or(0.0),
        steal_fraction: 0.0,
    }
}

fn line_source(path: &str) -> String {
    fs::read_to_string(path).unwrap_or_default()
}

fn read(path: &str) -> String {
    line_source(path).trim().to_owned()
}

fn absent_if_empty(text: String) -> String {
    if text.is_empty() { "absent".to_owned() } else { text }
}

/// The value of a `name : value` line.
fn field<'a>(text: &'a str, name: &str) -> Option<&'a str> {
    text.lines()
        .filter_map(|line| line.split_once(':'))
        .find(|(key, _)| key.trim() == name)
        .map(|(_, v)| v.trim())
}

/// x86 names the model, other architectures at least the hardware or the implementer.
fn cpu_model(cpuinfo: &str) -> String {
    ["model name", "Model", "Hardware", "CPU implementer"]
        .into_iter()
        .find_map(|name| field(cpuinfo, name))
        .unwrap_or_default()
        .to_owned()
}

/// `none` without the processor's hypervisor flag, else the first name that the machine tells, else `hypervisor`.
fn virtualisation(cpuinfo: &str, names: &[String]) -> String {
    let flagged =
        field(cpuinfo, "flags").is_some_and(|flags| flags.split(' ').any(|flag| flag == "hypervisor"));
    if !flagged {
        return "none".to_owned();
    }
    names.iter().find(|name| !name.is_empty()).cloned().unwrap_or_else(|| "hypervisor".to_owned())
}

/// The choice in brackets of a setting such as `always [madvise] never`.
fn chosen(setting: &str) -> String {
    let inner = setting.split_once('[').and_then(|(_, rest)| rest.split_once(']'));
    inner.map_or_else(String::new, |(choice, _)| choice.to_owned())
}

/// File system and options of the mount that holds a path: of the mount points that are a prefix of it the longest, and of
/// equal ones the last, which hides the others.
fn mount_of(mountinfo: &str, path: &Path) -> Option<String> {
    let mut best: Option<(usize, String)> = None;
    for line in mountinfo.lines() {
        let Some((left, right)) = line.split_once(" - ") else { continue };
        let mut left = left.split(' ').skip(4);
        let (Some(point), Some(options)) = (left.next(), left.next()) else { continue };
        let mut right = right.split(' ');
        let (Some(file_system), Some(device_options)) = (right.next(), right.nth(1)) else { continue };
        let point = point.replace("\\040", " ");
        let depth = Path::new(&point).components().count();
        if path.starts_with(&point) && best.as_ref().is_none_or(|(deepest, _)| depth >= *deepest) {
            best = Some((depth, format!("{file_system} ({options}; {device_options})")));
        }
    }
    best.map(|(_, mount)| mount)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_deepest_and_latest_mount_wins() {
        let mounts = "1 0 8:1 / / rw,relatime shared:1 - ext4 /dev/sda1 rw,errors=remount-ro\n\
                      2 1 0:5 / /data rw - tmpfs tmpfs rw,size=1g\n\
                      3 1 0:6 / /data rw,noatime - xfs /dev/sdb rw\n\
                      4 1 0:7 / /database ro - squashfs /dev/loop0 ro\n\
                      nonsense\n";
        let mount = |path| mount_of(mounts, Path::new(path));
        assert_eq!(mount("/data/run").as_deref(), Some("xfs (rw,noatime; rw)"));
        assert_eq!(mount("/home").as_deref(), Some("ext4 (rw,relatime; rw,errors=remount-ro)"));
        assert_eq!(mount("/database/x").as_deref(), Some("squashfs (ro; ro)"));
        assert_eq!(mount_of("", Path::new("/")), None);
    }

    #[test]
    fn virtualisation_is_told_only_with_the_flag() {
        let guest = "processor : 0\nmodel name\t: Some CPU @ 3 GHz\nflags\t\t: fpu hypervisor lm\n";
        let names = [String::new(), "QEMU".to_owned()];
        assert_eq!(virtualisation(guest, &names), "QEMU");
        assert_eq!(virtualisation(guest, &[]), "hypervisor");
        assert_eq!(virtualisation("flags : fpu lm", &names), "none");
        assert_eq!(cpu_model(guest), "Some CPU @ 3 GHz");
        assert_eq!(chosen("always [madvise] never"), "madvise");
        assert_eq!(chosen(""), "");
    }

    #[test]
    fn this_machine_can_be_described() {
        let environment = describe(&std::env::temp_dir(), &Clock::system());
        assert!(environment.cores > 0 && environment.memory_bytes > 0);
        assert!(environment.rustc.starts_with("rustc "), "{}", environment.rustc);
        assert!(["debug", "release"].contains(&environment.profile.as_str()), "{}", environment.profile);
        assert_eq!((environment.lockfile_hash.len(), environment.clock.as_str()), (16, "system"));
        assert!(environment.allocator.starts_with("mimalloc "), "{}", environment.allocator);
    }
}
