//! Proofs of RFC 6962 §2.1: that an entry is in the log, and that the log only grew.

use super::{Hash, node_hash, tree::Part};

/// The parts whose hashes prove that entry `index` is in the tree of `size` entries, from the entry upwards; `None`
/// when it is not.
#[must_use]
pub fn inclusion(index: u64, size: u64) -> Option<Vec<Part>> {
    (index < size).then(|| {
        let mut parts = Vec::new();
        let (mut first, mut end) = (0_u64, size);
        while end - first > 1 {
            let middle = first.saturating_add(left(end - first));
            let (beside, inside) = if index < middle {
                (Part { first: middle, end }, (first, middle))
            } else {
                (Part { first, end: middle }, (middle, end))
            };
            parts.push(beside);
            (first, end) = inside;
        }
        parts.reverse();
        parts
    })
}

/// The parts whose hashes prove that the tree of `to` entries begins with that of `from`; `None` when it is shorter or
/// `from` is 0.
#[must_use]
pub fn consistency(from: u64, to: u64) -> Option<Vec<Part>> {
    (0 < from && from <= to).then(|| {
        let mut parts = Vec::new();
        let (mut first, mut end) = (0_u64, to);
        while end != from {
            let middle = first.saturating_add(left(end - first));
            let (beside, inside) = if from <= middle {
                (Part { first: middle, end }, (first, middle))
            } else {
                (Part { first, end: middle }, (middle, end))
            };
            parts.push(beside);
            (first, end) = inside;
        }
        if first > 0 {
            parts.push(Part { first, end });
        }
        parts.reverse();
        parts
    })
}

/// The largest power of two below `size`, which is at least 2.
fn left(size: u64) -> u64 {
    1 << (size.saturating_sub(1)).ilog2()
}

/// Whether the path proves that the leaf is entry `index` of the tree of `size` entries with this root (RFC 9162
/// §2.1.3.2).
#[must_use]
pub fn verify_inclusion(index: u64, size: u64, leaf: &Hash, path: &[Hash], root: &Hash) -> bool {
    if index >= size {
        return false;
    }
    let (mut at, mut last, mut hash) = (index, size.saturating_sub(1), *leaf);
    for beside in path {
        if last == 0 {
            return false;
        }
        if at & 1 == 1 || at == last {
            hash = node_hash(beside, &hash);
            while at & 1 == 0 && at != 0 {
                at >>= 1;
                last >>= 1;
            }
        } else {
            hash = node_hash(&hash, beside);
        }
        at >>= 1;
        last >>= 1;
    }
    last == 0 && hash == *root
}

/// Whether the path proves that the tree `new` begins with the tree `old` (RFC 9162 §2.1.4.2); each is its size and
/// root.
#[must_use]
pub fn verify_consistency(old: (u64, &Hash), new: (u64, &Hash), path: &[Hash]) -> bool {
    if old.0 == new.0 {
        return path.is_empty() && old.1 == new.1;
    }
    if old.0 == 0 || old.0 > new.0 {
        return false;
    }
    let mut path = path.iter();
    let (mut at, mut last) = (old.0.saturating_sub(1), new.0.saturating_sub(1));
    while at & 1 == 1 {
        at >>= 1;
        last >>= 1;
    }
    let start = if old.0.is_power_of_two() {
        Some(old.1)
    } else {
        path.next()
    };
    let Some(start) = start else { return false };
    let (mut before, mut after) = (*start, *start);
    for beside in path {
        if last == 0 {
            return false;
        }
        if at & 1 == 1 || at == last {
            before = node_hash(beside, &before);
            after = node_hash(beside, &after);
            while at & 1 == 0 && at != 0 {
                at >>= 1;
                last >>= 1;
            }
        } else {
            after = node_hash(&after, beside);
        }
        at >>= 1;
        last >>= 1;
    }
    last == 0 && before == *old.1 && after == *new.1
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::audit::tlog::tree::tests::{grown, leaves};
    use tlog_tiles::tlog as oracle;

    fn theirs(hash: &Hash) -> oracle::Hash {
        oracle::Hash(*hash)
    }

    #[test]
    fn what_we_prove_another_implementation_believes() {
        let all = leaves(700);
        let (_, tiles) = grown(&all);
        let roots: Vec<Hash> = (0..=700)
            .map(|end| Part { first: 0, end }.hash(&tiles).unwrap())
            .collect();
        let hashes = |parts: Vec<Part>| -> Vec<Hash> {
            parts.into_iter().map(|part| part.hash(&tiles).unwrap()).collect()
        };
        for size in (1..=40_usize).chain([255, 256, 257, 512, 513, 700]) {
            for index in (0..size).step_by(1 + size / 30) {
                let (n, i) = (u64::try_from(size).unwrap(), u64::try_from(index).unwrap());
                let path = hashes(inclusion(i, n).unwrap());
                assert!(verify_inclusion(i, n, &all[index], &path, &roots[size]));
                let proof: Vec<_> = path.iter().map(theirs).collect();
                oracle::check_record(&proof, n, theirs(&roots[size]), i, theirs(&all[index])).unwrap();
                let (from, old) = (i + 1, &roots[index + 1]);
                let path = hashes(consistency(from, n).unwrap());
                assert!(verify_consistency((from, old), (n, &roots[size]), &path));
                let proof: Vec<_> = path.iter().map(theirs).collect();
                oracle::check_tree(&proof, n, theirs(&roots[size]), from, theirs(old)).unwrap();
            }
        }
        assert_eq!(
            (inclusion(5, 5), consistency(6, 5), consistency(0, 5)),
            (None, None, None)
        );
    }

    #[test]
    fn a_proof_with_one_bit_changed_proves_nothing() {
        let all = leaves(300);
        let (edge, tiles) = grown(&all);
        let root = edge.root();
        let old = Part { first: 0, end: 133 }.hash(&tiles).unwrap();
        let hashes = |parts: Option<Vec<Part>>| -> Vec<Hash> {
            let parts = parts.unwrap().into_iter();
            parts.map(|part| part.hash(&tiles).unwrap()).collect()
        };
        let path = hashes(inclusion(200, 300));
        let grew = hashes(consistency(133, 300));
        for at in 0..path.len() {
            let mut wrong = path.clone();
            wrong[at][31] ^= 1;
            assert!(!verify_inclusion(200, 300, &all[200], &wrong, &root));
        }
        for at in 0..grew.len() {
            let mut wrong = grew.clone();
            wrong[at][0] ^= 1;
            assert!(!verify_consistency((133, &old), (300, &root), &wrong));
        }
        assert!(!verify_inclusion(201, 300, &all[200], &path, &root));
        assert!(!verify_inclusion(200, 300, &all[200], &path[1..], &root));
        assert!(!verify_inclusion(
            200,
            300,
            &all[200],
            &[path.as_slice(), &[root]].concat(),
            &root
        ));
        assert!(!verify_consistency((132, &old), (300, &root), &grew));
        assert!(!verify_consistency((133, &old), (300, &root), &grew[1..]));
    }
}
