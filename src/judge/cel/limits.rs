//! What one evaluation may cost.

use std::time::{Duration, Instant};

use super::error::EvalError;

/// Largest value that an expression may build, in bytes: about 1 MiB of text or 100,000 elements.
pub(super) const MAX_WEIGHT: usize = 1 << 20;
/// Most steps; a step is a node of the expression, or 16 bytes of something copied or compared.
const MAX_STEPS: u64 = 1_000_000;
/// Longest time. The steps run out first unless functions of the library are slow.
const MAX_TIME: Duration = Duration::from_millis(100);
/// Steps between two looks at the clock: small rules never look.
const STEPS_PER_LOOK: u64 = 2048;

/// The budget of one evaluation.
pub(super) struct Budget {
    steps: u64,
    next_look: u64,
    started: Option<Instant>,
}

impl Budget {
    pub(super) fn new() -> Self {
        Self {
            steps: 0,
            next_look: STEPS_PER_LOOK,
            started: None,
        }
    }

    /// One step.
    pub(super) fn step(&mut self) -> Result<(), EvalError> {
        self.charge(1)
    }

    /// Work on a value of this weight.
    pub(super) fn work(&mut self, weight: usize) -> Result<(), EvalError> {
        self.charge(weight as u64 / 16)
    }

    pub(super) fn charge(&mut self, steps: u64) -> Result<(), EvalError> {
        self.steps += steps;
        if self.steps < self.next_look {
            return Ok(());
        }
        self.next_look = self.steps + STEPS_PER_LOOK;
        let started = *self.started.get_or_insert_with(Instant::now);
        if self.steps > MAX_STEPS || started.elapsed() > MAX_TIME {
            // Which of them ran out first is the machine's affair, and a status that tells it would never stand still.
            let most = MAX_TIME.as_millis();
            return Err(EvalError::limit(format!("more than {MAX_STEPS} steps or {most} ms")));
        }
        Ok(())
    }
}
