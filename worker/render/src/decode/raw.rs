//! The largest JPEG preview of a camera's raw file; what the sensor saw is not developed.

use shared::domain::failure::Failure;

use super::{DecodedPlanes, DecodedRaster, Order, jpeg};
use crate::inspect::raw;

/// Decodes the preview.
pub(super) fn decode(order: &Order<'_>) -> Result<DecodedRaster, Failure> {
    jpeg::decode(&Order { source: raw::preview(order.source, order.limits.nesting_max)?.jpeg, ..*order })
}

/// Decodes the preview into planes, where it has them.
pub(super) fn planes(order: &Order<'_>) -> Result<Option<DecodedPlanes>, Failure> {
    jpeg::planes(&Order { source: raw::preview(order.source, order.limits.nesting_max)?.jpeg, ..*order })
}
