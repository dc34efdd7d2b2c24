//! Maps a session id to the name of its file, and back.

use std::path::Path;

/// The longest name that common file systems accept, in bytes.
const LONGEST: usize = 255;

/// Returns the name of the file of a session, or why the id cannot have one.
///
/// session-file-store 1.5.0 joins the folder and the id, so there `../x` is a file outside of the folder.
pub(crate) fn of_id(sid: &str, extension: &str) -> Result<String, &'static str> {
    if sid.contains(is_refused) {
        return Err(if cfg!(windows) {
            "the id has a character that no file name can have"
        } else {
            "the id has a \"/\" or a NUL, which no file name can have"
        });
    }
    let name = [sid, extension].concat();
    if name.len() > LONGEST {
        return Err("the id is too long for a file name: at most 255 bytes with the extension");
    }
    Ok(name)
}

/// Returns the id whose file has this name, or `None` for the file of another program.
pub(crate) fn to_id<'n>(name: &'n str, extension: &str) -> Option<&'n str> {
    name.strip_suffix(extension).filter(|sid| !sid.is_empty())
}

/// Returns true for a character that no file name can have, such as one that would make the name a path to elsewhere.
fn is_refused(character: char) -> bool {
    match character {
        '/' | '\0' => true,
        // Separators, streams, and what Windows reserves or drops.
        '\\' | ':' | '*' | '?' | '"' | '<' | '>' | '|' => cfg!(windows),
        _ => cfg!(windows) && character.is_control(),
    }
}

/// Returns why an extension is not accepted, or `None` if it is.
pub(crate) fn check_extension(extension: &str) -> Option<&'static str> {
    let is_one_name = Path::new(extension).file_name().is_some_and(|name| name == extension);
    if extension.len() < 2 || !extension.starts_with('.') {
        Some("must begin with a \".\" and be longer than that")
    } else if !is_one_name || extension.contains(is_refused) {
        Some("must be a part of a file name")
    } else if extension.len() > 32 {
        Some("must be at most 32 bytes long")
    } else if extension == super::folder::OWN {
        Some("is the name of the store's own folder")
    } else {
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_is_a_name_in_the_folder_or_refused() {
        for sid in ["Pq8x-_Zk3f9JwYc1Tn5RbV7LdMsGhEaU", ".", "..", "a.json", "é", " a"] {
            let name = of_id(sid, ".json").unwrap();
            assert_eq!(Path::new(&name).components().count(), 1, "{name}");
            assert_eq!(to_id(&name, ".json"), Some(sid));
        }
        for sid in ["../x", "/etc/passwd", "a/b", "a/", "a\0", "a\0/../b"] {
            assert!(of_id(sid, ".json").is_err(), "{sid}");
        }
    }

    #[test]
    fn a_name_has_at_most_255_bytes() {
        assert!(of_id(&"x".repeat(250), ".json").is_ok());
        assert!(of_id(&"x".repeat(251), ".json").is_err());
        assert!(of_id(&"é".repeat(126), ".json").is_err());
    }

    #[test]
    fn files_of_other_programs_have_no_id() {
        for name in [".json", "a.json.123456", "a", "a.JSON", ""] {
            assert_eq!(to_id(name, ".json"), None, "{name}");
        }
    }

    #[test]
    fn an_extension_is_a_part_of_a_name() {
        for extension in ["", "json", ".", "./a", ".a/b", "..", ".a/", ".cloakroom"] {
            assert!(check_extension(extension).is_some(), "{extension}");
        }
        for extension in [".json", ".session", "..a"] {
            assert_eq!(check_extension(extension), None, "{extension}");
        }
    }
}
