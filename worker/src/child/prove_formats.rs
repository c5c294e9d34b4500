//! Renders a sample of every format in a child, so that what is announced is what works on this machine.

use shared::domain::capability::{Capabilities, Capability};
use shared::domain::format::{OutputFormat, SourceFormat};
use shared::domain::preset::{Preset, PresetTable};

use super::memory_file::SealedSource;
use super::pool::Pool;

/// Tries every source format with the first preset, and every output format with a sample in JPEG. Takes some tens of
/// milliseconds; a child that dies of a sample is replaced, and the format is not announced.
pub async fn capabilities(pool: &Pool) -> Capabilities {
    let table = PresetTable::built_in();
    let Some(any) = table.iter().next() else { return nothing(pool) };
    let mut proven = nothing(pool);
    for format in SourceFormat::ALL {
        let problem = problem(pool, format, any.clone()).await;
        proven.sources.push(Capability { format, problem });
    }
    // What was left out of the build is not announced, and no problem.
    for format in OutputFormat::ALL.into_iter().filter(|format| render::writes(*format)) {
        let problem = problem(pool, SourceFormat::Jpeg, Preset { format, ..any.clone() }).await;
        proven.outputs.push(Capability { format, problem });
    }
    proven
}

fn nothing(pool: &Pool) -> Capabilities {
    Capabilities {
        sources: Vec::new(),
        outputs: Vec::new(),
        limits: pool.limits().clone(),
        has_simd_jpeg: render::has_simd_jpeg(),
    }
}

/// What went wrong; `None` when the sample became what it should.
async fn problem(pool: &Pool, format: SourceFormat, preset: Preset) -> Option<String> {
    let source = match SealedSource::from_bytes(render::sample(format)) {
        Ok(source) => source,
        Err(error) => return Some(error.to_string()),
    };
    match pool.render(None, &source, vec![preset]).await.result {
        Err(failure) => Some(failure.to_string()),
        Ok(made) if made.picture.format != format => Some(format!("it was taken for {}", made.picture.format.name())),
        Ok(made) => made.presets.into_iter().find_map(|rendering| rendering.result.err()).map(|e| e.to_string()),
    }
}
