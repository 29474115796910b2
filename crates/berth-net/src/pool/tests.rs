//! Addresses are never given twice, whatever order things happen in.

use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;

use super::*;

fn pool(dir: &Path, subnet: &str) -> Pool {
    std::fs::create_dir_all(dir.join("addr")).unwrap();
    let subnet: Subnet = subnet.parse().unwrap();
    let limits = Limits {
        range: None,
        reserved: vec![subnet.gateway()],
    };
    Pool::new(dir, subnet, limits)
}

#[test]
fn a_freed_address_comes_last_and_a_wish_comes_true() {
    let dir = tempfile::tempdir().unwrap();
    let pool = pool(dir.path(), "10.9.0.0/29");
    let last = |address: IpAddr| match address {
        IpAddr::V4(address) => address.octets()[3],
        IpAddr::V6(_) => 0,
    };
    let reserve = |owner: &str| pool.reserve(owner, None).map(last);
    assert_eq!([reserve("a").unwrap(), reserve("b").unwrap()], [2, 3]);
    pool.free([10, 9, 0, 2].into(), "a").unwrap();
    assert_eq!(
        [
            reserve("c").unwrap(),
            reserve("d").unwrap(),
            reserve("e").unwrap()
        ],
        [4, 5, 6]
    );
    assert_eq!(reserve("f").unwrap(), 2);
    assert!(matches!(reserve("g"), Err(Error::Full { .. })));
    // Another's, and free ones, are left alone.
    pool.free([10, 9, 0, 4].into(), "x").unwrap();
    assert_eq!(pool.all().unwrap().len(), 5);
    pool.free([10, 9, 0, 4].into(), "c").unwrap();
    pool.free([10, 9, 0, 4].into(), "c").unwrap();
    let wish = |address: [u8; 4]| pool.reserve("w", Some(address.into())).map(last);
    assert!(
        wish([10, 9, 0, 1]).is_ok_and(|got| got == 4),
        "never the gateway's"
    );
    assert!(wish([10, 9, 0, 4]).is_err());
    pool.free([10, 9, 0, 3].into(), "b").unwrap();
    pool.free([10, 9, 0, 5].into(), "d").unwrap();
    assert_eq!(wish([10, 9, 0, 5]).unwrap(), 5);
    assert_eq!(wish([10, 9, 0, 5]).unwrap(), 3);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, ..ProptestConfig::default() })]
    /// N1. Against a model, with the hint lost at any time.
    #[test]
    fn never_twice(steps in prop::collection::vec((0..4_u8, 0..12_u8), 1..120)) {
        let dir = tempfile::tempdir().unwrap();
        let pool = pool(dir.path(), "10.9.0.0/28");
        let mut given: BTreeMap<IpAddr, String> = BTreeMap::new();
        for (step, who) in steps {
            let owner = format!("owner-{who}");
            match step {
                0 | 1 => match pool.reserve(&owner, (step == 1).then(|| [10, 9, 0, who + 2].into())) {
                    Ok(address) => prop_assert!(given.insert(address, owner).is_none(), "{address} twice"),
                    Err(Error::Full { .. }) => prop_assert_eq!(given.len(), 13),
                    Err(other) => panic!("{other}"),
                },
                2 => {
                    if let Some(address) = given.iter().find(|(_, holder)| **holder == owner).map(|(a, _)| *a) {
                        pool.free(address, &owner).unwrap();
                        given.remove(&address);
                    }
                }
                _ => drop(std::fs::remove_file(dir.path().join("last"))),
            }
            let all: BTreeMap<IpAddr, String> = pool.all().unwrap().into_iter().collect();
            prop_assert_eq!(&all, &given);
        }
    }
}

#[test]
fn never_twice_side_by_side() {
    let dir = tempfile::tempdir().unwrap();
    let pool = pool(dir.path(), "10.9.0.0/22");
    let threads: Vec<_> = (0..8)
        .map(|number| {
            let pool = pool.clone();
            let work = move || -> Vec<IpAddr> {
                (0..100)
                    .map(|_| pool.reserve(&format!("owner-{number}"), None).unwrap())
                    .collect()
            };
            std::thread::spawn(work)
        })
        .collect();
    let all: Vec<IpAddr> = threads
        .into_iter()
        .flat_map(|thread| thread.join().unwrap())
        .collect();
    assert_eq!(all.iter().collect::<BTreeSet<_>>().len(), 800);
}
