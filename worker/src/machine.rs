//! How much memory there is for this process: that of its control group, or of the machine.

/// The limit of the control group that containers see as their own (version 2, then 1).
const CONTROL_GROUP_LIMITS: [&str; 2] = ["/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes"];

/// In bytes.
pub(crate) fn memory_bytes() -> u64 {
    let limit = CONTROL_GROUP_LIMITS.iter().filter_map(|path| std::fs::read_to_string(path).ok());
    let limit = limit.filter_map(|text| text.trim().parse().ok()).min().unwrap_or(u64::MAX);
    limit.min(of_the_machine())
}

#[cfg(target_os = "linux")]
fn of_the_machine() -> u64 {
    let told = rustix::system::sysinfo();
    (told.totalram as u64).saturating_mul(u64::from(told.mem_unit))
}

/// Where the kernel is not asked, as much as any machine has.
#[cfg(not(target_os = "linux"))]
fn of_the_machine() -> u64 {
    4 << 30
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn there_is_some() {
        assert!((64 << 20..1 << 50).contains(&memory_bytes()), "{}", memory_bytes());
    }
}
