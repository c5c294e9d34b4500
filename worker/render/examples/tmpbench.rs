//! Temporary.
#![expect(clippy::print_stdout, clippy::unwrap_used, reason = "temporary")]
use fast_image_resize::images::{Image, ImageRef};
use fast_image_resize::*;
use std::time::Instant;
fn best(mut f: impl FnMut()) -> f64 {
    (0..25).map(|_| { let t = Instant::now(); f(); t.elapsed().as_secs_f64() * 1e3 }).fold(f64::INFINITY, f64::min)
}
fn main() {
    let mut r = Resizer::new();
    println!("{:?}", r.cpu_extensions());
    for (w, h, dw, dh) in [(1512u32, 1134u32, 1024u32, 768u32), (2016, 1512, 1024, 768), (1086, 724, 1024, 683), (1024, 768, 320, 240), (320, 240, 160, 120)] {
        for (t, n) in [(PixelType::U8, 1), (PixelType::U8x3, 3), (PixelType::U8x4, 4)] {
            let src: Vec<u8> = (0..w * h * n).map(|i| (i.wrapping_mul(2654435761) >> 24) as u8).collect();
            let mut line = String::new();
            for f in [FilterType::Lanczos3, FilterType::CatmullRom, FilterType::Hamming, FilterType::Bilinear] {
                let o = ResizeOptions::new().resize_alg(ResizeAlg::Convolution(f)).use_alpha(false);
                let s = ImageRef::new(w, h, &src, t).unwrap();
                let mut d = Image::new(dw, dh, t);
                line += &format!(" {f:?} {:.2}", best(|| r.resize(&s, &mut d, Some(&o)).unwrap()));
            }
            println!("{w}x{h}->{dw}x{dh} {t:?} {line}");
        }
    }
    let src = std::fs::read(std::env::args().nth(1).unwrap()).unwrap();
    let mut d = mozjpeg::Decompress::new_mem(&src).unwrap();
    d.scale(8);
    let mut s = d.rgb().unwrap();
    let (w, h) = (s.width(), s.height());
    let px: Vec<u8> = s.read_scanlines().unwrap();
    println!("encode {w}x{h}");
    for opt in [false, true] {
        for prog in [false, true] {
            let mut len = 0;
            let ms = best(|| {
                let mut c = mozjpeg::Compress::new(mozjpeg::ColorSpace::JCS_RGB);
                c.set_fastest_defaults();
                c.set_size(w, h);
                c.set_quality(80.0);
                c.set_optimize_coding(opt);
                c.set_chroma_sampling_pixel_sizes((2, 2), (2, 2));
                if prog { c.set_progressive_mode(); }
                let mut st = c.start_compress(Vec::new()).unwrap();
                st.write_scanlines(&px).unwrap();
                len = st.finish().unwrap().len();
            });
            println!("optimize {opt} progressive {prog}: {ms:.2} ms {len} bytes");
        }
    }
}
