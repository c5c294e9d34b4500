//! A child that speaks the protocol by hand, gets ready as it should, and then lies about frames.

use std::io::{self, Read, Write};
use std::os::fd::AsFd;
use std::os::unix::net::UnixStream;
use std::process::ExitCode;
use std::time::Duration;

const VERSION: u8 = 5;

pub(crate) fn main(lie: &str) -> ExitCode {
    let mut parent = UnixStream::from(io::stdin().as_fd().try_clone_to_owned().unwrap());
    skip_message(&mut parent);
    let version = if lie == "other-version" { VERSION + 1 } else { VERSION };
    let ready = br#"{"ready":[]}"#;
    parent.write_all(&[version, 0, 0, 0, ready.len() as u8]).unwrap();
    parent.write_all(ready).unwrap();
    skip_message(&mut parent);
    tell(lie, &mut parent);
    ExitCode::SUCCESS
}

fn tell(lie: &str, parent: &mut UnixStream) {
    match lie {
        "garbage" => parent.write_all(&[&[VERSION, 0, 0, 0, 8], b"garbage!".as_slice()].concat()).unwrap(),
        "endless" => parent.write_all(&[VERSION, 0xff, 0xff, 0xff, 0xff]).unwrap(),
        "half" => parent.write_all(&[VERSION, 0, 0, 1, 0, b'{', b'"']).unwrap(),
        "other-order" => {
            let reply =
                br#"{"replied":{"number":99,"steps":[],"result":{"failed":{"code":"corrupt_source","reason":""}}}}"#;
            parent.write_all(&[VERSION, 0, 0, 0, reply.len() as u8]).unwrap();
            parent.write_all(reply).unwrap();
        }
        "hang-up" => parent.shutdown(std::net::Shutdown::Both).unwrap(),
        other => panic!("nobody taught the liar {other}"),
    }
    if lie != "half" {
        // Lives on until it is killed.
        std::thread::sleep(Duration::from_secs(60));
    }
}

fn skip_message(parent: &mut UnixStream) {
    let mut header = [0; 5];
    parent.read_exact(&mut header).unwrap();
    let [_, length @ ..] = header;
    let length = u64::from(u32::from_be_bytes(length));
    io::copy(&mut parent.take(length), &mut io::sink()).unwrap();
}
