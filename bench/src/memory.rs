//! Resident memory.

use std::fs;

/// The memory of a process now, in bytes.
pub fn of_process(id: u32) -> f64 {
    in_status(id, "VmRSS:")
}

/// The most memory that a process has had since it began or since [`forget_most`], in bytes.
pub fn most_of_process(id: u32) -> f64 {
    in_status(id, "VmHWM:")
}

/// Lets [`most_of_process`] begin again for this process.
pub fn forget_most() {
    // As proc(5) has it: 5 resets the mark.
    fs::write("/proc/self/clear_refs", "5").expect("Linux has it");
}

fn in_status(id: u32, name: &str) -> f64 {
    let status = fs::read_to_string(format!("/proc/{id}/status")).expect("the process runs");
    let line = status.lines().find_map(|line| line.strip_prefix(name));
    let kilobytes = line.and_then(|line| line.trim().strip_suffix(" kB")?.parse::<f64>().ok());
    kilobytes.expect("Linux has it") * 1_024.0
}

#[cfg(test)]
mod tests {
    use std::{hint::black_box, process::id};

    use super::*;

    #[test]
    fn the_most_is_remembered_until_it_is_forgotten() {
        drop(black_box(vec![1_u8; 64 << 20]));
        assert!(most_of_process(id()) > of_process(id()) + 3e7);
        forget_most();
        assert!(most_of_process(id()) < of_process(id()) + 3e7);
    }
}
