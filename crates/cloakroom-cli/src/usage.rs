//! Reads the arguments. A message about a wrong one does not show what was typed, which can be a secret in the wrong
//! place.

use clap::{
    Parser,
    builder::StyledStr,
    error::{ContextKind, ContextValue, Error, ErrorKind},
};

use crate::args::Cli;

/// What stands in a message for what was typed.
const HIDDEN: &str = "…";

/// Reads the arguments of the process. It ends the process for `--help` with 0, and for a wrong argument with 2.
pub(crate) fn parse() -> Cli {
    Cli::try_parse().unwrap_or_else(|mut error| {
        hide(&mut error);
        error.exit()
    })
}

fn hide(error: &mut Error) {
    let typed = match error.kind() {
        ErrorKind::UnknownArgument => ContextKind::InvalidArg,
        ErrorKind::InvalidSubcommand => ContextKind::InvalidSubcommand,
        ErrorKind::InvalidValue | ErrorKind::TooManyValues | ErrorKind::ValueValidation => {
            ContextKind::InvalidValue
        }
        _ => return,
    };
    let has_dash = match error.get(typed) {
        // Nothing was typed, and the message says so.
        Some(ContextValue::String(text)) if text.is_empty() => return,
        Some(ContextValue::String(text)) => text.starts_with('-'),
        _ => false,
    };
    error.insert(typed, ContextValue::String(HIDDEN.to_owned()));
    // These tips repeat it, too. Those that name an option or a command stay.
    error.remove(ContextKind::Suggested);
    if has_dash {
        let tip = StyledStr::from("write -- before an id that begins with -");
        error.insert(ContextKind::Suggested, ContextValue::StyledStrs(vec![tip]));
    }
}
