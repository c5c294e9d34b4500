//! What every adapter of a port must do: one list of behaviours per port, run over each of its adapters.

#[expect(clippy::unwrap_used, clippy::expect_used, reason = "in a test, the panic is the message")]
mod blob_store;
#[expect(clippy::unwrap_used, clippy::expect_used, reason = "in a test, the panic is the message")]
mod state_store;
#[expect(clippy::unwrap_used, clippy::expect_used, reason = "in a test, the panic is the message")]
mod work_queue;
