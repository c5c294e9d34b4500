//! From the broker's errors to ours: what may pass, and what needs an operator.

use lapin::ErrorKind;
use shared::ports::work_queue::QueueError;

/// Reply codes of AMQP 0-9-1 (and RabbitMQ) that no waiting cures.
const ACCESS_REFUSED: u16 = 403;
const NOT_FOUND: u16 = 404;
const RESOURCE_LOCKED: u16 = 405;
const PRECONDITION_FAILED: u16 = 406;
const NOT_ALLOWED: u16 = 530;

/// The connection is gone, or never came; it may come back.
pub(super) fn away(error: lapin::Error) -> QueueError {
    QueueError::Away(Box::new(error))
}

/// We waited for `what` as long as we may.
pub(super) fn too_slow(what: &str) -> QueueError {
    QueueError::Away(format!("the broker did not {what} in time").into())
}

/// A failure to connect: a wrong password or virtual host needs an operator, all else may pass.
pub(super) fn connecting(address: &str, error: lapin::Error) -> QueueError {
    match reply(&error) {
        Some((code @ (ACCESS_REFUSED | NOT_ALLOWED), words)) => QueueError::Misconfigured(format!(
            "{address} refuses us: {words} ({code}); check user, password and virtual host in queue.url"
        )),
        _ => away(error),
    }
}

/// A failed declaration in the broker's words, with what to do about it; the error itself when it is not a refusal.
pub(super) fn refusal(kind: &str, name: &str, error: lapin::Error) -> Result<String, QueueError> {
    match reply(&error) {
        Some((code, words)) => match remedy(code, kind, name) {
            Some(remedy) => Ok(format!("{kind} {name}: {words}; {remedy}")),
            None => Err(away(error)),
        },
        None => Err(away(error)),
    }
}

fn remedy(code: u16, kind: &str, name: &str) -> Option<String> {
    match code {
        NOT_FOUND => {
            Some(format!("declare this {kind}, or set queue.declare = \"active\" to let Thumbline declare it"))
        }
        PRECONDITION_FAILED => Some(format!(
            "it is there with other properties than we need: drain and delete {kind} {name} so that it is declared \
             anew, or choose another queue.namespace, or set queue.declare = \"passive\" to take it as it is"
        )),
        ACCESS_REFUSED => Some(format!(
            "grant the user configure, write and read permission on {name}, or declare it as an operator and set \
             queue.declare = \"passive\""
        )),
        RESOURCE_LOCKED => Some("another connection has it to itself: end that one".to_owned()),
        NOT_ALLOWED => Some("the broker does not allow it: check its policies and limits".to_owned()),
        _ => None,
    }
}

/// The broker's reply code and words, when it was the broker that refused.
fn reply(error: &lapin::Error) -> Option<(u16, String)> {
    match error.kind() {
        ErrorKind::ProtocolError(error) => Some((error.get_id(), error.get_message().to_string())),
        _ => None,
    }
}
