//! A digest of a worker's operations, with checkpoints, so that streams of different lengths can be compared.

/// Steps between the first checkpoints.
const STRIDE: u64 = 4_096;
/// The most checkpoints kept.
const CHECKPOINTS: usize = 512;

/// A chained digest: it changes with each operation and depends on all before.
///
/// A checkpoint is kept every 4,096 steps; whenever there would be more than 512, every other one is dropped and the
/// stride doubles. Strides are thus powers of two times 4,096, and of two streams of different lengths the longer one's
/// checkpoints, as far as the shorter one reaches, are among the shorter one's.
#[derive(Clone, Debug)]
pub struct Digest {
    state: u64,
    steps: u64,
    stride: u64,
    next: u64,
    checkpoints: Vec<(u64, u64)>,
}

impl Digest {
    /// The digest of no operation.
    pub const fn new(start: u64) -> Self {
        Self { state: start, steps: 0, stride: STRIDE, next: STRIDE, checkpoints: Vec::new() }
    }

    /// Adds one operation, given as two words.
    #[inline]
    pub fn add(&mut self, first: u64, second: u64) {
        let word = first.wrapping_mul(0x9E37_79B9_7F4A_7C15)
            ^ second.wrapping_mul(0xD6E8_FEB8_6659_FD93).rotate_left(32);
        // Multiplication by an odd number, xor and rotation are bijections: what differed once stays different.
        self.state = (self.state ^ word).wrapping_mul(0xBF58_476D_1CE4_E5B9).rotate_left(29);
        self.steps += 1;
        if self.steps == self.next {
            self.keep();
        }
    }

    #[cold]
    fn keep(&mut self) {
        self.checkpoints.push((self.steps, self.state));
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
            all.push((self.steps, self.state));
        }
        all
    }
}
