//! Runs a codec so that a panic in it (which is how libjpeg reports errors through the `mozjpeg` crate) is a failure.

use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind};

use shared::domain::failure::{Failure, FailureCode};

/// The result of `work`, or a failure with this code and the panic's message. `what` names the codec for people.
///
/// `AssertUnwindSafe` holds because whatever the closure borrowed mutably is dropped or overwritten after a failure.
pub(crate) fn fenced<T>(
    code: FailureCode,
    what: &str,
    work: impl FnOnce() -> Result<T, Failure>,
) -> Result<T, Failure> {
    catch_unwind(AssertUnwindSafe(work)).unwrap_or_else(|payload| Err(Failure::new(code, message(what, &*payload))))
}

/// What the panic said, without the words that libjpeg puts in front.
fn message(what: &str, payload: &(dyn Any + Send)) -> String {
    let said = payload.downcast_ref::<String>().map(String::as_str).or(payload.downcast_ref::<&str>().copied());
    let said = said.unwrap_or("it gave up without a reason");
    format!("{what}: {}", said.strip_prefix("libjpeg fatal error: ").unwrap_or(said))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_panic_becomes_a_failure_that_says_why() {
        let failed = fenced::<()>(FailureCode::CorruptSource, "JPEG", || {
            std::panic::resume_unwind(Box::new("libjpeg fatal error: Bogus".to_owned()))
        });
        assert_eq!(failed, Err(Failure::new(FailureCode::CorruptSource, "JPEG: Bogus")));
    }
}
