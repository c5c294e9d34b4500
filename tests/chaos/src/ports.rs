//! Free ports below the range from which outgoing connections take theirs.

use std::net::TcpListener;

/// A port that nobody uses at this moment.
pub(crate) fn free() -> u16 {
    loop {
        let port = rand::random_range(10_000..32_000);
        if TcpListener::bind(("127.0.0.1", port)).is_ok() {
            return port;
        }
    }
}
