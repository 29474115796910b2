//! Random faults, always the same for a seed: what a registry, a proxy or the network may make of an answer.

use std::time::Duration;

use crate::evil_registry::{Length, Recorded, Reply};

/// A script of faults.
#[derive(Debug, Clone)]
pub struct Faults {
    state: u64,
    left: usize,
    /// What was done, for messages.
    pub struck: Vec<String>,
}

impl Faults {
    /// The script of this seed. Some have one fault, some many; then all is honest.
    pub fn new(seed: u64) -> Faults {
        let mut faults = Faults {
            state: seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1,
            left: 0,
            struck: Vec::new(),
        };
        faults.left = 1 + faults.below(8);
        faults
    }

    /// A number below `end`; 0 if that is 0.
    pub fn below(&mut self, end: usize) -> usize {
        self.state ^= self.state << 13;
        self.state ^= self.state >> 7;
        self.state ^= self.state << 17;
        (self.state >> 16) as usize % end.max(1)
    }

    /// The answer to a request, made of the honest one.
    pub fn answer(&mut self, request: &Recorded, honest: Reply) -> Reply {
        if self.left == 0 || self.below(2) == 0 {
            return honest;
        }
        self.left -= 1;
        let size = honest.body.len();
        let (at, number) = (self.below(size), self.below(16));
        let what = format!("{number} at {at} of {} {}", request.method, request.path);
        self.struck.push(what);
        self.fault(number, at, request, honest)
    }

    fn fault(&mut self, number: usize, at: usize, request: &Recorded, honest: Reply) -> Reply {
        let size = honest.body.len();
        let mut reply = honest.clone();
        match number {
            0 | 1 => return honest.cut_at(at),
            2 => {
                let statuses = [
                    400, 401, 403, 404, 408, 416, 418, 429, 500, 502, 503, 504, 204,
                ];
                return Reply::status(statuses[self.below(statuses.len())]);
            }
            3 => return Reply::status(503).header("retry-after", "0"),
            4 => {
                if let Some(byte) = reply.body.get_mut(at) {
                    *byte ^= 1 << self.below(8);
                }
            }
            5 => reply.body.truncate(at),
            6 => reply.body.extend(vec![0; 1 + self.below(2000)]),
            7 => reply.length = Length::Stated((size + 1).saturating_sub(2 * self.below(2))),
            8 => return honest.length(Length::Chunked),
            9 => return honest.length(Length::Close).cut_at(at),
            10 => return honest.header("content-encoding", "gzip"),
            // To itself, to where nothing is, to what is not there.
            11 => {
                let targets = [request.path.as_str(), "http://127.0.0.1:1/", "/nowhere"];
                return Reply::redirect(targets[self.below(targets.len())]);
            }
            12 => {
                let start = request.range_start().unwrap_or(0) + self.below(2);
                let range = format!("bytes {start}-{}/{}", start + size, start + size + 1);
                reply.status = 206;
                return reply.header("content-range", &range);
            }
            // Later than anybody waits for, or only nearly.
            13 => reply.delay = Duration::from_millis([20, 400][self.below(2)]),
            14 => {
                reply.body.truncate(at);
                reply.endless = true;
                reply.length = Length::Close;
            }
            _ => {
                reply.headers.clear();
                return reply.header("content-type", "text/html");
            }
        }
        reply
    }
}
