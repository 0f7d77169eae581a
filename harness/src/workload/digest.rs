//! A digest of a worker's operations, with checkpoints, so that streams of different lengths can be compared.

use super::random::mix;

/// Steps between the first checkpoints.
const STRIDE: u64 = 4_096;
/// The most checkpoints kept.
const CHECKPOINTS: usize = 512;

/// Independent chains; each takes every fourth operation, so that their multiplications overlap.
const LANES: usize = 4;

/// A chained digest: it changes with each operation and depends on all before and their order.
///
/// A checkpoint is kept every 4,096 steps; whenever there would be more than 512, every other one is dropped and the
/// stride doubles. Strides are thus powers of two times 4,096, and of two streams of different lengths the longer one's
/// checkpoints, as far as the shorter one reaches, are among the shorter one's.
#[derive(Clone, Debug)]
pub struct Digest {
    /// The chains; the first is the one that takes the next operation.
    lanes: [u64; LANES],
    steps: u64,
    stride: u64,
    next: u64,
    checkpoints: Vec<(u64, u64)>,
}

impl Digest {
    /// The digest of no operation.
    pub const fn new(start: u64) -> Self {
        Self {
            lanes: [start, start, start, start],
            steps: 0,
            stride: STRIDE,
            next: STRIDE,
            checkpoints: Vec::new(),
        }
    }

    /// Adds operations, each given as two words.
    #[inline]
    pub fn extend(&mut self, operations: impl Iterator<Item = (u64, u64)>) {
        // The chains stay in registers in between.
        let (mut lanes, mut steps) = (self.lanes, self.steps);
        for (first, second) in operations {
            let word = first.wrapping_mul(0x9E37_79B9_7F4A_7C15)
                ^ second.wrapping_mul(0xD6E8_FEB8_6659_FD93).rotate_left(32);
            // Multiplication by an odd number, xor and rotation are bijections: what differed once stays different.
            let [lane, second, third, fourth] = lanes;
            let lane = (lane ^ word).wrapping_mul(0xBF58_476D_1CE4_E5B9).rotate_left(29);
            lanes = [second, third, fourth, lane];
            steps += 1;
            if steps == self.next {
                (self.lanes, self.steps) = (lanes, steps);
                self.keep();
            }
        }
        (self.lanes, self.steps) = (lanes, steps);
    }

    /// All chains in one word.
    fn value(&self) -> u64 {
        self.lanes.iter().fold(self.steps, |value, lane| mix(value ^ lane))
    }

    #[cold]
    fn keep(&mut self) {
        self.checkpoints.push((self.steps, self.value()));
        if self.checkpoints.len() > CHECKPOINTS {
            self.stride *= 2;
            let stride = self.stride;
            self.checkpoints.retain(|&(steps, _)| steps % stride == 0);
        }
        self.next = (self.steps / self.stride + 1) * self.stride;
    }

    /// Operations so far.
    pub const fn steps(&self) -> u64 {
        self.steps
    }

    /// The checkpoints (steps, digest) in order, and the end.
    pub fn checkpoints(&self) -> Vec<(u64, u64)> {
        let mut all = self.checkpoints.clone();
        if all.last().is_none_or(|&(steps, _)| steps != self.steps) {
            all.push((self.steps, self.value()));
        }
        all
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn digest(words: impl Iterator<Item = u64>) -> Digest {
        let mut digest = Digest::new(1);
        digest.extend(words.map(|word| (word, word / 3)));
        digest
    }

    #[test]
    fn streams_of_different_lengths_share_checkpoints() {
        let full = digest(0..STRIDE * 5_000 + 17).checkpoints();
        assert!(full.len() <= CHECKPOINTS + 1);
        for steps in [1, STRIDE - 1, STRIDE, STRIDE * 512, STRIDE * 513, STRIDE * 1_500 + 1] {
            let part = digest(0..steps).checkpoints();
            assert!(part.len() <= CHECKPOINTS + 1);
            assert_eq!(part.last().unwrap().0, steps);
            let common = full.iter().filter(|(at, _)| *at <= steps).collect::<Vec<_>>();
            assert!(common.iter().all(|point| part.contains(point)));
            assert_eq!(common.len(), (steps / (STRIDE * 16)) as usize);
        }
    }

    #[test]
    fn order_and_every_word_matter() {
        let reference = digest(0..100).value();
        for at in 0..100 {
            assert_ne!(digest((0..100).map(|i| if i == at { i + 1_000 } else { i })).value(), reference);
        }
        for (a, b) in [(0, 1), (0, 4), (17, 21), (98, 99)] {
            let swapped = (0..100).map(|i| {
                if i == a {
                    b
                } else if i == b {
                    a
                } else {
                    i
                }
            });
            assert_ne!(digest(swapped).value(), reference, "{a} and {b} swapped");
        }
        assert_ne!(digest(0..101).value(), reference);
        assert_ne!(digest(0..0).checkpoints(), digest(0..1).checkpoints());
    }

    #[test]
    fn parts_make_the_same_digest_as_the_whole() {
        let whole = digest(0..10_000);
        let mut parts = Digest::new(1);
        for start in (0..10_000).step_by(250) {
            parts.extend((start..start + 250).map(|word| (word, word / 3)));
        }
        assert_eq!(parts.checkpoints(), whole.checkpoints());
    }
}
