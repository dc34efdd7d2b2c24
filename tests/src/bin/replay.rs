//! `replay <kind> <file>`: checks this code against what the real npm packages did.
//!
//! The last line counts. It exits 0 when nothing failed, 1 when something did, 2 for wrong use or an unusable file.

use std::{
    env, error,
    io::{self, Write},
    path::Path,
    process::ExitCode,
};

use cloakroom_tests::replay::{KINDS, replay};

fn main() -> ExitCode {
    let arguments: Vec<String> = env::args().skip(1).collect();
    let printed = match &arguments[..] {
        [kind, file] => run(kind, Path::new(file), &mut io::stdout().lock()),
        _ => usage(&mut io::stderr().lock()).map(|()| ExitCode::from(2)),
    };
    printed.unwrap_or(ExitCode::from(2))
}

fn run(kind: &str, file: &Path, out: &mut impl Write) -> io::Result<ExitCode> {
    match replay(kind, file) {
        Ok(report) => {
            report.print(out)?;
            Ok(ExitCode::from(u8::from(report.failed() > 0)))
        }
        Err(unusable) => {
            let mut err = io::stderr().lock();
            write!(err, "replay: {}: {unusable}", file.display())?;
            if let Some(source) = error::Error::source(&unusable) {
                write!(err, ": {source}")?;
            }
            writeln!(err)?;
            Ok(ExitCode::from(2))
        }
    }
}

fn usage(err: &mut impl Write) -> io::Result<()> {
    writeln!(err, "usage: replay <kind> <file>\n\nkinds:")?;
    for kind in KINDS {
        writeln!(err, "  {:14} {}", kind.name, kind.about)?;
    }
    Ok(())
}
