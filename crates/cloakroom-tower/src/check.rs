//! Whether options fit together.

use cloakroom_core::Error;

use crate::{Loading, Preset, SessionOptions, TouchAfter, options::config};

pub(crate) fn check(options: &SessionOptions) -> Result<(), Error> {
    options.check_cookie(&options.cookie)?;
    if options.deadline.is_zero() {
        return Err(config("the option \"deadline\" is zero"));
    }
    if options.preset == Preset::Express {
        if options.touch_after != TouchAfter::EachRequest {
            return Err(config("the option \"touch_after\" is not one of the express preset"));
        }
        if options.loading != Loading::Eager {
            return Err(config("the option \"loading\" is not one of the express preset"));
        }
        if !options.store_failed {
            let message = "the option \"store_failed\" cannot be off with the express preset";
            return Err(config(message));
        }
        return Ok(());
    }
    if options.resave {
        let message = "the option \"resave\" would undo what other requests write; only the express preset has it";
        return Err(config(message));
    }
    Ok(())
}
