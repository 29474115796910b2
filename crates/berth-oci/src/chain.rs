//! Chain ids: the name of a stack of layers, by the digests of their uncompressed tars.
//!
//! `chain(L0) = diff(L0)`; `chain(L0|…|Ln) = sha256(chain(L0|…|Ln-1) + " " + diff(Ln))`.
//! Source: OCI image-spec, config.md, "Layer ChainID".

use crate::Digest;

/// The chain id of `diff_id` on top of the stack `parent` (`None`: at the bottom).
pub fn chain_id(parent: Option<&Digest>, diff_id: &Digest) -> Digest {
    match parent {
        None => diff_id.clone(),
        Some(parent) => Digest::of(format!("{parent} {diff_id}").as_bytes()),
    }
}

/// The chain ids of all stacks that begin at the bottom, lowest first: one for each diff id.
pub fn chain_ids(diff_ids: &[Digest]) -> Vec<Digest> {
    let mut chain: Vec<Digest> = Vec::with_capacity(diff_ids.len());
    for diff_id in diff_ids {
        let next = chain_id(chain.last(), diff_id);
        chain.push(next);
    }
    chain
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn chain_follows_the_specification() {
        let (a, b) = (Digest::of(b"a"), Digest::of(b"b"));
        let ids = chain_ids(&[a.clone(), b.clone()]);
        assert_eq!(ids[0], a);
        assert_eq!(ids[1], Digest::of(format!("{a} {b}").as_bytes()));
        assert_eq!(ids.len(), 2);
        assert!(chain_ids(&[]).is_empty());
    }
}
