//! The system calls that decoding needs; any other one kills the child on the spot.

use std::collections::BTreeMap;

use rustix::process::getpid;
use seccompiler::{
    BackendError, BpfProgram, SeccompAction, SeccompCmpArgLen, SeccompCmpOp, SeccompCondition, SeccompFilter,
    SeccompRule, TargetArch, apply_filter,
};

use crate::child::sandbox::Standing;

/// Allowed whatever their arguments. None of them names a file, an address or another process; new descriptors come
/// over the parent's socket only.
const ALLOWED: &[libc::c_long] = &[
    // Descriptors that the child was given: the socket, standard error, source, output.
    libc::SYS_read,
    libc::SYS_write,
    libc::SYS_writev,
    libc::SYS_pread64,
    libc::SYS_pwrite64,
    libc::SYS_recvmsg,
    libc::SYS_recvfrom,
    libc::SYS_fstat,
    libc::SYS_close,
    // Memory; mapping and protecting it have rules of their own.
    libc::SYS_brk,
    libc::SYS_munmap,
    libc::SYS_mremap,
    libc::SYS_madvise,
    // How much memory there is: glibc's `qsort` asks, and libwebp sorts.
    libc::SYS_sysinfo,
    // Locks, time and randomness of the standard library.
    libc::SYS_futex,
    libc::SYS_sched_yield,
    libc::SYS_clock_gettime,
    libc::SYS_getrandom,
    // Dying, and saying why: panics, aborts, and the handler that tells a stack overflow.
    libc::SYS_rt_sigaction,
    libc::SYS_rt_sigprocmask,
    libc::SYS_rt_sigreturn,
    libc::SYS_sigaltstack,
    libc::SYS_restart_syscall,
    libc::SYS_getpid,
    libc::SYS_gettid,
    libc::SYS_exit,
    libc::SYS_exit_group,
];

pub(super) fn filter() -> Result<Standing, String> {
    let program = program().map_err(|error| error.to_string())?;
    apply_filter(&program).map_err(|error| error.to_string())?;
    Ok(Standing::Enforced(format!("{} system calls, any other kills", ALLOWED.len() + CONDITIONAL)))
}

fn program() -> Result<BpfProgram, BackendError> {
    let architecture = TargetArch::try_from(std::env::consts::ARCH)?;
    // Calls under another architecture's numbers are killed before any rule is looked at.
    SeccompFilter::new(rules()?, SeccompAction::KillProcess, SeccompAction::Allow, architecture)?.try_into()
}

/// How many calls are allowed with some arguments only.
const CONDITIONAL: usize = 5;

fn rules() -> Result<BTreeMap<i64, Vec<SeccompRule>>, BackendError> {
    let conditional: [(libc::c_long, SeccompCondition); CONDITIONAL] = [
        (libc::SYS_mmap, not_executable()?),
        (libc::SYS_mprotect, not_executable()?),
        // `send` without an address: the standard library writes to a socket so.
        (libc::SYS_sendto, SeccompCondition::new(4, SeccompCmpArgLen::Qword, SeccompCmpOp::Eq, 0)?),
        // Builds with debug assertions ask whether a descriptor is open before they close it.
        (libc::SYS_fcntl, equal(1, libc::F_GETFD.unsigned_abs())?),
        // `abort` signals its own process, by its id.
        (libc::SYS_tgkill, equal(0, getpid().as_raw_pid().unsigned_abs())?),
    ];
    let mut rules: BTreeMap<i64, Vec<SeccompRule>> = ALLOWED.iter().map(|call| (*call, Vec::new())).collect();
    for (call, condition) in conditional {
        rules.insert(call, vec![SeccompRule::new(vec![condition])?]);
    }
    Ok(rules)
}

/// No memory ever becomes code.
fn not_executable() -> Result<SeccompCondition, BackendError> {
    let executable = u64::from(libc::PROT_EXEC.unsigned_abs());
    SeccompCondition::new(2, SeccompCmpArgLen::Dword, SeccompCmpOp::MaskedEq(executable), 0)
}

fn equal(argument: u8, value: u32) -> Result<SeccompCondition, BackendError> {
    SeccompCondition::new(argument, SeccompCmpArgLen::Dword, SeccompCmpOp::Eq, value.into())
}
