//! The table of what became of uploads.

use comfy_table::presets;
use comfy_table::{CellAlignment, Table};

use super::client::{FileReport, RepresentationReport};
use crate::cli::print_line;

/// One line per representation that was asked for.
pub(crate) fn print(reports: &[FileReport], json: bool) {
    if json {
        for report in reports {
            report.asked_for().for_each(|representation| print_line(&json_line(report, representation)));
        }
        return;
    }
    let mut table = Table::new();
    table.load_style(presets::UTF8_FULL_CONDENSED);
    table.set_header(["file", "representation", "state", "dimensions", "bytes", "ms"]);
    for report in reports {
        for (position, representation) in report.asked_for().enumerate() {
            let name = if position == 0 { report.name.as_str() } else { "" };
            table.add_row(row(name, representation));
        }
    }
    for column in 3..6 {
        if let Some(column) = table.column_mut(column) {
            column.set_cell_alignment(CellAlignment::Right);
        }
    }
    print_line(&table.to_string());
}

fn row(file: &str, representation: &RepresentationReport) -> [String; 6] {
    let state = match &representation.code {
        Some(code) => format!("{} ({code})", representation.state),
        None => representation.state.clone(),
    };
    let number = |value: Option<u64>| value.map_or_else(|| "-".to_owned(), |value| value.to_string());
    [
        file.to_owned(),
        representation.name.clone(),
        state,
        dimensions(representation).unwrap_or_else(|| "-".to_owned()),
        number(representation.bytes),
        number(representation.elapsed_ms),
    ]
}

fn dimensions(representation: &RepresentationReport) -> Option<String> {
    Some(format!("{}x{}", representation.width?, representation.height?))
}

fn json_line(report: &FileReport, representation: &RepresentationReport) -> String {
    serde_json::json!({
        "file": report.name,
        "id": report.id,
        "representation": representation.name,
        "state": representation.state,
        "code": representation.code,
        "width": representation.width,
        "height": representation.height,
        "bytes": representation.bytes,
        "elapsed_ms": representation.elapsed_ms,
    })
    .to_string()
}
