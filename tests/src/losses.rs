//! What the npm stores lose and ours do not: the tables in the READMEs of the stores' crates.

use std::{fs, io, path::Path};

/// A line of such a table: something the npm store loses, and the tests that show that ours does not.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Loss {
    /// The first cell.
    pub claim: String,
    /// The names in backticks in the last cell.
    pub tests: Vec<String>,
}

/// The losses that the README of a crate of `crates` lists; none when it has no such table.
///
/// # Errors
///
/// When there is no such README.
pub fn losses(crate_name: &str) -> io::Result<Vec<Loss>> {
    let crates = Path::new(env!("CARGO_MANIFEST_DIR")).join("../crates");
    fs::read_to_string(crates.join(crate_name).join("README.md")).map(|text| in_text(&text))
}

/// The rows of the table whose last column is called `test`.
fn in_text(text: &str) -> Vec<Loss> {
    let table = text.lines().skip_while(|line| !line.ends_with("| test |")).skip(2);
    table.take_while(|line| line.starts_with('|')).map(loss).collect()
}

fn loss(line: &str) -> Loss {
    let cells: Vec<&str> = line.trim_matches('|').split('|').map(str::trim).collect();
    let tests = cells.last().copied().unwrap_or_default().split('`').skip(1).step_by(2);
    Loss {
        claim: cells.first().copied().unwrap_or_default().to_owned(),
        tests: tests.map(str::to_owned).collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_of_the_table_of_losses_are_found_and_no_others() {
        let text = "\
| option | default |
| --- | --- |
| `a` | `b` |

| connect-x | here | test |
| --- | --- | --- |
| It loses `this`. | Kept. | `it_is_kept`, `it_is_told` |
| It hangs. | An error. | none yet |

| `c` | `d` |
";
        let loss = |claim: &str, tests: &[&str]| Loss {
            claim: claim.to_owned(),
            tests: tests.iter().map(|test| (*test).to_owned()).collect(),
        };
        assert_eq!(
            in_text(text),
            [loss("It loses `this`.", &["it_is_kept", "it_is_told"]), loss("It hangs.", &[])]
        );
        assert_eq!(in_text("# No table\n"), []);
    }
}
