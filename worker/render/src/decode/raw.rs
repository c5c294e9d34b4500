//! The largest JPEG preview of a camera's raw file; what the sensor saw is not developed.

use shared::domain::failure::Failure;

use super::{Decoded, Order, jpeg};
use crate::inspect::raw;

/// Decodes the preview.
pub(super) fn decode(order: &Order<'_>) -> Result<Decoded, Failure> {
    jpeg::decode(&Order { source: raw::preview(order.source, order.limits.nesting_max)?.jpeg, ..*order })
}
