//! Messages that wait for a receiver, in a ring of bytes: `length (32 bits, little-endian) | message`, one after the
//! other. Nothing is moved; a message may go over the end and on at the beginning.

use crate::json::Sink;

/// Bytes before each message.
const HEAD: usize = 4;

/// The ring.
#[derive(Debug)]
pub struct Queue<'a> {
    place: &'a mut [u8],
    from: usize,
    used: usize,
}

impl<'a> Queue<'a> {
    /// An empty one.
    pub fn new(place: &'a mut [u8]) -> Self {
        Queue {
            place,
            from: 0,
            used: 0,
        }
    }

    /// Whether a message of `length` bytes fits now.
    pub fn fits(&self, length: usize) -> bool {
        length.saturating_add(HEAD) <= self.place.len() - self.used
    }

    /// Whether none waits.
    pub fn is_empty(&self) -> bool {
        self.used == 0
    }

    /// Begins a message; exactly `length` bytes have to be put next. Only when it fits.
    pub fn begin(&mut self, length: usize) {
        self.put(&(length as u32).to_le_bytes());
    }

    /// The first message, in its two parts.
    pub fn front(&self) -> (&[u8], &[u8]) {
        self.part(HEAD, self.front_length())
    }

    /// Takes the first message away.
    pub fn pop(&mut self) {
        let gone = (HEAD + self.front_length()).min(self.used);
        self.from = (self.from + gone) % self.place.len().max(1);
        self.used -= gone;
        if self.used == 0 {
            self.from = 0;
        }
    }

    /// Forgets all messages, and how many there were.
    pub fn clear(&mut self) -> u64 {
        let mut count = 0;
        while !self.is_empty() {
            self.pop();
            count += 1;
        }
        count
    }

    /// What may be given back to the kernel: all of it, while it is empty.
    pub fn spare(&mut self) -> &mut [u8] {
        let spare = if self.used == 0 { self.place.len() } else { 0 };
        &mut self.place[..spare]
    }

    fn front_length(&self) -> usize {
        let (one, two) = self.part(0, HEAD);
        let mut length = [0; HEAD];
        length[..one.len()].copy_from_slice(one);
        length[one.len()..one.len() + two.len()].copy_from_slice(two);
        u32::from_le_bytes(length) as usize
    }

    /// `length` bytes from `skip` on, as far as there are any.
    fn part(&self, skip: usize, length: usize) -> (&[u8], &[u8]) {
        let skip = skip.min(self.used);
        let length = length.min(self.used - skip);
        let capacity = self.place.len();
        let begin = self.from + skip;
        if begin >= capacity {
            let begin = begin - capacity;
            return (&self.place[begin..begin + length], &[]);
        }
        let first = length.min(capacity - begin);
        (
            &self.place[begin..begin + first],
            &self.place[..length - first],
        )
    }
}

impl Sink for Queue<'_> {
    fn put(&mut self, bytes: &[u8]) {
        let capacity = self.place.len();
        let bytes = &bytes[..bytes.len().min(capacity - self.used)];
        let end = (self.from + self.used) % capacity.max(1);
        let (one, two) = bytes.split_at(bytes.len().min(capacity - end));
        self.place[end..end + one.len()].copy_from_slice(one);
        self.place[..two.len()].copy_from_slice(two);
        self.used += bytes.len();
    }
}

#[cfg(test)]
mod tests {
    use std::collections::VecDeque;

    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn it_is_a_queue(steps in proptest::collection::vec(proptest::option::of(0usize..40), 0..200)) {
            let mut place = [0; 100];
            let mut queue = Queue::new(&mut place);
            let mut model: VecDeque<Vec<u8>> = VecDeque::new();
            for (number, step) in steps.into_iter().enumerate() {
                match step {
                    Some(length) => {
                        let room = 100 - model.iter().map(|message| message.len() + HEAD).sum::<usize>();
                        prop_assert_eq!(queue.fits(length), length + HEAD <= room);
                        if queue.fits(length) {
                            let message = vec![number as u8; length];
                            queue.begin(length);
                            let (one, two) = message.split_at(length / 2);
                            queue.put(one);
                            queue.put(two);
                            model.push_back(message);
                        }
                    }
                    None => {
                        if model.pop_front().is_some() {
                            queue.pop();
                        }
                    }
                }
                prop_assert_eq!(queue.is_empty(), model.is_empty());
                if let Some(first) = model.front() {
                    let (one, two) = queue.front();
                    prop_assert_eq!(&[one, two].concat(), first);
                }
            }
            prop_assert_eq!(queue.clear(), model.len() as u64);
            prop_assert!(queue.is_empty());
            prop_assert_eq!(queue.spare().len(), 100);
        }
    }

    #[test]
    fn without_a_place_nothing_fits() {
        let mut queue = Queue::new(&mut []);
        assert!(queue.is_empty() && !queue.fits(0));
        queue.put(b"x");
        queue.pop();
        assert_eq!(queue.front(), (&[][..], &[][..]));
        assert_eq!(queue.clear(), 0);
    }
}
