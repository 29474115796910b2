//! Names for containers that were given none: two words and four digits, from the id.

use berth_model::ContainerId;

const QUALITIES: [&str; 32] = [
    "able", "bold", "brisk", "calm", "clear", "crisp", "deep", "eager", "even", "fair", "fast",
    "firm", "fresh", "gentle", "glad", "grand", "keen", "kind", "light", "lively", "mild", "neat",
    "noble", "plain", "quick", "quiet", "sharp", "steady", "swift", "tidy", "warm", "wise",
];
const VESSELS: [&str; 32] = [
    "ark", "barge", "bark", "boat", "brig", "canoe", "catboat", "clipper", "coracle", "cutter",
    "dhow", "dinghy", "dory", "ferry", "frigate", "galleon", "gig", "hoy", "junk", "kayak",
    "ketch", "lugger", "packet", "pinnace", "pram", "prow", "punt", "schooner", "skiff", "sloop",
    "wherry", "yawl",
];

/// A name; the same for the same id, rarely the same for another.
pub(crate) fn make(id: &ContainerId) -> String {
    let bytes: Vec<usize> = id.as_str().bytes().map(usize::from).collect();
    let draw = |from: usize| {
        bytes[from..from + 16].iter().fold(0_usize, |sum, byte| {
            sum.wrapping_mul(31).wrapping_add(*byte)
        })
    };
    format!(
        "{}_{}_{}",
        QUALITIES[draw(0) % 32],
        VESSELS[draw(16) % 32],
        &id.as_str()[32..36]
    )
}

#[cfg(test)]
mod tests {
    #[test]
    fn a_made_up_name_is_valid() {
        for byte in 0..=255 {
            let id = berth_model::ContainerId::from_bytes([byte; 32]);
            assert!(berth_model::id::valid_name(&super::make(&id)));
        }
    }
}
