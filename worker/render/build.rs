//! Finds out whether libjpeg-turbo was built with SIMD: without nasm it links a stand-in, whose object gives it away.

use std::path::Path;

fn main() {
    println!("cargo::rustc-check-cfg=cfg(simd_jpeg)");
    println!("cargo::rerun-if-changed=build.rs");
    // Set by mozjpeg-sys for packages that depend on it: its include directories, its own output's first.
    let include = std::env::var_os("DEP_JPEG_INCLUDE").unwrap_or_default();
    let out = std::env::split_paths(&include).next();
    if let Some(out) = out.as_deref().and_then(Path::parent)
        && let Ok(entries) = std::fs::read_dir(out)
    {
        let objects: Vec<String> = entries.flatten().filter_map(|entry| entry.file_name().into_string().ok()).collect();
        let has = |name: &str| objects.iter().any(|object| object.ends_with(name));
        if has("jsimd.o") && !has("jsimd_none.o") {
            println!("cargo::rustc-cfg=simd_jpeg");
        }
    }
}
