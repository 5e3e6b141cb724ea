//! What goes wrong with a watch, and whether it is worth being begun anew.

use kube::client::AuthError;
use kube::runtime::watcher;

/// Refusals in a row after which a watch is given up, more than a minute after the first. An API server that has just come
/// back refuses for a while what it allows.
const REFUSALS: u32 = 8;

/// What went wrong with a watch since it last told something.
#[derive(Debug, Default)]
pub struct Outage {
    errors: u32,
    refusals: u32,
}

impl Outage {
    /// Whether nothing went wrong yet.
    pub fn is_none(&self) -> bool {
        self.errors == 0
    }

    /// One more error. False: asking again brings nothing, or brings up a login again and again.
    pub fn may_pass(&mut self, error: &watcher::Error) -> bool {
        use kube::Error::{Api, Auth, Service};
        use watcher::Error::{InitialListFailed, WatchFailed, WatchStartFailed};
        self.errors += 1;
        let (InitialListFailed(error) | WatchStartFailed(error) | WatchFailed(error)) = error else {
            return true;
        };
        match error {
            Auth(_) => return false,
            Service(error) if error.is::<AuthError>() => return false,
            Api(status) if matches!(status.code, 401 | 403 | 404) => self.refusals += 1,
            _ => self.refusals = 0,
        }
        self.refusals < REFUSALS
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answered(code: u16) -> watcher::Error {
        let status = kube::core::Status::failure("no", "No").with_code(code);
        watcher::Error::WatchStartFailed(kube::Error::Api(status.boxed()))
    }

    fn login() -> watcher::Error {
        let failed = AuthError::AuthExec("the login has expired".into());
        watcher::Error::WatchStartFailed(kube::Error::Service(Box::new(failed)))
    }

    #[test]
    fn a_watch_is_given_up_when_asking_again_brings_nothing() {
        for ((code, times), passes, why) in [
            ((503, 100), true, "an API server that is away comes back"),
            ((403, 7), true, "one that has just come back knows no rights yet"),
            ((403, 8), false, "it knows them by now"),
            ((404, 8), false, "the definitions are gone"),
        ] {
            let mut outage = Outage::default();
            let all: Vec<bool> = (0..times).map(|_| outage.may_pass(&answered(code))).collect();
            assert_eq!(all.last(), Some(&passes), "{why}");
        }
        let mut outage = Outage::default();
        let mut mixed = [403, 503].into_iter().cycle().take(20);
        assert!(mixed.all(|code| outage.may_pass(&answered(code))), "not in a row");
        assert!(
            !Outage::default().may_pass(&login()),
            "a login would be asked for each time"
        );
    }
}
