//! The bound in bytes, the order, and everyone's share.

use std::collections::BTreeMap;

use super::*;

fn address(last: u8) -> SocketAddr {
    SocketAddr::from(([192, 0, 2, last], 1))
}

/// Exporter 1 sends ten times what each of the others does, and the decoder is too slow for all of it.
#[test]
fn who_sends_too_much_loses_and_nobody_else() {
    let queue = Queue::default();
    let _producer = queue.producer();
    let (mut taken, mut sent) = ([0u64; 10], [0u64; 10]);
    let take = |taken: &mut [u64; 10]| {
        if let Popped::Item(Item::Chunk(chunk)) = queue.pop(Duration::ZERO) {
            for (from, bytes) in chunk.datagrams() {
                assert_eq!([bytes[0], bytes[bytes.len() - 1]].map(address), [from; 2]);
                let IpAddr::V4(ip) = from.ip() else {
                    panic!("{from}")
                };
                taken[usize::from(ip.octets()[3])] += 1;
            }
            return true;
        }
        false
    };
    for round in 0..1_000 {
        let mut chunk = Chunk::new(Time(round), false);
        for last in (0..10u8).chain([1; 9]) {
            chunk.push(address(last), &vec![last; 14_000]);
            sent[usize::from(last)] += 1;
        }
        assert!(queue.push(Item::Chunk(chunk)));
        // Two chunks are taken while three come.
        if round % 3 < 2 {
            take(&mut taken);
        }
    }
    let shed: BTreeMap<IpAddr, u64> = queue.take_shed().into_iter().collect();
    while take(&mut taken) {}
    assert_eq!(shed.keys().copied().collect::<Vec<_>>(), [address(1).ip()]);
    assert_eq!(shed.values().sum::<u64>(), queue.shed());
    sent[1] -= queue.shed();
    assert_eq!(taken, sent);
    assert!(queue.shed() > 1_000 && queue.take_shed().is_empty());
}

#[test]
fn a_stream_beyond_its_share_waits_and_others_do_not() {
    let queue = Queue::default();
    let chunk = |last, stream| {
        let mut chunk = Chunk::new(Time(0), stream);
        chunk.push(address(last), &[0; 60_000]);
        Item::Chunk(chunk)
    };
    assert!(queue.push(chunk(2, false)) && queue.push(chunk(4, false)));
    while queue.bytes_most() < SHARED_BYTES {
        assert!(queue.push(chunk(1, true)));
    }
    assert!(queue.lock().must_wait(&chunk(1, true)));
    assert!(!queue.lock().must_wait(&chunk(3, true)) && !queue.lock().must_wait(&chunk(2, false)));
    while let Popped::Item(_) = queue.pop(Duration::ZERO) {}
    assert!(queue.lock().by_exporter.is_empty() && queue.lock().bytes == 0);
}

#[test]
fn bounded_in_bytes_and_in_order() {
    let queue = Queue::default();
    let from = SocketAddr::from(([192, 0, 2, 1], 1));
    let pushed = std::thread::scope(|scope| {
        let pusher = scope.spawn(|| {
            let _producer = queue.producer();
            let mut pushed = 0u32;
            loop {
                let mut chunk = Chunk::new(Time(i64::from(pushed)), false);
                chunk.push(from, &[0; 60_000]);
                if !queue.push(Item::Chunk(chunk)) {
                    return pushed;
                }
                pushed += 1;
            }
        });
        while queue.bytes_most() < QUEUED_BYTES_MAX {
            std::thread::yield_now();
        }
        for want in 0..100 {
            let Popped::Item(Item::Chunk(chunk)) = queue.pop(Duration::from_secs(5)) else {
                panic!("nothing queued");
            };
            assert_eq!(chunk.arrival, Time(want));
            assert_eq!(
                chunk.datagrams().map(|(_, bytes)| bytes.len()).sum::<usize>(),
                60_000
            );
        }
        queue.close();
        pusher.join().expect("the pusher ends")
    });
    assert!(pushed as usize >= QUEUED_BYTES_MAX / 60_100);
    assert!(queue.bytes_most() < QUEUED_BYTES_MAX + 60_100);
}
