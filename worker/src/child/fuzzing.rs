//! Both directions of the protocol as functions of bytes, for the fuzz targets and for the replay of what they found.

use std::os::unix::fs::FileExt;

use shared::domain::limits::{Limits, LimitsTable};
use shared::domain::preset::PresetTable;

use super::protocol::{self, Admitted, Order, Place, Setup, Told};
use super::{check, memory_file};

/// What a parent does with what a child says: a message up to the first zero byte, then the output file.
pub fn reply(data: &[u8]) {
    let end = data.iter().position(|byte| *byte == 0).unwrap_or(data.len());
    let (message, output_bytes) = (&data[..end], data.get(end + 1..).unwrap_or_default());
    let order = an_order();
    let reply = match protocol::message::<Told>(message) {
        Ok(Told::Inspected(inspected)) => return drop(check::check_inspected(&inspected, &order)),
        Ok(Told::Replied(reply)) => reply,
        Err(_) => return,
    };
    let Ok(output) = memory_file::output() else { return };
    if output.write_all_at(output_bytes, 0).is_err() {
        return;
    }
    let inspected = match &reply.result {
        protocol::Claimed::Rendered { picture, .. } => {
            Some(protocol::Inspected { number: order.number, picture: *picture, predicted_bytes: 0 })
        }
        protocol::Claimed::Failed(_) => None,
    };
    if let Ok(answer) = check::check(reply, &order, inspected.as_ref(), &output)
        && let Ok(made) = answer.result
    {
        let pages = made.presets.iter().filter_map(|rendering| rendering.result.as_ref().ok()).flatten();
        assert!(pages.map(|page| page.bytes.len() as u64).sum::<u64>() <= order.limits.widest().output_bytes_max);
    }
}

/// What a child does with what its parent says.
pub fn order(data: &[u8]) {
    let _ = protocol::read::<Setup>(&mut &*data);
    let _ = protocol::read::<Order>(&mut &*data);
    let _ = protocol::read::<Admitted>(&mut &*data);
}

fn an_order() -> Order {
    let presets = PresetTable::built_in().iter().take(2).cloned().collect();
    let limits = LimitsTable::same(Limits {
        source_bytes_max: 1 << 20,
        width_pixels_max: 10_000,
        height_pixels_max: 10_000,
        area_pixels_max: 1 << 26,
        total_pixels_max: 1 << 26,
        pages_max: 3,
        nesting_max: 16,
        child_memory_bytes_max: 1 << 30,
        child_cpu_seconds_max: 10,
        child_seconds_max: 10,
        output_bytes_max: 1 << 20,
    });
    Order { number: 1, source: Place::File, presets, limits, original: None }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Whatever fuzzing found, and the seeds.
    #[test]
    fn what_fuzzing_found_is_harmless() {
        for (target, run) in [("reply", reply as fn(&[u8])), ("order", order)] {
            let directory = format!("{}/../tests/fixtures/fuzz/{target}", env!("CARGO_MANIFEST_DIR"));
            let files: Vec<_> = std::fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().path()).collect();
            assert!(!files.is_empty());
            files.iter().for_each(|file| run(&std::fs::read(file).unwrap()));
        }
    }

    fn seed(name: &str) -> Vec<u8> {
        std::fs::read(format!("{}/../tests/fixtures/fuzz/{name}", env!("CARGO_MANIFEST_DIR"))).unwrap()
    }

    /// Seeds of another version of the protocol would be turned away at their first byte.
    #[test]
    fn the_seeds_are_messages_that_a_child_reads() {
        assert_eq!(protocol::read::<Order>(&mut &*seed("order/order")).unwrap(), an_order());
        assert!(protocol::read::<Setup>(&mut &*seed("order/setup")).is_ok());
        assert!(protocol::read::<Admitted>(&mut &*seed("order/admitted")).is_ok());
    }

    #[test]
    fn an_honest_reply_reaches_the_last_check() {
        let data = seed("reply/honest");
        let end = data.iter().position(|byte| *byte == 0).unwrap();
        assert!(protocol::message::<Told>(&data[..end]).is_ok());
    }
}
