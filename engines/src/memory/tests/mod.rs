//! Models of the protocols under loom: every order of the steps of two or three threads, with every value a load may see
//! by the rules of the language's memory model. `scripts/loom.sh` runs them, with a bound on preemptions and on time.

mod latch;
mod line;
mod reclamation;
mod record;

use crate::memory::words::Word;
use loom::sync::Arc;

/// Zero words that threads of a model share.
fn shared_words<const COUNT: usize>() -> Arc<[Word; COUNT]> {
    Arc::new(std::array::from_fn(|_| Word::new(0)))
}
