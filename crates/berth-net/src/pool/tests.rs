//! Addresses are never given twice, whatever order things happen in.

use std::collections::{BTreeMap, BTreeSet};

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

/// N1. A long life of a network against a model: seeded, with crashes at every step, and the hints lost at any time.
#[test]
fn never_twice() {
    let whole = std::env::var_os("BERTH_TEST_FULL").is_some();
    let (lives, operations) = if whole { (20, 50_000) } else { (6, 2_000) };
    for seed in 0..lives {
        live(seed, operations);
    }
}

/// By xorshift.
struct Random(u64);

impl Random {
    fn below(&mut self, limit: u32) -> u32 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 33) as u32 % limit
    }
}

/// A life's network: /28, /29 of a /24, and IPv6.
fn pool_of_life(dir: &Path, life: u64) -> Pool {
    match life % 3 {
        0 => pool(dir, "10.9.0.0/28"),
        1 => {
            let mut pool = pool(dir, "10.9.0.0/24");
            pool.limits.range = Some("10.9.0.32/29".parse().unwrap());
            pool.limits.reserved.push([10, 9, 0, 34].into());
            pool
        }
        _ => pool(dir, "fd00:9::/124"),
    }
}

fn live(seed: u64, operations: u32) {
    // Where the state of networks is, too.
    let dir = tempfile::tempdir_in("/dev/shm").unwrap();
    let mut pool = pool_of_life(dir.path(), seed);
    // Long: what is freed waits to the end. On a clock that ticks it would be a matter of luck what is tested.
    pool.quarantine = Duration::from_secs(3600);
    let mut random = Random(seed * 7 + 1);
    let mut given: BTreeMap<IpAddr, String> = BTreeMap::new();
    let mut freed: BTreeSet<IpAddr> = BTreeSet::new();
    let all: BTreeSet<IpAddr> = {
        let range = pool.limits.range.unwrap_or(pool.subnet);
        let every = range.addresses_after(pool.subnet.address());
        every.filter(|one| pool.is_for_containers(*one)).collect()
    };
    let any = |random: &mut Random, given: &BTreeMap<IpAddr, String>| {
        let place = random.below(given.len().max(1) as u32) as usize;
        given.iter().nth(place).map(|(a, o)| (*a, o.clone()))
    };
    for number in 0..operations {
        let owner = format!("{seed}-{number}");
        let wish = all.iter().nth(random.below(all.len() as u32) as usize);
        step::crash_after((random.below(4) == 0).then(|| random.below(3)));
        let outcome = match random.below(16) {
            0..6 => pool.reserve(&owner, None).map(Some),
            6..8 => pool.reserve(&owner, wish.copied()).map(Some),
            8 => pool.take(&owner, *wish.unwrap()).map(|()| wish.copied()),
            9..15 => match any(&mut random, &given) {
                Some((address, owner)) => pool.free(address, &owner).map(|()| {
                    given.remove(&address);
                    freed.insert(address);
                    None
                }),
                None => Ok(None),
            },
            _ => {
                let hint = ["last", "last-fd00:9::", "swept"][random.below(3) as usize];
                let _ = std::fs::remove_file(dir.path().join(hint));
                Ok(None)
            }
        };
        step::crash_after(None);
        match outcome {
            Ok(Some(address)) => {
                assert!(all.contains(&address), "{seed} {number}: {address}");
                let before = given.insert(address, owner);
                assert_eq!(before, None, "{seed} {number}: {address} twice");
                let fresh = all
                    .iter()
                    .any(|one| !freed.contains(one) && !given.contains_key(one));
                let asked = wish == Some(&address);
                let waited = freed.remove(&address);
                assert!(
                    !waited || asked || !fresh,
                    "{seed} {number}: {address} was just freed"
                );
            }
            Ok(None) => {}
            Err(Error::Full { .. }) => assert_eq!(given.len(), all.len(), "{seed} {number}"),
            Err(Error::Taken { address }) => assert!(given.contains_key(&address)),
            Err(Error::Reservation { .. }) => settle(&pool, &mut given, &mut freed),
            Err(other) => panic!("{other}"),
        }
        if number % 32 == 0 {
            let seen: BTreeMap<IpAddr, String> = pool.all().unwrap().into_iter().collect();
            assert_eq!(seen, given, "{seed} {number}");
        }
    }
}

/// After a crash: what nobody was told of belongs to nobody, and is freed under its owner's name.
fn settle(pool: &Pool, given: &mut BTreeMap<IpAddr, String>, freed: &mut BTreeSet<IpAddr>) {
    let seen = pool.all().unwrap();
    for (address, owner) in &seen {
        if given.get(address) != Some(owner) {
            pool.free(*address, owner).unwrap();
            freed.insert(*address);
        }
    }
    for (address, _) in std::mem::take(given) {
        match pool.owner(address).unwrap() {
            Some(owner) => drop(given.insert(address, owner)),
            None => drop(freed.insert(address)),
        }
    }
}

#[test]
fn quarantine_ends() {
    let dir = tempfile::tempdir().unwrap();
    let mut pool = pool(dir.path(), "10.9.0.0/24");
    let first = pool.reserve("a", None).unwrap();
    pool.free(first, "a").unwrap();
    // The hint is lost: the search begins at the first again.
    let again = |pool: &Pool, owner: &str| {
        let _ = std::fs::remove_file(dir.path().join("last"));
        pool.reserve(owner, None).unwrap()
    };
    assert_ne!(again(&pool, "b"), first);
    pool.quarantine = Duration::ZERO;
    assert_eq!(again(&pool, "c"), first);
    let freed = || std::fs::read_dir(dir.path().join("freed")).unwrap().count();
    assert_eq!(freed(), 0);
    // Those that have waited are forgotten in the end.
    for host in 10..20 {
        pool.take("d", [10, 9, 0, host].into()).unwrap();
        pool.free([10, 9, 0, host].into(), "d").unwrap();
    }
    assert_eq!(freed(), 1);
    // The one that has waited longest comes first.
    pool.quarantine = Duration::from_secs(3600);
    pool.limits.range = Some("10.9.0.16/30".parse().unwrap());
    for host in [18, 17, 19, 16] {
        let address: IpAddr = [10, 9, 0, host].into();
        pool.take("e", address).unwrap();
        pool.free(address, "e").unwrap();
        std::thread::sleep(Duration::from_millis(10));
    }
    assert_eq!(
        pool.reserve("f", None).unwrap(),
        IpAddr::from([10, 9, 0, 18])
    );
    assert_eq!(
        pool.reserve("f", None).unwrap(),
        IpAddr::from([10, 9, 0, 17])
    );
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
