//! Finds the known name that a misspelled one resembles most.

/// Returns the name that `text` was probably meant to be, or `None` if it resembles no name.
///
/// Case, `_` and `-` do not matter. Apart from that, a few letters may be wrong, or the end of the name may be missing.
pub(super) fn nearest<'n>(text: &str, names: impl Iterator<Item = &'n str>) -> Option<&'n str> {
    let text = plain(text);
    let most_edits = match text.len() {
        0..=2 => 0,
        3..=4 => 1,
        5..=8 => 2,
        9..=40 => 3,
        // No name is that long, and computing the distance would take long.
        _ => return None,
    };
    names
        .filter_map(|name| {
            let known = plain(name);
            let edits = if known.starts_with(&text) && text.len() >= 4 {
                usize::from(known.len() > text.len())
            } else {
                distance(text.as_bytes(), known.as_bytes())
            };
            (edits <= most_edits).then_some((edits, name))
        })
        .min_by_key(|(edits, _)| *edits)
        .map(|(_, name)| name)
}

/// Returns the name in lower case, without `_` and `-`.
pub(super) fn plain(name: &str) -> String {
    name.chars().filter(|c| !matches!(c, '_' | '-')).flat_map(char::to_lowercase).collect()
}

/// Returns the number of letters to insert, delete, replace or swap (optimal string alignment).
fn distance(left: &[u8], right: &[u8]) -> usize {
    let mut before_last = vec![0; right.len() + 1];
    let mut last: Vec<usize> = (0..=right.len()).collect();
    for (i, letter) in left.iter().enumerate() {
        let mut row = vec![i + 1];
        for (j, other) in right.iter().enumerate() {
            let mut edits = (last[j] + usize::from(letter != other)).min(last[j + 1] + 1);
            edits = edits.min(row[j] + 1);
            if i > 0 && j > 0 && *letter == right[j - 1] && left[i - 1] == *other {
                edits = edits.min(before_last[j - 1] + 1);
            }
            row.push(edits);
        }
        before_last = last;
        last = row;
    }
    last[right.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn distances_count_edits() {
        for (left, right, edits) in [
            ("", "", 0),
            ("", "abc", 3),
            ("ttl", "ttl", 0),
            ("tll", "ttl", 1),
            ("prefxi", "prefix", 1),
            ("kitten", "sitting", 3),
            ("abc", "", 3),
        ] {
            assert_eq!(distance(left.as_bytes(), right.as_bytes()), edits, "{left} {right}");
        }
    }

    #[test]
    fn misspelled_names_have_a_nearest_one() {
        let names = ["collectionName", "touchAfter", "disableTTL", "disableTouch", "ttl", "secret"];
        for (text, name) in [
            ("collectionname", Some("collectionName")),
            ("collection", Some("collectionName")),
            ("touch_after", Some("touchAfter")),
            ("touch-after", Some("touchAfter")),
            ("disable_ttl", Some("disableTTL")),
            ("disabelTTL", Some("disableTTL")),
            ("tll", Some("ttl")),
            ("SECRET", Some("secret")),
            ("", None),
            ("x", None),
            ("size", None),
            ("secrethunter2", None),
            ("nonsense", None),
        ] {
            assert_eq!(nearest(text, names.into_iter()), name, "{text}");
        }
        assert_eq!(nearest(&"t".repeat(1 << 20), names.into_iter()), None);
    }
}
