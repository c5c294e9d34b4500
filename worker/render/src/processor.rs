//! What this processor has beyond what every processor of its kind has.

/// Known to be there: AVX2, and what came with it, shifts by any number of bits and counts of zeros (BMI1, BMI2, LZCNT). Who has one
/// of these may call code that was compiled for them.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Avx2(());

impl Avx2 {
    /// When the processor has them all.
    pub(crate) fn found() -> Option<Self> {
        let found = std::arch::is_x86_feature_detected!("avx2")
            && std::arch::is_x86_feature_detected!("bmi1")
            && std::arch::is_x86_feature_detected!("bmi2")
            && std::arch::is_x86_feature_detected!("lzcnt");
        found.then_some(Self(()))
    }
}
