//! Repairs are counted against their policy's limits one after the other, and those that ask at the same time by one write:
//! the count stands on one object, over which they would else overtake each other again and again.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use kube::ResourceExt;
use kube::runtime::reflector::ObjectRef;
use tokio::sync::oneshot::{self, error::TryRecvError};

use crate::api::EndpointPolicy;
use crate::api::drift::Drift;
use crate::api::policy::{Begun, EndpointPolicyStatus};
use crate::controller::context::Context;
use crate::controller::kubernetes::status;
use crate::controller::outcome::Failure;
use crate::judge::compile::Limits;
use crate::repair::gate::Wait;
use crate::repair::limits;

/// One line for each policy, by its uid.
#[derive(Default)]
pub struct Admissions(Mutex<HashMap<String, Arc<Line>>>);

#[derive(Default)]
struct Line {
    waiting: Mutex<Vec<Asker>>,
    /// Held by whoever answers all that wait.
    turn: tokio::sync::Mutex<()>,
}

/// A repair that wants to begin.
struct Asker {
    drift: String,
    endpoint: String,
    limits: Limits,
    answer: oneshot::Sender<Option<Wait>>,
}

impl Admissions {
    fn line(&self, uid: &str) -> Arc<Line> {
        let mut lines = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        lines.retain(|_, line| Arc::strong_count(line) > 1);
        lines.entry(uid.to_owned()).or_default().clone()
    }

    /// Counts one repair, or the taking back of one, against its policy's limits; or says what it waits for.
    pub async fn admit(
        &self,
        ctx: &Context,
        policy: &EndpointPolicy,
        drift: &Drift,
        limits: &Limits,
    ) -> Result<Option<Wait>, Failure> {
        let line = self.line(&policy.uid().unwrap_or_default());
        let (answer, mut answered) = oneshot::channel();
        line.waiting().push(Asker {
            drift: drift.uid().unwrap_or_default(),
            endpoint: drift.spec.endpoint.clone(),
            limits: limits.clone(),
            answer,
        });
        let _turn = line.turn.lock().await;
        // Whoever was at it before has answered this one, or failed and let go of it, or did not see it yet.
        match answered.try_recv() {
            Ok(wait) => return Ok(wait),
            Err(TryRecvError::Closed) => return Err(status::Error::Conflict.into()),
            Err(TryRecvError::Empty) => {}
        }
        let askers = std::mem::take(&mut *line.waiting());
        count(ctx, policy, askers).await?;
        answered.try_recv().map_err(|_| status::Error::Conflict.into())
    }
}

impl Line {
    fn waiting(&self) -> std::sync::MutexGuard<'_, Vec<Asker>> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Answers all of them, and writes what follows at once. Nobody is answered before that.
async fn count(ctx: &Context, policy: &EndpointPolicy, askers: Vec<Asker>) -> Result<(), status::Error> {
    let mut answers = Vec::new();
    status::change(ctx, &ObjectRef::from(policy), |before: &EndpointPolicy| {
        answers.clear();
        if before.uid() != policy.uid() {
            return None; // its repairs are over
        }
        let mut after = before.clone();
        for asker in &askers {
            answers.push(match ask(ctx, &after, &asker.drift, &asker.endpoint, &asker.limits) {
                Ok(repairs) => {
                    after.status.get_or_insert_default().repairs = repairs;
                    None
                }
                Err(wait) => Some(wait),
            });
        }
        Some(after)
    })
    .await?;
    for (asker, answer) in askers.into_iter().zip(answers) {
        let _ = asker.answer.send(answer);
    }
    Ok(())
}

/// The policy's count with one repair more, or what that waits for.
pub fn ask(
    ctx: &Context,
    policy: &EndpointPolicy,
    drift: &str,
    endpoint: &str,
    limits: &Limits,
) -> Result<Vec<Begun>, Wait> {
    let nothing = EndpointPolicyStatus::default();
    let counted = policy.status.as_ref().unwrap_or(&nothing);
    let request = limits::Request {
        drift,
        endpoint,
        selected: counted.endpoints,
    };
    limits::admit(&counted.repairs, request, limits, ctx.now())
}
