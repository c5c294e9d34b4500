//! The system calls that decoding needs; any other one kills the child on the spot.

use std::collections::BTreeMap;

use rustix::process::getpid;
use seccompiler::{
    BackendError, BpfProgram, SeccompAction, SeccompCmpArgLen, SeccompCmpOp, SeccompCondition, SeccompFilter,
    SeccompRule, TargetArch, apply_filter,
};

use crate::child::sandbox::Standing;

/// A system call: its name, and its number on the processor that this is built for.
type Call = (&'static str, libc::c_long);

macro_rules! calls {
    ($($name:ident),+ $(,)?) => { [$((stringify!($name), libc::$name)),+] };
}

/// Allowed whatever their arguments. None of them names a file, an address or another process; new descriptors come
/// over the parent's socket only.
const ALLOWED: [Call; 27] = calls![
    // Descriptors that the child was given: the socket, standard error, source, output.
    SYS_read,
    SYS_write,
    SYS_writev,
    SYS_pread64,
    SYS_pwrite64,
    SYS_recvmsg,
    SYS_recvfrom,
    SYS_fstat,
    SYS_close,
    // Memory; mapping and protecting it have rules of their own.
    SYS_brk,
    SYS_munmap,
    SYS_mremap,
    SYS_madvise,
    // How much memory there is: glibc's `qsort` asks, and libwebp sorts.
    SYS_sysinfo,
    // Locks, time and randomness of the standard library.
    SYS_futex,
    SYS_sched_yield,
    SYS_clock_gettime,
    SYS_getrandom,
    // Dying, and saying why: panics, aborts, and the handler that tells a stack overflow.
    SYS_rt_sigaction,
    SYS_rt_sigprocmask,
    SYS_rt_sigreturn,
    SYS_sigaltstack,
    SYS_restart_syscall,
    SYS_getpid,
    SYS_gettid,
    SYS_exit,
    SYS_exit_group,
];

/// Allowed with some arguments only, which [`conditions`] tells in this order.
const CONDITIONAL: [Call; 5] = calls![SYS_mmap, SYS_mprotect, SYS_sendto, SYS_fcntl, SYS_tgkill];

pub(super) fn filter() -> Result<Standing, String> {
    let number = |call: Call| Ok(call.1);
    let program = program(architecture(std::env::consts::ARCH)?, number)?;
    apply_filter(&program).map_err(|error| error.to_string())?;
    Ok(Standing::Enforced(format!("{} system calls, any other kills", ALLOWED.len() + CONDITIONAL.len())))
}

/// The list was only ever held against what decoding needs on these.
fn architecture(name: &str) -> Result<TargetArch, String> {
    match name {
        "x86_64" => Ok(TargetArch::x86_64),
        "aarch64" => Ok(TargetArch::aarch64),
        other => Err(format!("there is no list of system calls for {other}, only for x86_64 and aarch64")),
    }
}

/// The filter for a processor on which calls have these numbers. Calls that are made under the numbers of another one
/// are killed before any rule is looked at.
fn program(architecture: TargetArch, number: impl Fn(Call) -> Result<i64, String>) -> Result<BpfProgram, String> {
    let mut rules: BTreeMap<i64, Vec<SeccompRule>> = BTreeMap::new();
    for call in ALLOWED {
        rules.insert(number(call)?, Vec::new());
    }
    let told = |error: BackendError| error.to_string();
    for (call, condition) in CONDITIONAL.into_iter().zip(conditions().map_err(told)?) {
        rules.insert(number(call)?, vec![SeccompRule::new(vec![condition]).map_err(told)?]);
    }
    let filter = SeccompFilter::new(rules, SeccompAction::KillProcess, SeccompAction::Allow, architecture);
    filter.and_then(BpfProgram::try_from).map_err(told)
}

fn conditions() -> Result<[SeccompCondition; CONDITIONAL.len()], BackendError> {
    Ok([
        not_executable()?,
        not_executable()?,
        // `send` without an address: the standard library writes to a socket so.
        SeccompCondition::new(4, SeccompCmpArgLen::Qword, SeccompCmpOp::Eq, 0)?,
        // Builds with debug assertions ask whether a descriptor is open before they close it.
        equal(1, libc::F_GETFD.unsigned_abs())?,
        // `abort` signals its own process, by its id.
        equal(0, getpid().as_raw_pid().unsigned_abs())?,
    ])
}

/// No memory ever becomes code.
fn not_executable() -> Result<SeccompCondition, BackendError> {
    let executable = u64::from(libc::PROT_EXEC.unsigned_abs());
    SeccompCondition::new(2, SeccompCmpArgLen::Dword, SeccompCmpOp::MaskedEq(executable), 0)
}

fn equal(argument: u8, value: u32) -> Result<SeccompCondition, BackendError> {
    SeccompCondition::new(argument, SeccompCmpArgLen::Dword, SeccompCmpOp::Eq, value.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What `linux/audit.h` calls the processors.
    const AUDIT_X86_64: u32 = 0xC000_003E;
    const AUDIT_AARCH64: u32 = 0xC000_00B7;

    /// Numbers on aarch64, from `asm-generic/unistd.h`: so that a call which that processor does not have is noticed
    /// where there is only the other one.
    const ON_AARCH64: [(&str, i64); ALLOWED.len() + CONDITIONAL.len()] = [
        ("SYS_read", 63),
        ("SYS_write", 64),
        ("SYS_writev", 66),
        ("SYS_pread64", 67),
        ("SYS_pwrite64", 68),
        ("SYS_recvmsg", 212),
        ("SYS_recvfrom", 207),
        ("SYS_fstat", 80),
        ("SYS_close", 57),
        ("SYS_brk", 214),
        ("SYS_munmap", 215),
        ("SYS_mremap", 216),
        ("SYS_madvise", 233),
        ("SYS_sysinfo", 179),
        ("SYS_futex", 98),
        ("SYS_sched_yield", 124),
        ("SYS_clock_gettime", 113),
        ("SYS_getrandom", 278),
        ("SYS_rt_sigaction", 134),
        ("SYS_rt_sigprocmask", 135),
        ("SYS_rt_sigreturn", 139),
        ("SYS_sigaltstack", 132),
        ("SYS_restart_syscall", 128),
        ("SYS_getpid", 172),
        ("SYS_gettid", 178),
        ("SYS_exit", 93),
        ("SYS_exit_group", 94),
        ("SYS_mmap", 222),
        ("SYS_mprotect", 226),
        ("SYS_sendto", 206),
        ("SYS_fcntl", 25),
        ("SYS_tgkill", 131),
    ];

    fn on_aarch64((name, _): Call) -> Result<i64, String> {
        let known = ON_AARCH64.iter().find(|(known, _)| *known == name);
        known.map(|(_, number)| *number).ok_or_else(|| format!("{name} is not on aarch64"))
    }

    /// Carries out a filter as the kernel does, over one call; whether the call is allowed, or kills.
    fn allows(program: &BpfProgram, audit: u32, number: i64, arguments: [u64; 6]) -> bool {
        let mut data = Vec::new();
        data.extend(u32::try_from(number).unwrap().to_le_bytes());
        data.extend(audit.to_le_bytes());
        data.extend(0_u64.to_le_bytes());
        arguments.iter().for_each(|argument| data.extend(argument.to_le_bytes()));
        let (mut at, mut value) = (0, 0_u32);
        loop {
            let step = &program[at];
            let skip = |holds: bool| usize::from(if holds { step.jt } else { step.jf });
            at += 1;
            match u32::from(step.code) {
                0x20 => value = u32::from_le_bytes(data[step.k as usize..][..4].try_into().unwrap()),
                0x54 => value &= step.k,
                0x05 => at += step.k as usize,
                0x15 => at += skip(value == step.k),
                0x25 => at += skip(value > step.k),
                0x35 => at += skip(value >= step.k),
                0x06 if step.k == libc::SECCOMP_RET_ALLOW => return true,
                0x06 if step.k == libc::SECCOMP_RET_KILL_PROCESS => return false,
                code => panic!("a step {code:#x} with {:#x} is in no filter of ours", step.k),
            }
        }
    }

    /// What the kernel calls a processor, the filter for it, and how calls are numbered there.
    type Numbered = (u32, BpfProgram, fn(Call) -> Result<i64, String>);

    /// For the processor that this runs on, and for aarch64.
    fn both() -> [Numbered; 2] {
        let audit = if cfg!(target_arch = "aarch64") { AUDIT_AARCH64 } else { AUDIT_X86_64 };
        let ours = |call: Call| Ok(call.1);
        let filter = |name, number: fn(Call) -> _| program(architecture(name).unwrap(), number).unwrap();
        [
            (audit, filter(std::env::consts::ARCH, ours), ours),
            (AUDIT_AARCH64, filter("aarch64", on_aarch64), on_aarch64),
        ]
    }

    #[test]
    #[cfg(target_arch = "aarch64")]
    fn the_numbers_of_aarch64_are_right() {
        for call in ALLOWED.into_iter().chain(CONDITIONAL) {
            assert_eq!(on_aarch64(call), Ok(call.1), "{}", call.0);
        }
    }

    #[test]
    fn either_processor_allows_the_list_and_nothing_else() {
        for (audit, program, number) in both() {
            let allowed: Vec<i64> = ALLOWED.into_iter().map(|call| number(call).unwrap()).collect();
            let conditional: Vec<i64> = CONDITIONAL.into_iter().map(|call| number(call).unwrap()).collect();
            for call in (0..1024).filter(|call| !conditional.contains(call)) {
                assert_eq!(allows(&program, audit, call, [0; 6]), allowed.contains(&call), "{audit:#x}: {call}");
            }
            // The numbers of another processor, and of the 32-bit pointers that x86-64 also knows.
            for other in [AUDIT_X86_64, AUDIT_AARCH64, 0x4000_0003, 0x4000_0028].iter().filter(|of| **of != audit) {
                assert!(!allows(&program, *other, allowed[0], [0; 6]), "{audit:#x} on {other:#x}");
            }
            assert!(!allows(&program, audit, allowed[0] | 0x4000_0000, [0; 6]), "{audit:#x}");
        }
    }

    #[test]
    fn conditions_look_at_the_right_argument() {
        let ourselves = u64::from(getpid().as_raw_pid().unsigned_abs());
        let may = [
            ("SYS_mmap", [0, 4096, 3, 34, 0, 0]),
            ("SYS_mprotect", [0, 4096, 1, 0, 0, 0]),
            ("SYS_sendto", [0, 1, 1, 0, 0, 0]),
            ("SYS_fcntl", [0, 1, 0, 0, 0, 0]),
            ("SYS_tgkill", [ourselves, 1, 6, 0, 0, 0]),
        ];
        let may_not = [
            ("SYS_mmap", [0, 4096, 5, 34, 0, 0]),
            ("SYS_mprotect", [0, 4096, 7, 0, 0, 0]),
            ("SYS_sendto", [0, 1, 1, 0, 0x1_0000_0000, 16]),
            ("SYS_fcntl", [0, 2, 0, 0, 0, 0]),
            ("SYS_tgkill", [1, 1, 9, 0, 0, 0]),
        ];
        for (audit, program, number) in both() {
            let told = |(name, arguments): (&str, [u64; 6])| {
                let call = CONDITIONAL.into_iter().find(|call| call.0 == name).unwrap();
                allows(&program, audit, number(call).unwrap(), arguments)
            };
            may.into_iter().for_each(|call| assert!(told(call), "{audit:#x}: {call:?}"));
            may_not.into_iter().for_each(|call| assert!(!told(call), "{audit:#x}: {call:?}"));
        }
    }

    #[test]
    fn other_processors_have_no_filter() {
        for name in ["riscv64", "x86", "arm", "s390x", "loongarch64"] {
            assert!(architecture(name).unwrap_err().contains(name));
        }
    }
}
